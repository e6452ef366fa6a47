import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { contentsOf, errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const RESULTS = { 'archive-content': 'results' };

test('keep-data: false writes no images, and the same archive', async () => {
  const { run, workspace, uploaded, cloud } = await prepareDataFixture();
  const kept = await run({ ...RESULTS, upload: 'false' }, {}, temporaryFolder());
  const result = await run({ ...RESULTS, 'keep-data': 'false' });
  expect(result.exitCode).toBe(0);
  expect(result.outputs['archive-sha256']).toBe(kept.outputs['archive-sha256']);
  expect(readdirSync(join(workspace, 'data', 'results')).toSorted()).toEqual([
    'dataset.json',
    'manifest.csv',
    'report.html',
  ]);
  const [archive = ''] = uploaded();
  expect((await contentsOf(join(cloud.directory, archive))).size).toBe(34);
});

// Linux is where parts of a file can be freed.
describe.runIf(process.platform === 'linux')('low-disk', () => {
  test('uploads the same archive, and keeps neither zips nor images nor archive', async () => {
    const { run, workspace, uploaded, cloud } = await prepareDataFixture();
    const kept = await run({ ...RESULTS, upload: 'false' }, {}, temporaryFolder());
    const result = await run({ ...RESULTS, 'low-disk': 'true' });
    expect(result).toMatchObject({ exitCode: 0, outputs: { 'archive-sha256': kept.outputs['archive-sha256'] } });
    const [archive = ''] = uploaded();
    expect(sha256(readFileSync(join(cloud.directory, archive)))).toBe(kept.outputs['archive-sha256']);
    expect(filesBelow(workspace)).toEqual([
      'data/.diatom-actions',
      'data/results/dataset.json',
      'data/results/manifest.csv',
      'data/results/report.html',
    ]);
  });

  test('a zip that can’t be downloaded ends the run: the others would wait for it for ever', async () => {
    const { run, breakLink, workspace } = await prepareDataFixture();
    breakLink('hannaea-1.zip');
    const result = await run({ ...RESULTS, 'low-disk': 'true' });
    expect(errorOf(result)).toMatch(/^hannaea-1\.zip: .*404/);
    expect(readdirSync(workspace)).toEqual(['data']);
  });

  test('needs no more room than the largest zip and 300 MB, however large the data set is', async () => {
    const { start, zips, workspace, fileList } = await prepareDataFixture();
    // 14 zips of 30 MB: 420 MB of images, none like another but one, which the first zip and the last have.
    const entries = writeZips(zips, fileList, { count: 14, extension: 'png', copy: true });
    const action = start({ ...RESULTS, 'low-disk': 'true', 'file-list': JSON.stringify(entries) });
    let running = true;
    const ended = action.result.finally(() => {
      running = false;
    });
    let peak = 0;
    while (running) {
      peak = Math.max(peak, blocksBelow(workspace));
      await sleep(20);
    }
    const result = await ended;
    expect(result).toMatchObject({ exitCode: 0, outputs: { 'train-count': String(14 * 27) } });
    expect(Number(result.outputs['archive-bytes'])).toBeGreaterThan(420e6);
    expect(peak).toBeLessThan(330e6);
  });

  test('comes to its end when the archive is much smaller than the images', async () => {
    const { run, zips, fileList, uploaded, cloud } = await prepareDataFixture();
    const entries = writeZips(zips, fileList, { count: 8, extension: 'bmp', isPlain: true });
    const result = await run({ ...RESULTS, 'low-disk': 'true', 'file-list': JSON.stringify(entries) });
    expect(result).toMatchObject({ exitCode: 0, outputs: { 'train-count': String(8 * 27) } });
    expect(Number(result.outputs['archive-bytes'])).toBeLessThan(10e6);
    const [archive = ''] = uploaded();
    expect(sha256(readFileSync(join(cloud.directory, archive)))).toBe(result.outputs['archive-sha256']);
  });

  test('a failed upload ends the run with what the server says, and leaves nothing', async () => {
    const { run, workspace, uploaded } = await prepareDataFixture({
      hook: ({ method }) => (method === 'PUT' ? { status: 507 } : undefined),
    });
    const message = errorOf(await run({ ...RESULTS, 'low-disk': 'true' }));
    expect(message).toMatch(/\b(space|quota|full)\b/);
    expect(message).not.toContain('is kept at');
    expect(filesBelow(workspace).filter((path) => path.endsWith('.zip'))).toEqual([]);
    expect(uploaded()).toEqual([]);
  });

  test.each([
    [{ 'archive-content': 'data' }, /^Input low-disk: true does not go with archive-content: data/],
    [{ 'keep-archive': 'true' }, /^Input low-disk: true does not go with keep-archive: true/],
    [{ upload: 'false' }, /^Input low-disk: true does not go with upload: false/],
  ])('does not go with %o', async (inputs, message) => {
    const { run, workspace } = await prepareDataFixture();
    expect(errorOf(await run({ ...RESULTS, 'low-disk': 'true', ...inputs }))).toMatch(message);
    expect(filesBelow(workspace)).toEqual([]);
  });

  test('is refused where the server takes no pieces, before anything is downloaded', async () => {
    const { run, workspace } = await prepareDataFixture({ chunking: false });
    expect(errorOf(await run({ ...RESULTS, 'low-disk': 'true' }))).toMatch(/takes no file that still grows/);
    expect(filesBelow(workspace)).toEqual([]);
  });
});

interface Zips {
  readonly count: number;
  readonly extension: string;
  /** Whether one of the last zip is the first of the first. */
  readonly copy?: boolean;
  /** Whether each is one byte, again and again. */
  readonly isPlain?: boolean;
}

/** Zips of 30 images of 1 MB, none like another, and their file list. */
function writeZips(
  folder: string,
  fileList: readonly { readonly file_url: string }[],
  { count, extension, copy = false, isPlain = false }: Zips,
) {
  const base = fileList[0]?.file_url ?? '';
  const isCopy = (index: number, image: number) => copy && image === 0 && index === count - 1;
  return Array.from({ length: count }, (_, index) => {
    const name = `zip-${index}.zip`;
    const entries = Array.from({ length: 30 }, (_, image) => ({
      name: `a/${image}.${extension}`,
      data: Buffer.alloc(1e6, isPlain ? 30 * index + image : isCopy(index, image) ? '0 0' : `${index} ${image}`),
    }));
    writeFileSync(join(folder, name), buildZip({ entries }));
    return {
      file_url: new URL(name, base).href,
      downloaded_file_name: name,
      exploded_folder_name: 'a',
      species_label: 'Hannaea',
    };
  });
}

/** Room that the files of a folder take on the disk, in bytes. */
function blocksBelow(folder: string): number {
  let bytes = 0;
  for (const path of filesBelow(folder)) {
    try {
      bytes += statSync(join(folder, path)).blocks * 512;
    } catch {
      // It was deleted a moment ago.
    }
  }
  return bytes;
}
