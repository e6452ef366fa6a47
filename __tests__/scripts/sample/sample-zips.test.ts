import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { imageSize } from 'image-size';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPromise } from 'yauzl';
import { encodePng } from '../../../scripts/sample/png.ts';
import { createSample, type Sample } from '../../../scripts/sample/sample-zips.ts';
import { parseFileList } from '../../../src/dataset/file-list.ts';

let folder: string;
let sample: Sample;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diatom-sample-'));
  sample = await createSample(join(folder, 'first'));
});

afterAll(() => rm(folder, { recursive: true }));

async function namesIn(zip: string): Promise<string[]> {
  const names: string[] = [];
  const opened = await openPromise(zip);
  for await (const entry of opened.eachEntry()) names.push(entry.fileName);
  return names;
}

test('the sample has at least six species, and zips that fit its file list', () => {
  const list = parseFileList(JSON.stringify(sample.fileList('http://127.0.0.1:8000/')), 'sample');
  expect(new Set(list.map((entry) => entry.speciesLabel)).size).toBeGreaterThanOrEqual(6);
  expect(list.map((entry) => entry.downloadedFileName)).toEqual(sample.zips.map((zip) => basename(zip)));
  expect(list[0]?.fileUrl).toBe('http://127.0.0.1:8000/navicula-2024.zip');
});

test('the sample is small, and the same bytes in every run', async () => {
  const again = await createSample(join(folder, 'second'));
  let bytes = 0;
  for (const [index, zip] of sample.zips.entries()) {
    const data = await readFile(zip);
    bytes += data.length;
    expect(data.equals(await readFile(again.zips[index] ?? ''))).toBe(true);
  }
  expect(bytes).toBeLessThan(5_000_000);
});

test('a checksum in the file list is that of the zip', async () => {
  const [entry] = sample.fileList('http://127.0.0.1/').filter(({ sha256 }) => sha256 !== undefined);
  const zip = sample.zips.find((path) => basename(path) === entry?.downloaded_file_name) ?? '';
  expect(
    createHash('sha256')
      .update(await readFile(zip))
      .digest('hex'),
  ).toBe(entry?.sha256);
});

test('the zips have the quirks of real ones', async () => {
  const names = (await Promise.all(sample.zips.map(namesIn))).map((list) => list.join('\n'));
  const all = names.join('\n');
  for (const quirk of ['__MACOSX/', '/.DS_Store', '/Thumbs.db', '/README.txt', 'export/crops/', '(copy)']) {
    expect(all).toContain(quirk);
  }
  expect(all).toContain('gomphonema_truncatum/');
  expect(
    sample
      .fileList('http://127.0.0.1/')
      .some(({ exploded_folder_name }) => exploded_folder_name === 'Gomphonema_truncatum'),
  ).toBe(true);
  expect(names.filter((list) => list.includes('/slide-01/image_001.png'))).toHaveLength(2);
});

test('a PNG of either kind has its size, its kind and its pixels', () => {
  const grey = encodePng({ width: 3, height: 2, channels: 1, pixels: new Uint8Array([0, 128, 255, 5, 4, 3]) });
  expect(imageSize(grey)).toMatchObject({ width: 3, height: 2, type: 'png' });
  expect(grey.readUInt8(25)).toBe(0);
  // Each row begins with its filter; “Sub” keeps the difference to the pixel on the left.
  expect([...inflateSync(grey.subarray(41, 41 + grey.readUInt32BE(33)))]).toEqual([1, 0, 128, 127, 1, 5, 255, 255]);

  const colour = encodePng({ width: 2, height: 1, channels: 3, pixels: new Uint8Array([1, 2, 3, 4, 6, 8]) });
  expect(imageSize(colour)).toMatchObject({ width: 2, height: 1 });
  expect(colour.readUInt8(25)).toBe(2);
  expect([...inflateSync(colour.subarray(41, 41 + colour.readUInt32BE(33)))]).toEqual([1, 1, 2, 3, 3, 4, 5]);
});
