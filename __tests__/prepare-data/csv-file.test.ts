import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type DatasetImage, MANIFEST_HEADER, manifestLine } from '../../src/dataset/manifest.ts';
import { createCsvFile } from '../../src/prepare-data/csv-file.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';

function image(index: number): DatasetImage {
  return {
    path: `train/Hannaea/${index}.png`,
    label: 'Hannaea',
    split: 'train',
    sha256: 'ab'.repeat(32),
    bytes: index,
    width: 140,
    height: 30,
    sourceZip: 'h.zip',
    sourcePath: `Hannaea/${index}.png`,
    group: undefined,
    fault: undefined,
    crc32: 0xbeef,
  };
}

test('every image gets its line, in order, however many there are and come at a time', async () => {
  const lines = Array.from({ length: 2_000 }, (_, index) => manifestLine(image(index)));
  const manifest = await createCsvFile(join(temporaryFolder('manifest'), 'manifest.csv'), MANIFEST_HEADER);
  let given = 0;
  for (let some = 0; given < lines.length; some++) {
    await manifest.add(lines.slice(given, given + some).join(''));
    given += some;
  }
  await manifest.finish();
  expect(await readFile(manifest.path, 'utf8')).toBe(MANIFEST_HEADER + lines.join(''));
});

test('a place that can’t be written is named, at once or in the end', async () => {
  const path = join(temporaryFolder('manifest'), 'manifest.csv');
  const failure = { code: 'DISK', message: expect.stringContaining(path) };
  await expect(createCsvFile(join(path, 'a.csv'), MANIFEST_HEADER)).rejects.toMatchObject(failure);
  mkdirSync(path);
  const manifest = await createCsvFile(path, MANIFEST_HEADER);
  await expect(manifest.finish()).rejects.toMatchObject(failure);
});

test('it has its name when it is whole, and not before', async () => {
  const folder = temporaryFolder('manifest');
  const manifest = await createCsvFile(join(folder, 'manifest.csv'), MANIFEST_HEADER);
  await manifest.add('a\n'.repeat(100_000));
  expect(readdirSync(folder)).toEqual(['manifest.csv.part']);
  expect(await manifest.finish()).toBe(sha256(readFileSync(manifest.path)));
  expect(readdirSync(folder)).toEqual(['manifest.csv']);
  const other = await createCsvFile(join(folder, 'other.csv'), MANIFEST_HEADER);
  await other.abort();
  expect(readdirSync(folder)).toEqual(['manifest.csv']);
});

test('it may be given up at any time, also after its end', async () => {
  const manifest = await createCsvFile(join(temporaryFolder('manifest'), 'manifest.csv'), MANIFEST_HEADER);
  await manifest.add(manifestLine(image(1)));
  await manifest.abort();
  await manifest.abort();
});
