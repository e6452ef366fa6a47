import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { contentsOf, errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sendFile, sha256 } from '../helpers/served-zip.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const LABELS = ['Cymbella', 'Hannaea', 'Navicula', 'Nitzschia'];
const IMAGES = 5;

/** Nothing compresses it, and it is the same everywhere. */
function noise(seed: string, bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(seed).digest();
}

/** All classes in one zip, as public sets come; the last image of the first is the first of the second, if so wanted. */
function setZip({ sharesImage = false } = {}): Buffer {
  const entries = LABELS.flatMap((label, at) =>
    Array.from({ length: IMAGES }, (_, index) => {
      const isShared = sharesImage && at === 1 && index === 0;
      return { name: `set/${label}/${index}.bmp`, data: bmp(isShared ? IMAGES - 1 : at * IMAGES + index) };
    }),
  );
  const besides = [
    { name: 'set/overview.bmp', data: bmp(999) },
    // Larger than what is read of a zip's end.
    { name: 'set/notes.txt', data: noise('notes', 900_000) },
  ];
  return buildZip({ entries: [...entries, ...besides] });
}

async function oneZipFixture(zip = setZip()) {
  const sources: { method: string; bytes: number }[] = [];
  const fixture = await prepareDataFixture({}, { validators: true, onAnswer: (answer) => sources.push(answer) });
  writeFileSync(join(fixture.zips, 'set.zip'), zip);
  const url = new URL('set.zip', fixture.fileList[0]?.file_url).href;
  const listed = LABELS.map((label) => ({
    file_url: url,
    downloaded_file_name: 'set.zip',
    exploded_folder_name: `set/${label}`,
    species_label: label,
  }));
  const every = [{ ...listed[0], exploded_folder_name: '*', species_label: '*' }];
  const run = (list: readonly object[], inputs: Record<string, string> = {}, workspace?: string) => {
    sources.length = 0;
    return fixture.run({ 'file-list': JSON.stringify(list), 'n-test': '1', ...inputs }, {}, workspace);
  };
  const sent = () => sources.reduce((sum, { bytes }) => sum + bytes, 0);
  return { ...fixture, run, sources, sent, zip, url, listed, every };
}

