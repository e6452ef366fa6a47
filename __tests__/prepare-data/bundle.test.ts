import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { archiveName } from '../../src/dataset/archive-names.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { contentsOf, expectNoSecrets, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp, IMAGES } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const ARCHIVE = /^diatom_set-\d{4}(-\d\d){5}\.zip$/;

/** The lines of a manifest as objects by column; none of the tiny data set's names needs quotes. */
function readManifest(path: string): Record<string, string>[] {
  const [header = [], ...rows] = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(header.map((column, index) => [column, row[index] ?? ''])));
}

const sumOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The manifest tells every image, with what is really there. */
function expectTold(
  manifest: readonly Record<string, string>[],
  archive: ReadonlyMap<string, Buffer>,
  onDisk: readonly string[],
  zips: readonly string[],
): void {
  expect(manifest).toHaveLength(IMAGES);
  const sha256 = (content: Buffer | undefined) =>
    createHash('sha256')
      .update(content ?? '')
      .digest('hex');
  for (const line of manifest) {
    const content = archive.get(`results/${line['path']}`);
    expect(line['sha256']).toBe(sha256(content));
    expect(line['bytes']).toBe(String(content?.length));
    expect(line['path']?.split('/').slice(0, 2)).toEqual([line['split'], line['label']]);
    const isBroken = line['source_path']?.endsWith('.png');
    expect([line['width'], line['height']]).toEqual(isBroken ? ['', ''] : ['6', '4']);
  }
  const perZip = (zip: string) =>
    manifest.filter((line) => line['source_zip'] === zip && line['split'] === 'test').length;
  expect(zips.map(perZip)).toEqual([3, 3, 3]);

  // Every file under results is in the manifest, or one of the three descriptions.
  expect(onDisk.filter((path) => path.startsWith('results/'))).toEqual(
    [...manifest.map((line) => line['path']), 'dataset.json', 'manifest.csv', 'report.html']
      .map((path) => `results/${path}`)
      .sort(),
  );
}

/** What a person reads in the summary and the log. */
function expectReadable({ summary, stdout }: { readonly summary: string; readonly stdout: string }): void {
  expect(summary).toContain('| Hannaea | 15 | 6 | 21 |');
  expect(summary).toContain('verified by checksum');
  expect(summary).toContain('hannaea-2.zip: the folder “a\u0308” was found as “ä”.');
  expect(summary).toContain('gomphonema.zip: the folder “gomphonema” was found as “export/Gomphonema”.');
  expect(summary).toMatch(/\| system file \| 2 \| hannaea-1\.zip: Hannaea\/\.DS\\_Store<br>/);
  expect(summary).toMatch(/\| not an image \| 1 \| hannaea-1\.zip: Hannaea\/readme\.txt \|/);
  expect(summary).toMatch(/\| outside the folder \| 1 \| gomphonema\.zip: export\/other\/99\.bmp \|/);
  expect(summary).toContain(
    '1 broken image is in the data set anyway (broken-images: keep). gomphonema.zip: export/Gomphonema/s1\\_broken.png is a text',
  );
  expect(summary).toContain('Fewer than 30 training images');
  for (const stage of ['Sign in', 'Plan', 'Download, organise and archive', 'Upload']) {
    expect(stdout).toContain(`::group::${stage}\n`);
  }
  expect(stdout).toMatch(/::warning::.*was found as “export\/Gomphonema”/);
}

