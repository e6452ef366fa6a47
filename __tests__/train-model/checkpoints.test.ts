import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { type Checkpoints, openCheckpoints } from '../../src/train-model/checkpoints.ts';
import { connectTo, ownServer } from '../helpers/owncloud.ts';
import { captureOutput, temporaryFolder } from '../helpers/runner.ts';

const OWN = '77-model';
const never = new AbortController().signal;
/** How often is not what these tests are about. */
const SOON = 20;

interface Change {
  readonly env?: Readonly<Record<string, string>>;
  readonly image?: string;
  readonly data?: string;
  readonly checkpointMs?: number;
}

/** A place, and machines that come and go: each has an output folder of its own. */
async function lab(kind: 'ownCloud' | 'disk', hook?: Hook) {
  captureOutput();
  const shared = temporaryFolder();
  const server = kind === 'ownCloud' ? await ownServer(hook ? { hook } : {}) : undefined;
  const folder = server ? join(server.directory, 'data sets', 'checkpoints', OWN) : join(shared, OWN);
  const machine = async ({ env = {}, image = 'b', data = 'a', checkpointMs = SOON }: Change = {}) => {
    const outputDir = temporaryFolder();
    const warnings: string[] = [];
    const checkpoints = await openCheckpoints({
      inputs: {
        checkpointMs,
        checkpointFolder: server ? '' : shared,
        owncloudFolder: 'data sets',
        key: 'model',
        outputDir,
        image: 'lab/diatoms:1',
        trainCommand: 'python train.py',
        testCommand: 'python test.py',
        gpus: 'all',
        network: false,
        env: new Map(Object.entries(env)),
      },
      image: { reference: 'here', digest: `sha256:${image.repeat(64)}` },
      dataset: { identity: data.repeat(64), sha256: undefined },
      remote: server && (await connectTo(server.url)),
      context: {
        env: { GITHUB_RUN_ID: '77' },
        signal: never,
        onWarning: (text) => void warnings.push(text),
        onKept: () => {},
      },
    });
    const file = (name = 'checkpoint.pt') => join(outputDir, 'checkpoint', name);
    /** As train.py writes: under another name first. */
    const write = (text: string, name?: string) => {
      mkdirSync(join(file(name), '..'), { recursive: true });
      writeFileSync(`${file(name)}.new`, text);
      renameSync(`${file(name)}.new`, file(name));
    };
    return { outputDir, warnings, file, write, checkpoints: checkpoints ?? raise() };
  };
  const noted = () => JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));
  return { folder, machine, noted };
}

function raise(): Checkpoints {
  throw new Error('expected checkpoints to be kept');
}

const fails = () => Promise.reject(new Error('the server is gone'));
const cutShort = (checkpoints: Checkpoints) => expect(checkpoints.during(fails)).rejects.toThrow('the server is gone');

