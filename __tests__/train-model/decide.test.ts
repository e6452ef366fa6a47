import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook, OwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { parseTraining, type Training } from '../../src/model/training-recipe.ts';
import { decide, decisionOf } from '../../src/train-model/decide.ts';
import { provenanceJson } from '../../src/train-model/provenance.ts';
import type { Standing } from '../../src/train-model/standing.ts';
import { failureOf } from '../helpers/failure.ts';
import { connectTo, ownServer, SWIFT } from '../helpers/owncloud.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const IDENTITY = 'a'.repeat(64);
const SETTINGS = {
  image: `ghcr.io/lab/diatoms@${DIGEST}`,
  trainCommand: 'python train.py',
  testCommand: 'python test.py',
  gpus: 'all',
  network: false,
  env: new Map([['EPOCHS', '3']]),
  engine: 'docker',
} as const;

type Changes = Partial<Parameters<typeof provenanceJson>[0]['inputs']> & { readonly identity?: string };

function provenance({ identity = IDENTITY, ...changes }: Changes = {}): string {
  const dataset = { name: 'set.zip', sha256: undefined, seed: undefined, identity };
  return provenanceJson({ inputs: { ...SETTINGS, ...changes }, imageDigest: undefined, dataset });
}

function training(changes: Changes = {}): Training {
  const parsed = parseTraining(provenance(changes));
  if (!parsed) throw new Error('the provenance could not be read');
  return parsed;
}

const NOTHING: Standing = { newest: undefined, production: undefined, unpublished: [] };
const newest = (changes: Changes, wasPromoted = false): Standing => ({
  ...NOTHING,
  newest: { name: 'v2', training: training(changes), wasPromoted },
});
const waiting = (folder: string, changes: Changes = {}) => ({ folder, training: training(changes) });
const NO = { train: false, judge: '', unpublished: '' };

describe('trains', () => {
  const [image, identity] = [`x@sha256:${'e'.repeat(64)}`, 'b'.repeat(64)];
  test.each<[string, Standing, Partial<Training>, string]>([
    ['a first model', NOTHING, {}, 'the model has no version yet'],
    ['other data', newest({ identity }), {}, 'changed since version v2: the data set.'],
    ['another image', newest({ image }), {}, 'changed since version v2: the image.'],
    ['another command', newest({ trainCommand: 'x' }), {}, 'changed since version v2: the train-command.'],
    ['another test', newest({ testCommand: 'x' }), {}, 'changed since version v2: the test-command.'],
    ['other GPUs', newest({ gpus: ['0'] }), {}, 'changed since version v2: the GPUs.'],
    ['a network', newest({ network: true }), {}, 'changed since version v2: the network.'],
    [
      'other settings',
      newest({ env: new Map([['EPOCHS', '4']]) }),
      {},
      'changed since version v2: the settings (env).',
    ],
    ['several things', newest({ image, identity }), {}, 'changed since version v2: the data set, the image.'],
    [
      'what only production differs from',
      { ...newest({ image }), production: 'v1' },
      {},
      'changed since version v2: the image.',
    ],
    [
      'an old version',
      { ...NOTHING, newest: { name: 'v2', training: undefined, wasPromoted: true } },
      {},
      'does not say',
    ],
    ['a tag', newest({}), { imageDigest: undefined }, 'the image is given by a tag'],
    ['unknown data', newest({}), { dataIdentity: undefined }, 'is not known'],
    ['what no result is of', { ...NOTHING, unpublished: [waiting('u', { image })] }, {}, 'no version yet'],
  ])('%s', (_, standing, wanted, reason) => {
    const decision = decisionOf({ ...training(), ...wanted }, standing);
    expect(decision).toMatchObject({ train: true, judge: '', unpublished: '' });
    expect(decision.reason).toContain(reason);
  });
});

describe('does not train', () => {
  test.each<[string, Standing, Partial<typeof NO>, string]>([
    ['what is in production', { ...newest({}, true), production: 'v2' }, NO, 'version v2, which is in production'],
    ['what a person has rolled back', { ...newest({}, true), production: 'v1' }, NO, 'v1 is in production now'],
    ['what was refused or waits', { ...newest({}), production: 'v1' }, { ...NO, judge: 'v2' }, 'publishing says'],
    [
      'what is not published',
      { ...newest({ network: true }), unpublished: [waiting('u')] },
      { ...NO, unpublished: 'u' },
      '“u”',
    ],
    ['what is neither', { ...NOTHING, unpublished: [waiting('u')] }, { ...NO, unpublished: 'u' }, '“u”'],
    ['the last one', { ...NOTHING, unpublished: [waiting('1'), waiting('2')] }, { ...NO, unpublished: '2' }, '“2”'],
    ['what is both', { ...newest({}), unpublished: [waiting('u')] }, { ...NO, judge: 'v2' }, 'version v2'],
  ])('%s', (_, standing, expected, reason) => {
    const decision = decisionOf(training(), standing);
    expect(decision).toMatchObject(expected);
    expect(decision.reason).toContain(reason);
  });

  test('when only the order of the settings, the engine or the name of the image differ', () => {
    const [a, b] = [
      new Map([
        ['A', '1'],
        ['B', '2'],
      ]),
      new Map([
        ['B', '2'],
        ['A', '1'],
      ]),
    ];
    const standing = {
      ...newest({ env: a, engine: 'podman', image: `other.example/x@${DIGEST}` }, true),
      production: 'v2',
    };
    expect(decisionOf(training({ env: b }), standing).train).toBe(false);
  });
});