describe('the shipped bundle, started as a runner does', () => {
  test('downloads, organises, archives, uploads, verifies, and then deletes the local archive', async () => {
    const { run, workspace, uploaded, cloud, fileList } = await prepareDataFixture();
    const result = await run({ 'owncloud-folder': 'data sets/2026' });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });

    const { outputs } = result;
    const name = outputs['archive-name'] ?? '';
    expect(name).toMatch(ARCHIVE);
    expect(outputs).toEqual({
      'archive-name': name,
      'archive-path': '',
      'archive-url': `${cloud.url}/remote.php/dav/files/ada/data%20sets/2026/${name}`,
      'archive-sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
      'archive-bytes': expect.stringMatching(/^\d+$/),
      changed: 'true',
      'data-identity': sumOf(join(workspace, 'data', 'results', 'manifest.csv')),
      'data-dir': join(workspace, 'data'),
      'manifest-path': join(workspace, 'data', 'results', 'manifest.csv'),
      seed: 'demo',
      'train-count': String(IMAGES - 9),
      'test-count': '9',
      classes: '{"Gomphonema":{"train":7,"test":3},"Hannaea":{"train":15,"test":6}}',
    });

    // What is on the server is what was reported, and nothing else is there.
    expect(uploaded()).toEqual([`data sets/2026/${name}`, `data sets/2026/${name}.run.json`]);
    const remote = readFileSync(join(cloud.directory, 'data sets', '2026', name));
    expect(createHash('sha256').update(remote).digest('hex')).toBe(outputs['archive-sha256']);
    expect(String(remote.length)).toBe(outputs['archive-bytes']);

    // The workspace keeps the data and no archive; the archive holds exactly the data.
    const onDisk = filesBelow(join(workspace, 'data')).filter((path) => path !== '.diatom-actions');
    expect(filesBelow(workspace)).toEqual(['data/.diatom-actions', ...onDisk.map((path) => `data/${path}`)].sort());
    const archive = await contentsOf(join(cloud.directory, 'data sets', '2026', name));
    expect([...archive.keys()].sort()).toEqual(onDisk);
    for (const [path, content] of archive)
      expect(readFileSync(join(workspace, 'data', path)).equals(content)).toBe(true);
    expect(onDisk.filter((path) => path.startsWith('downloads/'))).toEqual(
      ['gomphonema.zip', 'hannaea-1.zip', 'hannaea-2.zip'].map((zip) => `downloads/${zip}`),
    );

    const manifest = readManifest(outputs['manifest-path'] ?? '');
    expectTold(
      manifest,
      archive,
      onDisk,
      fileList.map((entry) => entry.downloaded_file_name),
    );
    expectReadable(result);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });

  test('identical images and specimens stay on one side, also across zips', async () => {
    const { workspace, run } = await prepareDataFixture();
    for (const seed of ['1', '2', '3']) {
      const { outputs, exitCode, stdout } = await run({
        seed,
        upload: 'false',
        'group-by': '(s\\d)_|(slide \\d)',
        'archive-prefix': `seed_${seed}`,
      });
      expect(exitCode, stdout).toBe(0);
      const manifest = readManifest(join(workspace, 'data', 'results', 'manifest.csv'));
      for (const column of ['sha256', 'group']) {
        const sides = Map.groupBy(manifest, (line) => line[column]);
        for (const lines of sides.values()) expect(new Set(lines.map((line) => line['split'])).size).toBe(1);
      }
      expect(outputs['seed']).toBe(seed);
    }
  });

  test('an archive of the results holds train and test at its root, without the zips', async () => {
    const { run, workspace } = await prepareDataFixture();
    const { outputs } = await run({ 'archive-content': 'results', upload: 'false', 'archive-prefix': 'Grüne Algen' });
    expect(outputs['archive-name']).toMatch(/^Grüne Algen-/);
    expect(outputs['archive-path']).toBe(join(workspace, outputs['archive-name'] ?? ''));
    expect(outputs['archive-url']).toBe('');
    const names = [...(await contentsOf(outputs['archive-path'] ?? '')).keys()].sort();
    expect(names).toEqual(filesBelow(join(workspace, 'data', 'results')));
    expect(new Set(names.map((name) => name.split('/')[0]))).toEqual(
      new Set(['train', 'test', 'manifest.csv', 'dataset.json', 'report.html']),
    );
  });

  test('copies are dropped and counted', async () => {
    const { run, workspace } = await prepareDataFixture();
    const { outputs, summary } = await run({ duplicates: 'drop', upload: 'false' });
    expect(Number(outputs['train-count']) + Number(outputs['test-count'])).toBe(IMAGES - 1);
    expect(summary).toContain('| duplicate | 1 | hannaea-2.zip: ä/s1\\_copy of 03 in hannaea-1.BMP |');
    const hashes = readManifest(join(workspace, 'data', 'results', 'manifest.csv')).map((line) => line['sha256']);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('keep-archive keeps the local archive', async () => {
    const { run, workspace, uploaded } = await prepareDataFixture();
    const { outputs } = await run({ 'keep-archive': 'true' });
    const name = outputs['archive-name'] ?? '';
    expect(outputs['archive-path']).toBe(join(workspace, name));
    expect(filesBelow(workspace)).toContain(name);
    expect(uploaded()).toEqual([name, `${name}.run.json`]);
  });

  test('a run in whose second an archive lies already, here or on the server, waits for the next', async () => {
    const { run, workspace, cloud, uploaded } = await prepareDataFixture();
    const names = [0, 1, 2, 3, 4].map((seconds) => archiveName('diatom_set', new Date(Date.now() + seconds * 1_000)));
    for (const name of names.slice(0, 3)) writeFileSync(join(workspace, name), 'of another run');
    for (const name of names.slice(3)) writeFileSync(join(cloud.directory, name), 'of another run');
    const { outputs, stdout } = await run({ 'owncloud-folder': '/' });
    expect(names, stdout).not.toContain(outputs['archive-name']);
    expect(uploaded()).toContain(outputs['archive-name']);
    for (const name of names.slice(0, 3)) expect(readFileSync(join(workspace, name), 'utf8')).toBe('of another run');
  });

  test('keep-last deletes older archives of this prefix, and nothing else', async () => {
    const { run, cloud, uploaded } = await prepareDataFixture();
    const others = ['diatom_set-notes.txt', 'other-2026-01-01-00-00-00.zip', 'diatom_set_b-2020-01-01-00-00-00.zip'];
    const old = ['2021', '2022', '2023'].map((year) => `diatom_set-${year}-01-01-00-00-00.zip`);
    for (const name of [...others, ...old]) writeFileSync(join(cloud.directory, name), name);
    const { outputs, summary } = await run({ 'keep-last': '1' });
    const name = outputs['archive-name'] ?? '';
    expect(uploaded()).toEqual([...others, ...old.slice(2), name, `${name}.run.json`].sort());
    expect(summary).toContain('diatom\\_set-2021-01-01-00-00-00.zip');
  });

  test('a second run replaces the first, and takes unchanged zips from the tool cache', async () => {
    const { run, workspace, zips } = await prepareDataFixture();
    const toolCache = { RUNNER_TOOL_CACHE: temporaryFolder('tool-cache') };
    const first = await run({ upload: 'false' }, toolCache);
    expect(first.stdout).not.toContain('from the cache');
    writeFileSync(join(workspace, 'data', 'results', 'train', 'left-over.png'), 'x');
    const second = await run({ 'archive-prefix': 'second', upload: 'false' }, toolCache);
    expect(second.stdout.match(/\(unchanged, from the cache\)/g)).toHaveLength(3);
    expect(second.outputs['archive-sha256']).toBe(first.outputs['archive-sha256']);
    expect(filesBelow(join(workspace, 'data')).some((path) => path.includes('left-over'))).toBe(false);
    writeFileSync(join(zips, 'gomphonema.zip'), readFileSync(join(zips, 'hannaea-1.zip')));
    const third = await run(
      { 'archive-prefix': 'third', upload: 'false', cache: 'false', 'dry-run': 'true' },
      toolCache,
    );
    expect(third.stdout).not.toContain('from the cache');
  });

  test('manifest, description and report become an artifact when it has a name', async () => {
    const { run, workspace } = await prepareDataFixture();
    const service = await startArtifactServer();
    const { exitCode } = await run({ 'artifact-name': 'diatoms', upload: 'false' }, service.environment);
    expect(exitCode).toBe(0);
    const path = join(temporaryFolder(), 'artifact.zip');
    writeFileSync(path, service.artifacts.get('diatoms')?.zip ?? '');
    const contents = await contentsOf(path);
    expect([...contents.keys()]).toEqual(['dataset.json', 'manifest.csv', 'report.html']);
    for (const [name, content] of contents) {
      expect(content.equals(readFileSync(join(workspace, 'data', 'results', name)))).toBe(true);
    }
  });

  test('an image too large to be held in memory is hashed, measured and archived like any other', async () => {
    const { run, workspace, replaceZip } = await prepareDataFixture();
    const large = Buffer.concat([bmp(1), Buffer.alloc(65 * 2 ** 20, 'diatom')]);
    const entries = [large, bmp(201), bmp(202), bmp(203)].map((data, index) => ({
      name: `Gomphonema/${index}.bmp`,
      data,
    }));
    replaceZip('gomphonema.zip', buildZip({ entries }));
    const { exitCode, outputs } = await run({ upload: 'false', 'archive-content': 'results' });
    expect(exitCode).toBe(0);
    const line = readManifest(outputs['manifest-path'] ?? '').find(({ bytes }) => bytes === String(large.length));
    const sha256 = createHash('sha256').update(large).digest('hex');
    expect(line).toMatchObject({ sha256, width: '6', height: '4', source_path: 'Gomphonema/0.bmp' });
    const path = line?.['path'] ?? '';
    expect(readFileSync(join(workspace, 'data', 'results', path)).equals(large)).toBe(true);
    expect((await contentsOf(outputs['archive-path'] ?? '')).get(path)?.equals(large)).toBe(true);
  });

  test('the archive becomes an artifact as it is, under its own name, where that is wanted', async () => {
    const { run } = await prepareDataFixture();
    const service = await startArtifactServer();
    const wanted = { 'artifact-name': 'diatoms', 'artifact-content': 'archive', upload: 'false' };
    const { exitCode, outputs } = await run(wanted, service.environment);
    expect(exitCode).toBe(0);
    const { 'archive-name': name = '', 'archive-path': path = '' } = outputs;
    expect([...service.artifacts.keys()]).toEqual(['diatoms', name]);
    expect(service.artifacts.get(name)?.zip.equals(readFileSync(path))).toBe(true);
  });

  test('an artifact that can’t be uploaded is a warning', async () => {
    const { run } = await prepareDataFixture();
    const result = await run({ 'artifact-name': 'diatoms' });
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toMatch(/::warning::Artifact “diatoms” was not uploaded: .*ACTIONS_RUNTIME_TOKEN/);
    expect(result.outputs['archive-url']).not.toBe('');
  });

  test('a list packed as base64 of gzip, or in a file of the workspace, gives the same archive', async () => {
    const { run, workspace, fileList } = await prepareDataFixture();
    const packed = await run({ 'file-list': gzipSync(JSON.stringify(fileList)).toString('base64'), upload: 'false' });
    writeFileSync(join(workspace, 'list.json'), JSON.stringify(fileList, null, 2));
    const read = await run({ 'file-list': '', 'file-list-path': 'list.json', 'archive-prefix': 'b', upload: 'false' });
    expect(packed.exitCode).toBe(0);
    expect(read.outputs['archive-sha256']).toBe(packed.outputs['archive-sha256']);
  });
});