describe.each(['ownCloud', 'disk'] as const)('kept on %s', (kind) => {
  test('a training that was cut short is continued by another machine, with all its files', async () => {
    const { machine, folder } = await lab(kind);
    const first = await machine();
    first.write('epoch 3');
    first.write('0.9', 'fold-1/score.json');
    await cutShort(first.checkpoints);
    const second = await machine();
    await second.checkpoints.restore();
    expect(readFileSync(second.file(), 'utf8')).toBe('epoch 3');
    expect(readFileSync(second.file('fold-1/score.json'), 'utf8')).toBe('0.9');
    expect(readdirSync(second.outputDir)).toEqual(['checkpoint']);
    expect(second.warnings).toEqual([]);
    await second.checkpoints.remove();
    expect(existsSync(folder)).toBe(false);
  });

  test('the newest whole state is stored while the training goes on, and nothing else stays', async () => {
    const { machine, folder, noted } = await lab(kind);
    const { checkpoints, write } = await machine();
    let sizes: number[] = [];
    await checkpoints.during(async () => {
      for (const text of ['1', '22', '333']) {
        write(text);
        await vi.waitFor(() => expect(noted().files).toMatchObject([{ bytes: text.length }]), 10_000);
        sizes = [...sizes, noted().files[0].bytes];
        // The one of before goes after the note of the new one.
        await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(2), 10_000);
      }
    });
    expect(sizes).toEqual([1, 2, 3]);
  });

  test.each([
    ['another image', { image: 'c' }, 'the image'],
    ['another data set', { data: 'c' }, 'the data set'],
    ['other settings', { env: { EPOCHS: '3' } }, 'the settings (env)'],
  ])('with %s it starts from the beginning, says so, and replaces it', async (_, change, said) => {
    const { machine, noted } = await lab(kind);
    const first = await machine();
    first.write('epoch 3');
    await cutShort(first.checkpoints);
    const other = await machine(change);
    await other.checkpoints.restore();
    expect(existsSync(other.file())).toBe(false);
    expect(other.warnings).toEqual([expect.stringContaining(`was made with another state of ${said}.`)]);
    other.write('of the other');
    await cutShort(other.checkpoints);
    expect(noted().files).toMatchObject([{ bytes: 12 }]);
  });

  test('what was damaged there is not used, and the training starts from the beginning', async () => {
    const { machine, folder, noted } = await lab(kind);
    const first = await machine();
    first.write('epoch 3');
    await cutShort(first.checkpoints);
    writeFileSync(join(folder, noted().files[0].sha256), 'epoch x');
    const second = await machine();
    await second.checkpoints.restore();
    expect(readdirSync(second.outputDir)).toEqual([]);
    expect(second.warnings).toEqual([
      expect.stringMatching(/starts from the beginning: Its file checkpoint\.pt is damaged/),
    ]);
  });

  test('a machine that has a newer state keeps it', async () => {
    const { machine } = await lab(kind);
    const { checkpoints, write, file } = await machine();
    write('epoch 3');
    await cutShort(checkpoints);
    write('epoch 4');
    utimesSync(file(), new Date(), new Date(Date.now() + 5_000));
    await checkpoints.restore();
    expect(readFileSync(file(), 'utf8')).toBe('epoch 4');
  });

  test('a training without a checkpoint leaves nothing to go on from', async () => {
    const { machine, folder } = await lab(kind);
    const { checkpoints, outputDir, warnings } = await machine();
    await checkpoints.restore();
    await cutShort(checkpoints);
    await checkpoints.remove();
    expect([existsSync(folder), readdirSync(outputDir), warnings]).toEqual([false, [], []]);
  });
});

test('a training goes on when ownCloud takes nothing, with one warning', async () => {
  let refused = 0;
  const refuse: Hook = ({ method }) => {
    if (method !== 'PUT' && method !== 'MKCOL') return undefined;
    refused++;
    return { status: 507 };
  };
  const { machine } = await lab('ownCloud', refuse);
  const { checkpoints, write, warnings } = await machine();
  write('epoch 1');
  const result = await checkpoints.during(async () => {
    // It is tried again.
    await vi.waitFor(() => expect(refused).toBeGreaterThan(2), 10_000);
    return 'trained';
  });
  expect(result).toBe('trained');
  expect(warnings).toEqual([
    expect.stringMatching(/The checkpoint could not be stored in the folder “data sets.*no space left/),
  ]);
});

test('of what a killed attempt was about to store, a whole file is used, and half a file goes', async () => {
  const seen: string[] = [];
  const { machine, folder, noted } = await lab('ownCloud', ({ method }) => void seen.push(method));
  const first = await machine();
  first.write('epoch 3');
  await cutShort(first.checkpoints);
  rmSync(join(folder, 'checkpoint.json'));
  writeFileSync(join(folder, 'a.uploading-12345678'), 'half');
  const second = await machine();
  await second.checkpoints.restore();
  expect(readdirSync(second.outputDir)).toEqual([]);
  second.write('epoch 3');
  seen.length = 0;
  await cutShort(second.checkpoints);
  // The note alone.
  expect(seen.filter((method) => method === 'PUT')).toHaveLength(1);
  expect(readdirSync(folder).sort()).toEqual([noted().files[0].sha256, 'checkpoint.json'].sort());
});

test.each([
  ['with checkpoint-minutes: 0', { checkpointMs: 0 }],
  ['without ownCloud and checkpoint-folder', {}],
])('nothing is kept %s', async (_, change) => {
  const image = { reference: 'a', digest: 'a' };
  const context = { env: {}, signal: never, onWarning: () => {}, onKept: () => {} };
  const inputs = { image: 'a', trainCommand: 'a', testCommand: 'a', network: false, env: new Map() };
  const place = { checkpointMs: SOON, checkpointFolder: '', owncloudFolder: '', key: 'model', outputDir: '/nowhere' };
  const station = { image, context, dataset: { identity: 'a', sha256: 'a' }, remote: undefined };
  expect(
    await openCheckpoints({ ...station, inputs: { ...inputs, ...place, gpus: 'all', ...change } }),
  ).toBeUndefined();
});
