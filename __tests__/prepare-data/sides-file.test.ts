import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKnownImages } from '../../src/dataset/known-images.ts';
import { MANIFEST_HEADER, manifestLine } from '../../src/dataset/manifest.ts';
import { formatSides, type KnownImage, parseSides } from '../../src/dataset/sides.ts';
import { writeSides } from '../../src/prepare-data/sides-file.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const sumOf = (index: number) => createHash('sha256').update(String(index)).digest('hex');

function image(index: number) {
  return {
    path: `train/Größe, “ä”/${index}.png`,
    label: 'Größe, “ä”',
    split: 'train' as const,
    sha256: sumOf(index),
    bytes: index,
    width: 140,
    height: 30,
    sourceZip: 'h.zip',
    sourcePath: `"quoted", ${index}\u2028.png`,
    group: index % 2 === 0 ? `Größe, “ä”/s"${index}` : undefined,
    fault: undefined,
    crc32: index,
  };
}

test('every image of a manifest has its row, wherever the manifest is cut when it is read, and so has all that is gone', async () => {
  const folder = temporaryFolder('sides');
  const [manifest, path] = [join(folder, 'manifest.csv'), join(folder, 'a.zip.sides.csv')];
  // Some pieces of 64 KiB.
  const images = Array.from({ length: 3_000 }, (_, index) => image(index));
  writeFileSync(manifest, MANIFEST_HEADER + images.map(manifestLine).join(''));
  const gone: KnownImage = {
    sha256: undefined,
    crc32: 9_999,
    bytes: 1,
    side: 'test',
    group: undefined,
    label: 'Other',
  };
  await writeSides(path, { manifest, broken: [], known: createKnownImages([gone]), isGrouped: true });
  const rows = images.map(({ split: side, sha256, crc32, bytes, group, label }): KnownImage => {
    return { sha256, crc32, bytes, side, group, label };
  });
  const text = readFileSync(path, 'utf8');
  expect(text).toBe(formatSides([...rows, { ...gone, label: undefined }]));
  expect(parseSides(text, path)).toHaveLength(3_001);
});

test('a place that can’t be written is named', async () => {
  const folder = temporaryFolder('sides');
  const [manifest, path] = [join(folder, 'manifest.csv'), join(folder, 'a.zip.sides.csv')];
  writeFileSync(manifest, MANIFEST_HEADER);
  mkdirSync(path);
  const options = { manifest, broken: [], known: createKnownImages([]), isGrouped: false };
  await expect(writeSides(path, options)).rejects.toMatchObject({
    code: 'DISK',
    message: expect.stringContaining(path),
  });
});
