import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { errorOf, expectNoSecrets, prepareDataFixture } from '../helpers/prepare-data.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const SETTINGS = { 'archive-content': 'results', 'keep-data': 'false' };
const WRITING = ['PUT', 'MOVE', 'MKCOL', 'DELETE', 'COPY'];

/** Counts what a run has sent from and to the servers. */
async function countedFixture({ validators = true } = {}) {
  const sources: { method: string; bytes: number }[] = [];
  const written: string[] = [];
  const fixture = await prepareDataFixture(
    {
      hook: ({ method }) => {
        if (WRITING.includes(method)) written.push(method);
        return undefined;
      },
    },
    { validators, onAnswer: (answer) => sources.push(answer) },
  );
  const run = async (inputs: Record<string, string> = {}) => {
    await sleep(1_001 - (Date.now() % 1_000));
    sources.length = 0;
    written.length = 0;
    return fixture.run({ ...SETTINGS, ...inputs });
  };
  const sent = () => sources.reduce((sum, { bytes }) => sum + bytes, 0);
  return { ...fixture, run, written, sources, sent };
}

describe('a run with nothing new', () => {
  test.each([
    { split: 'keep', seed: '' },
    { split: 'keep' },
    { split: 'shuffle' },
    { split: 'stable', 'n-test': '20%' },
  ])('downloads and uploads nothing, and gives the last archive; its check reads no zip either: %j', async (inputs) => {
    const { run, written, sent, sources, uploaded, fileList } = await countedFixture();
    const first = await run(inputs);
    expect(first.exitCode, first.stdout).toBe(0);
    const before = uploaded();
    const second = await run(inputs);
    expect(second.exitCode, second.stdout).toBe(0);
    expect(sent()).toBe(0);
    expect(sources).toHaveLength(3);
    expect(written).toEqual([]);
    expect(uploaded()).toEqual(before);
    expect(second.outputs).toEqual({ ...first.outputs, changed: 'false', 'manifest-path': '' });
    expect(second.summary).toContain('**Nothing is new**');
    expect(second.summary).toContain(first.outputs['archive-name']);
    expectNoSecrets(
      second,
      fileList.map(({ file_url }) => file_url),
    );
    const check = await run({ ...inputs, check: 'true' });
    expect(check.exitCode, check.stdout).toBe(0);
    expect(sent()).toBe(0);
    expect(check.stdout).toContain(
      `nothing is new, all zips and options are those of “${first.outputs['archive-name']}”`,
    );
  });

  test('a seed that follows from the run is another in the next one, and the same when it is run again', async () => {
    const { start, run } = await countedFixture();
    const inputs = { ...SETTINGS, seed: '' };
    const first = await run({ seed: '' });
    const again = await start(inputs, { GITHUB_RUN_ATTEMPT: '2' }).result;
    expect(again.outputs).toMatchObject({ changed: 'false', seed: first.outputs['seed'] });
    await sleep(1_100);
    const next = await start(inputs, { GITHUB_RUN_ID: '2' }).result;
    expect(next.outputs['changed']).toBe('true');
    expect(next.outputs['seed']).not.toBe(first.outputs['seed']);
  });

  test('zips whose servers give no validators are compared by their content', async () => {
    const { run, written, sent, zips, workspace } = await countedFixture({ validators: false });
    const size = readdirSync(zips).reduce((sum, name) => sum + readFileSync(join(zips, name)).length, 0);
    const first = await run({ split: 'keep' });
    const second = await run({ split: 'keep' });
    expect(second.outputs).toMatchObject({ changed: 'false', 'archive-name': first.outputs['archive-name'] });
    expect(sent()).toBeGreaterThanOrEqual(size);
    expect(sent()).toBeLessThan(size + 100);
    expect(written).toEqual([]);
    expect(readdirSync(join(workspace, 'data', 'downloads'))).toEqual([]);
  });

  test('what had to come to be compared does not come again when something is new', async () => {
    const { run, sent, zips, uploaded } = await countedFixture({ validators: false });
    await run({ split: 'keep' });
    // As long as it was, so that only its content tells.
    const path = join(zips, 'gomphonema.zip');
    const changed = readFileSync(path);
    const entries = Array.from({ length: 9 }, (_, index) => ({
      name: `export/Gomphonema/s${index % 4}_0${index}.bmp`,
      data: bmp(50 + index),
    }));
    const rest = [
      { name: 'export/Gomphonema/s1_broken.png', data: 'no PICTURE' },
      { name: 'export/other/99.bmp', data: bmp(99) },
    ];
    writeFileSync(path, buildZip({ entries: [...entries, ...rest] }));
    expect(readFileSync(path).length).toBe(changed.length);
    const second = await run({ split: 'keep' });
    expect(second.exitCode, second.stdout).toBe(0);
    expect(second.outputs['changed']).toBe('true');
    expect(uploaded().filter((name) => name.endsWith('.zip'))).toHaveLength(2);
    const size = readdirSync(zips).reduce((sum, name) => sum + readFileSync(join(zips, name)).length, 0);
    expect(sent()).toBeLessThan(size + 100);
  });

  test('low-disk: nothing stays of what had to come to be compared', async () => {
    const { run, workspace } = await countedFixture({ validators: false });
    await run({ split: 'keep', 'low-disk': 'true' });
    const second = await run({ split: 'keep', 'low-disk': 'true' });
    expect(second.exitCode, second.stdout).toBe(0);
    expect(second.outputs['changed']).toBe('false');
    expect(readdirSync(join(workspace, 'data', 'downloads'))).toEqual([]);
  });

  test('keep-data fills the folder anyway, and keep-archive fetches the archive', async () => {
    const { run, written, workspace } = await countedFixture();
    const first = await run({ split: 'keep' });
    const second = await run({ split: 'keep', 'keep-data': 'true', 'keep-archive': 'true' });
    expect(second.exitCode, second.stdout).toBe(0);
    expect(written).toEqual([]);
    const manifest = join(workspace, 'data', 'results', 'manifest.csv');
    expect(second.outputs).toMatchObject({ changed: 'false', 'manifest-path': manifest });
    const sum = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(sum(manifest)).toBe(first.outputs['data-identity']);
    expect(readdirSync(join(workspace, 'data', 'results', 'train'))).toEqual(['Gomphonema', 'Hannaea']);
    expect(second.outputs['archive-path']).toBe(join(workspace, first.outputs['archive-name'] ?? ''));
    expect(sum(second.outputs['archive-path'] ?? '')).toBe(first.outputs['archive-sha256']);
    expect(readdirSync(workspace).sort()).toEqual(['data', first.outputs['archive-name']]);
  });
});