test('a provenance holds no value of a setting, and one of an older format says nothing', () => {
  const text = provenance({ env: new Map([['TOKEN', 'found-nowhere']]) });
  expect(text).not.toContain('found-nowhere');
  expect(JSON.parse(text)).toMatchObject({ format: 2, training_sum: expect.stringMatching(/^[0-9a-f]{64}$/) });
  for (const old of ['{"format":1,"image_digest":null}', 'no json', '']) expect(parseTraining(old)).toBeUndefined();
});

describe('on a server', () => {
  const files = (server: OwncloudServer) => async (place: string, content: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(content)) {
      const path = join(server.directory, place, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  };
  const version = (changes: Changes = {}) => ({
    SHA256SUMS: `${'0'.repeat(64)}  model.pth\n`,
    'provenance.json': provenance(changes),
  });
  const result = () => ({
    'provenance.json': provenance(),
    SHA256SUMS: ['model.pth', 'metrics.json', 'provenance.json'].map((name) => `${'0'.repeat(64)}  ${name}\n`).join(''),
  });
  const wanted = {
    ...SETTINGS,
    ...{ compareWith: 'models/diatoms/production', dataset: 'data sets/set.zip', datasetSha256: undefined },
    ...{ dataIdentity: IDENTITY, owncloudFolder: 'data sets' },
  };
  async function decided(server: OwncloudServer, changes: Partial<typeof wanted> | { dataIdentity: undefined } = {}) {
    return decide({ ...wanted, ...changes }, await connectTo(server.url), { policy: SWIFT });
  }

  test('the newest version counts, by the time in its name, else by the server’s; what is no version does not', async () => {
    const server = await ownServer();
    const put = files(server);
    await put('models/diatoms/20260301-000000-abc', version());
    await put('models/diatoms/20260201-000000-abc', version({ network: true }));
    await put('models/diatoms/by-hand', version({ network: true }));
    await utimes(
      join(server.directory, 'models/diatoms/by-hand/SHA256SUMS'),
      new Date('2026-01-01'),
      new Date('2026-01-01'),
    );
    await put('models/diatoms/20260401-000000-abc', { 'provenance.json': provenance({ network: true }) });
    await put('models/diatoms/20260401-000000-abc.uploading-01234567', version({ network: true }));
    await put('models/diatoms/production', { VERSION: '20260201-000000-abc\n', ...version({ network: true }) });
    expect(await decided(server)).toMatchObject({ ...NO, judge: '20260301-000000-abc' });
    await put('models/diatoms/20260301-000000-abc', { 'verdict.json': '{"format":1,"promotions":[{}]}' });
    expect((await decided(server)).reason).toContain(
      'which was in production; 20260201-000000-abc is in production now',
    );
    await utimes(join(server.directory, 'models/diatoms/by-hand/SHA256SUMS'), new Date(), new Date());
    expect(await decided(server)).toMatchObject({ train: true });
  });

  test('a result that is complete is published; one that was cut short, or is no model, is trained again', async () => {
    const server = await ownServer();
    await files(server)('data sets/unpublished/9-model', result());
    await files(server)('data sets/unpublished/10-model', result());
    expect(await decided(server)).toMatchObject({ ...NO, unpublished: 'data sets/unpublished/10-model' });
    await rm(join(server.directory, 'data sets/unpublished/10-model/SHA256SUMS'));
    expect(await decided(server)).toMatchObject({ ...NO, unpublished: 'data sets/unpublished/9-model' });
    await writeFile(
      join(server.directory, 'data sets/unpublished/9-model/SHA256SUMS'),
      `${'0'.repeat(64)}  provenance.json\n${'0'.repeat(64)}  checkpoint/checkpoint.pt\n`,
    );
    expect(await decided(server)).toMatchObject({ train: true });
    expect(await readdir(join(server.directory, 'data sets/unpublished'))).toEqual(['10-model', '9-model']);
  });

  test('without a word about the data, what is recorded beside the archive tells', async () => {
    const server = await ownServer();
    const put = files(server);
    await put('models/diatoms/v1', version());
    expect(await decided(server, { dataIdentity: undefined })).toMatchObject({ train: true });
    const record = { archive: { sha256: 'c'.repeat(64) }, data_identity: IDENTITY };
    await put('data sets', { 'set.zip.run.json': JSON.stringify(record) });
    expect(await decided(server, { dataIdentity: undefined })).toMatchObject({ train: false, judge: 'v1' });
    await put('data sets', { 'set.zip.run.json': 'damaged' });
    expect(await decided(server, { dataIdentity: undefined })).toMatchObject({ train: true });
  });

  test('that does not answer, nothing is decided: it is never taken for an empty one', async () => {
    const away: Hook = ({ path }) => (path.includes('diatoms') ? { status: 503 } : undefined);
    const server = await ownServer({ hook: away });
    expect((await failureOf(decided(server))).code).toBe('OWNCLOUD');
  });

  test('a place that is no model’s production is refused', async () => {
    const server = await ownServer();
    expect((await failureOf(decided(server, { compareWith: 'models/diatoms/v1' }))).message).toContain(
      'Input compare-with',
    );
  });
});