describe('a dry run', () => {
  test('downloads and shows the split; there is no archive and no upload, and no server is needed', async () => {
    const { run, workspace, uploaded, fileList } = await prepareDataFixture();
    const none = { 'owncloud-url': '', 'owncloud-username': '', 'owncloud-password': '' };
    const result = await run({ 'dry-run': 'true', ...none });
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({
      'train-count': '22',
      'test-count': '9',
      'archive-name': '',
      'archive-sha256': '',
    });
    expect(result.summary).toContain('dry run: nothing archived, nothing uploaded');
    expect(result.summary).toContain('| Hannaea | 15 | 6 | 21 |');
    expect(uploaded()).toEqual([]);
    expect(filesBelow(workspace)).toEqual([
      'data/.diatom-actions',
      ...fileList.map((entry) => `data/downloads/${entry.downloaded_file_name}`).sort(),
    ]);
  });

  test('shows the split that the run with this seed then makes', async () => {
    const { run } = await prepareDataFixture();
    const dry = await run({ 'dry-run': 'true', 'group-by': '(s\\d)_|(slide \\d)' });
    const real = await run({ upload: 'false', 'group-by': '(s\\d)_|(slide \\d)' });
    expect(real.outputs['classes']).toBe(dry.outputs['classes']);
  });
});