describe('entries with one zip', () => {
  test.each([
    ['under one name', () => 'set.zip'],
    ['under a name each', (label: string) => (label === 'Cymbella' ? 'set.zip' : `${label}.zip`)],
  ])('are one download and one copy, %s', async (_, nameOf) => {
    const { run, sent, zip, listed, workspace } = await oneZipFixture();
    const list = listed.map((entry) => ({ ...entry, downloaded_file_name: nameOf(entry.species_label) }));
    const result = await run(list, { 'keep-archive': 'true' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(result.outputs).toMatchObject({ 'train-count': '16', 'test-count': '4' });
    expect(sent()).toBeLessThan(1.6 * zip.length);
    expect(readdirSync(join(workspace, 'data', 'downloads'))).toEqual(['set.zip']);
    const archive = await contentsOf(join(workspace, result.outputs['archive-name'] ?? ''));
    expect([...archive.keys()].filter((path) => path.startsWith('downloads/'))).toEqual(['downloads/set.zip']);
    const manifest = archive.get('results/manifest.csv')?.toString() ?? '';
    expect(manifest.trimEnd().split('\n')).toHaveLength(1 + LABELS.length * IMAGES);
    expect(manifest).toContain(',set.zip,set/Nitzschia/0.bmp,');
  });

  test('“*” makes the same archive of them, and names what lies beside the folders', async () => {
    const { run, listed, every } = await oneZipFixture();
    const first = await run(listed, { upload: 'false' }, temporaryFolder());
    const second = await run(every, { upload: 'false' }, temporaryFolder());
    expect(second.exitCode, second.stdout).toBe(0);
    expect(second.outputs['data-identity']).toBe(first.outputs['data-identity']);
    expect(second.stdout).toContain(
      'set.zip: images beside the folders of classes are left out: 1 (set/overview.bmp).',
    );
  });

  test('have their own n_test each', async () => {
    const { run, listed } = await oneZipFixture();
    const list = listed.map((entry, index) => ({ ...entry, n_test: index }));
    const { outputs } = await run(list, { upload: 'false' });
    expect(outputs['test-count']).toBe('6');
  });

  test('under two addresses, with one SHA-256, are one download: the second is not even asked for', async () => {
    const { run, listed, url, zip } = await oneZipFixture();
    const list = listed.map((entry, index) => ({
      ...entry,
      sha256: sha256(zip),
      ...(index > 0 && { file_url: `${url}.gone`, downloaded_file_name: 'other.zip' }),
    }));
    const result = await run(list, { upload: 'false' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(result.outputs['train-count']).toBe('16');
  });

  test('stand together in the plan, wherever they are in the list', async () => {
    const { run, listed, fileList, uploaded } = await oneZipFixture();
    const list: object[] = [...listed.slice(0, 1), ...fileList.slice(2), ...listed.slice(1)];
    const result = await run(list, { 'archive-content': 'results', 'low-disk': 'true' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(uploaded().filter((path) => path.endsWith('.zip'))).toHaveLength(1);
  });

  test('with one image under two labels: the conflict is named', async () => {
    const { run, every } = await oneZipFixture(setZip({ sharesImage: true }));
    expect(errorOf(await run(every))).toMatch(
      /^The same image lies under two labels: set\.zip: set\/Cymbella\/4\.bmp .*and set\.zip: set\/Hannaea\/0\.bmp /,
    );
  });

  test('with one folder and one label twice: each image is there once where duplicates are dropped', async () => {
    const { run, listed } = await oneZipFixture();
    const result = await run([...listed, ...listed.slice(0, 1)], { upload: 'false', duplicates: 'drop' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(Number(result.outputs['train-count']) + Number(result.outputs['test-count'])).toBe(LABELS.length * IMAGES);
  });

  test('with group-by, which plans all at once', async () => {
    const { run, every } = await oneZipFixture();
    const result = await run(every, { upload: 'false', 'group-by': '([0-9])[.]bmp' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(Number(result.outputs['train-count']) + Number(result.outputs['test-count'])).toBe(LABELS.length * IMAGES);
  });
});

describe('a second run', () => {
  test.each(['listed', 'every'] as const)('with nothing new asks once, and downloads nothing: %s', async (kind) => {
    const fixture = await oneZipFixture();
    const { run, sources, sent } = fixture;
    // What a server says about a file that is younger than a second is no proof.
    await sleep(1_001 - (Date.now() % 1_000));
    const settings = { 'archive-content': 'results', 'keep-data': 'false' };
    expect((await run(fixture[kind], settings)).outputs['changed']).toBe('true');
    const second = await run(fixture[kind], settings);
    expect(second.outputs['changed'], second.stdout).toBe('false');
    expect(sources).toHaveLength(1);
    expect(sent()).toBe(0);
  });

  test('with another label for a folder is new', async () => {
    const { run, every } = await oneZipFixture();
    await run(every, { 'archive-content': 'results' });
    const second = await run([{ ...every[0], classes: { Hannaea: 'Hannaea_arcus' } }], {
      'archive-content': 'results',
    });
    expect(second.outputs['changed'], second.stdout).toBe('true');
    expect(second.outputs['classes']).toContain('Hannaea_arcus');
  });
});

test('low-disk deletes the zip when its last folder is in the archive, which is the same', async () => {
  const { run, every, workspace, uploaded, cloud } = await oneZipFixture();
  const kept = await run(every, { 'archive-content': 'results', upload: 'false' }, temporaryFolder());
  const result = await run(every, { 'archive-content': 'results', 'low-disk': 'true' });
  expect(result.exitCode, result.stdout).toBe(0);
  expect(result.outputs['archive-sha256']).toBe(kept.outputs['archive-sha256']);
  const archive = uploaded().find((path) => path.endsWith('.zip')) ?? '';
  expect(sha256(readFileSync(join(cloud.directory, archive)))).toBe(kept.outputs['archive-sha256']);
  expect(filesBelow(workspace).filter((path) => path.endsWith('.zip'))).toEqual([]);
});

test('a check asks for the zip once, and for its directory: in the end of it, and whole', async () => {
  const { run, listed, every, sources } = await oneZipFixture();
  const checked = await run(listed, { check: 'true' });
  expect(checked.exitCode, checked.stdout).toBe(0);
  expect(sources).toHaveLength(3);
  expect(checked.stdout).toContain('1 zip, 4 labels');
  expect((await run(every, { check: 'true' })).stdout).toContain(
    'Its folders: Cymbella (5 images), Hannaea (5 images)',
  );
});

test('a second folder is organised while the zip is still on its way', async () => {
  const names = ['a/1', 'a/2', 'a/3', 'a/4', 'b/1', 'b/2', 'b/3', 'b/4', 'b/5', 'b/6'];
  const zip = buildZip({ entries: names.map((name) => ({ name: `${name}.png`, data: noise(name, 4e6) })) });
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await startServer(async (request, response) => {
    if (request.method === 'HEAD' || request.headers.range?.startsWith('bytes=-')) {
      sendFile(request, response, zip, { etag: '"1"', ranges: true });
      return;
    }
    response.writeHead(200, { etag: '"1"', 'accept-ranges': 'bytes', 'content-length': zip.length });
    response.write(zip.subarray(0, 30e6));
    await promise;
    response.end(zip.subarray(30e6));
  });
  onTestFinished(() => server.close());
  const { start, workspace } = await prepareDataFixture();
  const entry = { file_url: `${server.origin}/a.zip`, downloaded_file_name: 'a.zip' };
  const list = [{ ...entry, exploded_folder_name: '*', species_label: '*' }];
  const inputs = { 'archive-content': 'results', upload: 'false', 'n-test': '1' };
  const action = start({ ...inputs, 'file-list': JSON.stringify(list) });
  const organised = () =>
    ['train/b', 'test/b'].flatMap((folder) => {
      const path = join(workspace, 'data', 'results', folder);
      return existsSync(path) ? readdirSync(path) : [];
    });
  const ended = action.result.then(({ stdout }) => stdout);
  while (organised().length < 3) {
    expect(await Promise.race([ended, sleep(10)])).toBeUndefined();
  }
  expect(readdirSync(join(workspace, 'data', 'downloads'))).not.toContain('a.zip');
  resolve();
  const { exitCode, outputs } = await action.result;
  expect({ exitCode, train: outputs['train-count'] }).toEqual({ exitCode: 0, train: '8' });
});
