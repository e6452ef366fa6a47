import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createWrittenLength } from '../../src/files/written-length.ts';
import { createUnpacker, type UnpackOptions } from '../../src/train-model/unpack.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const PATHS = ['train/a/1.png', 'train/b/1.png', 'test/a/2.png', 'test/b/2.png'];

/** Each image is a job of its own. */
const zipOf = (letter: string, paths = PATHS) =>
  buildZip({ entries: paths.map((name) => ({ name, data: letter.repeat(2 ** 20 + 2 ** 19) })) });

/** A download, of which as much is here as a test says. */
function startDownload(zip: Buffer, onServer = zip, options: Partial<UnpackOptions> = {}) {
  const [folder, target] = [temporaryFolder(), temporaryFolder()];
  const [part, file] = [join(folder, 'set.zip.part'), join(folder, 'set.zip')];
  writeFileSync(part, zip);
  const unpacker = createUnpacker(target, { name: 'set.zip', ...options });
  onTestFinished(() => unpacker.close());
  const written = createWrittenLength();
  const ended = Promise.withResolvers<false>();
  const read = async (start: number, length: number) => onServer.subarray(start, start + length);
  unpacker.begin({
    part,
    remote: Promise.resolve({ length: onServer.length, read }),
    reach: (bytes) => Promise.race([ended.promise, written.reach(bytes).then(() => true)]),
  });
  return {
    target,
    part,
    written,
    files: () => filesBelow(target),
    contentOf: (path: string) => readFileSync(join(target, path), 'utf8').slice(0, 1),
    /** No more comes; this is what is here in the end. */
    async finish(whole?: Buffer): Promise<void> {
      ended.resolve(false);
      if (whole) {
        rmSync(part);
        writeFileSync(file, whole);
      } else renameSync(part, file);
      await unpacker.finish(file);
    },
  };
}

test('what is here of a data set is unpacked while the rest is on its way', async () => {
  const zip = zipOf('x');
  const download = startDownload(zip);
  download.written.set(zip.length / 2 + 100);
  await expect.poll(download.files).toEqual(PATHS.slice(0, 2));
  await download.finish();
  expect(download.files()).toEqual(PATHS.toSorted());
  expect(PATHS.map(download.contentOf)).toEqual(['x', 'x', 'x', 'x']);
});

test('nothing of it is written twice', async () => {
  const zip = zipOf('x');
  const download = startDownload(zip);
  download.written.set(zip.length);
  await expect.poll(download.files).toEqual(PATHS.toSorted());
  // A file that is there already could not be written again: it would say so.
  writeFileSync(join(download.target, 'train/a/1.png'), 'kept');
  await download.finish();
  expect(download.contentOf('train/a/1.png')).toBe('k');
});

test.each([
  ['has the same names', zipOf('y'), { 'train/a/1.png': 'y', 'train/b/1.png': 'y' }],
  ['has other names', zipOf('y', ['train/a/1.png', 'train/c/1.png', 'test/a/1.png']), { 'train/a/1.png': 'y' }],
  ['has the very same bytes', zipOf('x'), { 'train/a/1.png': 'x', 'train/b/1.png': 'x' }],
])('of a download that began again, nothing is kept for another file, which %s', async (_, whole, expected) => {
  const zip = zipOf('x');
  const download = startDownload(zip);
  download.written.set(zip.length / 2 + 100);
  const begun = PATHS.slice(0, 2);
  await expect.poll(download.files).toEqual(begun);
  for (const path of begun) writeFileSync(join(download.target, path), 'old');
  await download.finish(whole);
  const found = download.files().filter((path) => begun.includes(path));
  expect(Object.fromEntries(found.map((path) => [path, download.contentOf(path)]))).toEqual(expected);
});

test('a server that shows another directory than its file has is not believed', async () => {
  const zip = zipOf('x');
  const download = startDownload(zip, zipOf('x', [...PATHS.slice(0, 3), 'test/b/9.png']));
  download.written.set(zip.length);
  await download.finish();
  expect(download.files()).toEqual(PATHS.toSorted());
});

test('a part that is damaged so far costs nothing but time', async () => {
  const zip = zipOf('x');
  const damaged = Buffer.from(zip);
  damaged.fill('z', 100, 200);
  const download = startDownload(damaged, zip);
  download.written.set(zip.length);
  await download.finish(zip);
  expect(PATHS.map(download.contentOf)).toEqual(['x', 'x', 'x', 'x']);
});

test('where there is no room for the zip and its images at the same time, the zip comes first', async () => {
  const zip = zipOf('x');
  const download = startDownload(zip, zip, { freeBytes: async () => 1.5 * zip.length });
  download.written.set(zip.length);
  await download.finish();
  expect(download.files()).toEqual(PATHS.toSorted());
});

test('an image too large to be held in memory is unpacked in pieces', async () => {
  const folder = temporaryFolder();
  const data = Buffer.alloc(64 * 2 ** 20 + 1, 'large');
  const zip = buildZip({
    entries: [...PATHS.map((name) => ({ name, data: 'x' })), { name: 'train/a/large.tif', data }],
  });
  writeFileSync(join(folder, 'set.zip'), zip);
  const target = temporaryFolder();
  const unpacker = createUnpacker(target, { name: 'set.zip' });
  await unpacker.finish(join(folder, 'set.zip')).finally(unpacker.close);
  expect(readFileSync(join(target, 'train/a/large.tif')).equals(data)).toBe(true);
});
