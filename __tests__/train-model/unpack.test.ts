import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LOCAL_HEADER_BYTES } from '../../src/archive/entry-data.ts';
import { createWrittenLength } from '../../src/files/written-length.ts';
import { createUnpacker, type UnpackOptions } from '../../src/train-model/unpack.ts';
import { failureOf } from '../helpers/failure.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const PATHS = ['train/a/1.png', 'train/b/1.png', 'test/a/2.png', 'test/b/2.png'];

/** So large that each image is a job of its own. */
const IMAGE_BYTES = 2 ** 20 + 2 ** 19;

const zipOf = (letter: string, paths = PATHS) =>
  buildZip({ entries: paths.map((name) => ({ name, data: letter.repeat(IMAGE_BYTES) })) });

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
    /** Those that are whole. */
    whole: () => filesBelow(target).filter((path) => statSync(join(target, path)).size === IMAGE_BYTES),
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
  await expect.poll(download.whole).toEqual(PATHS.toSorted());
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
  await expect.poll(download.whole).toEqual(begun);
  for (const path of begun) writeFileSync(join(download.target, path), 'old');
  await download.finish(whole);
  const found = download.files().filter((path) => begun.includes(path));
  expect(Object.fromEntries(found.map((path) => [path, download.contentOf(path)]))).toEqual(expected);
});

test.each([
  ['train/c/1.png', 'has no image of that name'],
  ['train/a/1.png', 'has another image of that name'],
])('%s, which the server shows where the whole zip %s, does not stay', async (name) => {
  const hidden = buildZip({ entries: [{ name, data: 'x'.repeat(IMAGE_BYTES) }] });
  // In the first image there is another one, with its own header.
  const [first = '', ...others] = PATHS;
  const images = [hidden, ...others.map((other) => Buffer.from(other[0]?.repeat(IMAGE_BYTES) ?? ''))];
  const zip = buildZip({ entries: PATHS.map((path, index) => ({ name: path, data: images[index] ?? '' })) });
  const starts = PATHS.map((path) => zip.indexOf(path) - LOCAL_HEADER_BYTES);
  const shown = buildZip({
    entries: [
      { name, data: 'x'.repeat(IMAGE_BYTES), offset: LOCAL_HEADER_BYTES + first.length },
      ...others.map((other, index) => ({ name: other, data: images[index + 1] ?? '', offset: starts[index + 1] ?? 0 })),
    ],
    end: { directoryOffset: zip.length },
  });
  const download = startDownload(zip, Buffer.concat([zip, shown]));
  download.written.set(zip.length);
  await expect.poll(download.whole).toContain(name);
  await download.finish();
  expect(download.files()).toEqual(PATHS.toSorted());
  // Of the header of the image in it.
  expect(download.contentOf(first)).toBe('P');
});

test('of a part in which an image is damaged, nothing is kept', async () => {
  const zip = zipOf('x');
  const damaged = Buffer.from(zip);
  damaged.fill('z', zip.length - 2 * IMAGE_BYTES, zip.length - 2 * IMAGE_BYTES + 100);
  const download = startDownload(damaged, zip);
  download.written.set(zip.length / 2 + 100);
  await expect.poll(download.whole).toHaveLength(2);
  writeFileSync(join(download.target, 'train/a/1.png'), 'old');
  download.written.set(zip.length);
  await download.finish(zip);
  expect(PATHS.map(download.contentOf)).toEqual(['x', 'x', 'x', 'x']);
});

test.each([
  ['begins while there is room for the zip, a copy of it and its images', 3.1, PATHS.slice(0, 2)],
  ['does not begin while there is no room for all of them', 2.9, []],
])('unpacking %s', async (_, timesTheZip, expected) => {
  const zip = zipOf('x');
  const asked = vi.fn(async () => timesTheZip * zip.length);
  const download = startDownload(zip, zip, { freeBytes: asked });
  download.written.set(zip.length / 2 + 100);
  await expect.poll(() => asked.mock.calls.length).toBe(1);
  // A thread starts and unpacks two images in a fraction of this.
  if (expected.length === 0) await sleep(500);
  await expect.poll(download.whole).toEqual(expected);
  await download.finish();
  expect(download.files()).toEqual(PATHS.toSorted());
});

test('a cancelled run does not wait for the images that are left', async () => {
  const zip = zipOf(
    'x',
    Array.from({ length: 200 }, (_, index) => `${index % 2 ? 'test' : 'train'}/a/${index}.png`),
  );
  const file = join(temporaryFolder(), 'set.zip');
  writeFileSync(file, zip);
  const cancel = new AbortController();
  const target = temporaryFolder();
  const onProgress = () => cancel.abort();
  const unpacker = createUnpacker(target, { name: 'set.zip', signal: cancel.signal, onProgress });
  const error = await failureOf(unpacker.finish(file).finally(unpacker.close));
  expect(error.code).toBe('CANCELLED');
  const left = filesBelow(target).length;
  expect(left).toBeLessThan(200);
  await sleep(100);
  expect(filesBelow(target)).toHaveLength(left);
});

test('an image too large to be held in memory is unpacked in pieces', async () => {
  const folder = temporaryFolder();
  const data = Buffer.alloc(8 * 2 ** 20 + 1, 'large');
  const zip = buildZip({
    entries: [...PATHS.map((name) => ({ name, data: 'x' })), { name: 'train/a/large.tif', data }],
  });
  writeFileSync(join(folder, 'set.zip'), zip);
  const target = temporaryFolder();
  const unpacker = createUnpacker(target, { name: 'set.zip' });
  await unpacker.finish(join(folder, 'set.zip')).finally(unpacker.close);
  expect(readFileSync(join(target, 'train/a/large.tif')).equals(data)).toBe(true);
});