describe('a check', () => {
  test('is green when a run would succeed, and leaves nothing behind', async () => {
    const { run, workspace, uploaded, fileList } = await prepareDataFixture();
    const result = await run({ check: 'true', 'owncloud-folder': 'data sets' });
    expect(result.exitCode).toBe(0);
    const rows = result.summary.split('\n').filter((line) => line.startsWith('| ✅'));
    expect(rows.map((row) => row.split('|')[2]?.trim())).toEqual([
      'File list',
      'hannaea-1.zip',
      'hannaea-2.zip',
      'gomphonema.zip',
      'data-dir',
      'ownCloud',
      'Disk',
    ]);
    expect(result.summary).not.toContain('❌');
    expect(result.summary).toContain('3 zips, 2 labels');
    expect(result.summary).toMatch(/signed in, wrote and deleted a file in “data sets”/);
    expect(filesBelow(workspace)).toEqual([]);
    expect(uploaded()).toEqual([]);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });

  test('is red with a sentence for each fault, all at once, and the others still looked at', async () => {
    const { run, workspace, fileList, breakLink, replaceZip } = await prepareDataFixture();
    breakLink('hannaea-1.zip');
    replaceZip('gomphonema.zip', '<!DOCTYPE html><title>Sign in to your account</title>');
    writeFileSync(join(workspace, 'thesis.docx'), 'x');
    const result = await run({ check: 'true', 'owncloud-password': 'wrong', 'data-dir': '..' });
    expect(result.exitCode).toBe(1);
    const rows = result.summary.split('\n').filter((line) => line.startsWith('| ❌'));
    expect(rows.map((row) => row.split('|')[2]?.trim())).toEqual([
      'hannaea-1.zip',
      'gomphonema.zip',
      'data-dir',
      'ownCloud',
    ]);
    expect(rows[0]).toContain('404');
    expect(rows[1]).toMatch(/page/);
    expect(rows[2]).toContain('allowed is a folder inside the workspace');
    expect(result.summary).toContain('| ✅ | hannaea-2.zip |');
    const errors = result.stdout.split('\n').filter((line) => line.startsWith('::error::'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      /^::error::A run would fail:%0A- hannaea-1\.zip: .+%0A- gomphonema\.zip: .+%0A- data-dir: .+%0A- ownCloud: /,
    );
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });
});