describe('something is new', () => {
  test.each<[string, Record<string, string>]>([
    ['force', { force: 'true' }],
    ['another option', { duplicates: 'drop' }],
    ['another share of test', { 'n-test': '4' }],
    ['another seed', { seed: 'other' }],
    ['another content of the archive', { 'archive-content': 'data' }],
  ])('%s', async (_, inputs) => {
    const { run } = await countedFixture();
    await run({ split: 'keep' });
    expect((await run({ split: 'keep', ...inputs })).outputs['changed']).toBe('true');
  });

  test('how wide a pixel is, which is set for each entry and stands in dataset.json', async () => {
    const { run, fileList, workspace } = await countedFixture();
    const first = await run({ split: 'keep' });
    const told = JSON.stringify(
      fileList.map((entry, index) => (index === 0 ? { ...entry, um_per_pixel: 0.5 } : entry)),
    );
    const second = await run({ split: 'keep', 'file-list': told, 'keep-data': 'true' });
    expect(second.outputs).toMatchObject({ changed: 'true', 'data-identity': first.outputs['data-identity'] });
    const text = readFileSync(join(workspace, 'data', 'results', 'dataset.json'), 'utf8');
    expect(text.match(/"um_per_pixel": 0.5/g)).toHaveLength(1);
    expect((await run({ split: 'keep', 'file-list': told })).outputs['changed']).toBe('false');
  });

  test('a zip that was written again, the archive is gone or cut short, or its record is damaged', async () => {
    const { run, zips, cloud, fileList, sent } = await countedFixture();
    const first = await run({ split: 'keep' });
    utimesSync(join(zips, 'hannaea-1.zip'), new Date(0), new Date(86_400_000));
    // The same bytes under another date: the content tells, and it is remembered.
    for (const isAsked of [true, false]) {
      expect((await run({ split: 'keep' })).outputs['changed']).toBe('false');
      expect(sent() > 100).toBe(isAsked);
    }
    const [entry] = fileList;
    const shorter = JSON.stringify([entry, fileList[2]]);
    const second = await run({ split: 'keep', 'file-list': shorter, 'keep-last': '5' });
    expect(second.outputs['changed']).toBe('true');
    const name = second.outputs['archive-name'] ?? '';
    writeFileSync(join(cloud.directory, `${name}.run.json`), '{');
    const third = await run({ split: 'keep', 'file-list': shorter });
    expect(third.outputs['changed']).toBe('true');
    const last = third.outputs['archive-name'] ?? '';
    writeFileSync(join(cloud.directory, last), readFileSync(join(cloud.directory, last)).subarray(1));
    expect((await run({ split: 'keep', 'file-list': shorter })).outputs['changed']).toBe('true');
    expect(first.outputs['archive-name']).not.toBe(last);
  });

  test('a zip that can’t be downloaded is red, not nothing new', async () => {
    const { run, breakLink } = await countedFixture();
    await run({ split: 'keep' });
    breakLink('hannaea-1.zip');
    expect(errorOf(await run({ split: 'keep' }))).toMatch(/^hannaea-1\.zip: .*404/);
  });
});
