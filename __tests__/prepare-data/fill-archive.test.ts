import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodePng } from '../../scripts/demo/png.ts';
import { type ArchiveWriter, createArchive } from '../../src/archive/archive-writer.ts';
import { openZip } from '../../src/archive/open-zip.ts';
import { type FillOptions, fillArchive } from '../../src/prepare-data/fill-archive.ts';
import type { Filled, FillJob } from '../../src/prepare-data/fill-thread.ts';
import { startFillThreads } from '../../src/prepare-data/fill-threads.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip, type RawEntry } from '../helpers/zip-builder.ts';

const SIGNAL = new AbortController().signal;
const LARGE = 64 * 2 ** 20 + 1;

let folder: string;
let path: string;

beforeEach(() => {
  folder = temporaryFolder('fill-archive');
  path = join(folder, 'set.zip');
});

/** A job with all files of a new zip. */
async function imagesJob(name: string, entries: RawEntry[], own: { target?: boolean; wanted?: boolean } = {}) {
  const zipPath = join(folder, name);
  await writeFile(zipPath, buildZip({ entries }));
  const zip = await openZip(zipPath, { name });
  await zip.close();
  const job: FillJob = {
    kind: 'images',
    zip: { path: zipPath, name },
    images: zip.entries.map((entry) => ({
      entry,
      name: `${name}/${entry.path}`,
      target: own.target ? join(folder, entry.path) : undefined,
      wanted: own.wanted ?? false,
    })),
  };
  return job;
}

async function fill(
  archive: ArchiveWriter,
  jobs: Iterable<FillJob>,
  { count = 2, ...own }: Partial<FillOptions> & { readonly count?: number } = {},
): Promise<Filled[]> {
  const filled: Filled[] = [];
  const threads = startFillThreads(archive.file.path, count);
  try {
    for await (const some of fillArchive(archive, jobs, { threads, signal: SIGNAL, ...own })) filled.push(...some);
  } finally {
    await threads.close();
  }
  return filled;
}

async function contents(): Promise<[string, Buffer][]> {
  const zip = await openZip(path, { name: 'set.zip' });
  const inFileOrder = zip.entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
  const found: [string, Buffer][] = [];
  for (const entry of inFileOrder) found.push([entry.path, await zip.read(entry)]);
  await zip.close();
  return found;
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

test('images get into the archive and to their places, and what they are is told', async () => {
  const png = encodePng({ width: 3, height: 2, channels: 3, pixels: new Uint8Array(18) });
  const job = await imagesJob(
    'a.zip',
    [
      { name: 'deflated.png', data: png, method: 8 },
      { name: 'empty', data: '' },
      { name: 'stored.txt', data: 'no image' },
    ],
    { target: true, wanted: true },
  );
  const archive = await createArchive(path);
  const filled = await fill(archive, [job]);
  await archive.finish();
  expect(filled).toMatchObject([
    { sha256: sha256(png), size: { width: 3, height: 2 }, bytes: png.length, offset: 0, data: Uint8Array.from(png) },
    { sha256: sha256(Buffer.from('')), size: undefined, bytes: 0 },
    { sha256: sha256(Buffer.from('no image')), size: undefined, bytes: 8 },
  ]);
  expect(await contents()).toEqual([
    ['a.zip/deflated.png', png],
    ['a.zip/empty', Buffer.from('')],
    ['a.zip/stored.txt', Buffer.from('no image')],
  ]);
  expect(await readFile(join(folder, 'deflated.png'))).toEqual(png);
  expect(await readFile(join(folder, 'stored.txt'), 'utf8')).toBe('no image');
});

test('entries stand in the order of the jobs, however long each takes and however many there are', async () => {
  const jobs: FillJob[] = [];
  const expected: [string, Buffer][] = [];
  for (let index = 0; index < 40; index++) {
    const data = randomBytes(index % 3 === 0 ? 1_500_000 : 10);
    const name = `${index}.zip`;
    jobs.push(await imagesJob(name, [{ name: 'image.png', data, method: index % 2 === 0 ? 8 : 0 }]));
    expected.push([`${name}/image.png`, data]);
  }
  const source = join(folder, 'source.zip');
  await writeFile(source, randomBytes(3e6));
  jobs.splice(5, 0, { kind: 'file', path: source, name: 'downloads/source.zip' });
  expected.splice(5, 0, ['downloads/source.zip', await readFile(source)]);
  const archive = await createArchive(path);
  const filled = await fill(archive, jobs);
  await archive.finish();
  const found = await contents();
  expect(found.map(([name]) => name)).toEqual(expected.map(([name]) => name));
  for (const [index, [, data]] of expected.entries()) expect(found[index]?.[1].equals(data)).toBe(true);
  expect(filled.map(({ bytes }) => bytes)).toEqual(expected.map(([, data]) => data.length));
});

test('an image too large to be held in memory goes through in pieces, to the archive and to its place', async () => {
  const data = Buffer.alloc(LARGE, randomBytes(100_000));
  const job = await imagesJob('a.zip', [{ name: 'large.tif', data, method: 8 }], { target: true });
  const archive = await createArchive(path);
  const filled = await fill(archive, [job]);
  await archive.finish();
  // Stored, though deflating would make it smaller.
  expect(filled).toMatchObject([{ sha256: sha256(data), bytes: LARGE, compressedBytes: LARGE, method: 0 }]);
  expect((await readFile(join(folder, 'large.tif'))).equals(data)).toBe(true);
  expect((await contents())[0]?.[1].equals(data)).toBe(true);
});

test('files are added as they are, empty ones too', async () => {
  const [some, none] = [join(folder, 'some'), join(folder, 'none')];
  const data = randomBytes(2_500_000);
  await writeFile(some, data);
  await writeFile(none, '');
  const archive = await createArchive(path);
  await fill(archive, [
    { kind: 'file', path: some, name: 'some' },
    { kind: 'file', path: none, name: 'none' },
  ]);
  await archive.finish();
  expect(await contents()).toEqual([
    ['some', data],
    ['none', Buffer.from('')],
  ]);
});

/** A BMP of grey pixels with some noise, the same one everywhere. */
function bmpOf(width: number, height: number, seed = 0): Buffer {
  const data = createCipheriv('aes-256-ctr', Buffer.alloc(32, seed), Buffer.alloc(16))
    .update(Buffer.alloc(54 + width * height * 3))
    .map((byte) => 180 + (byte & 15));
  const head = Buffer.alloc(54);
  head.write('BM', 'latin1');
  head.writeUInt32LE(data.length, 2);
  head.writeUInt32LE(head.length, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(24, 28);
  data.set(head);
  return Buffer.from(data);
}

describe('what is not compressed is deflated', () => {
  test('a BMP takes less in the archive, and comes back from there and from its place', async () => {
    const bmp = bmpOf(400, 300);
    const png = Buffer.concat([encodePng({ width: 3, height: 2, channels: 3, pixels: new Uint8Array(18) }), bmp]);
    const job = await imagesJob(
      'a.zip',
      [
        { name: 'a.bmp', data: bmp, method: 8 },
        { name: 'b.png', data: png },
        { name: 'c.bmp', data: bmp },
      ],
      { target: true, wanted: true },
    );
    const archive = await createArchive(path);
    const filled = await fill(archive, [job]);
    await archive.finish();
    const expected = { sha256: sha256(bmp), bytes: bmp.length, method: 8, size: { width: 400, height: 300 } };
    expect(filled).toMatchObject([
      { ...expected, data: Uint8Array.from(bmp), offset: 0 },
      { bytes: png.length, compressedBytes: png.length, method: 0, size: { width: 3, height: 2 } },
      expected,
    ]);
    expect(filled[0]?.compressedBytes).toBeLessThan(bmp.length * 0.7);
    expect(await contents()).toEqual([
      ['a.zip/a.bmp', bmp],
      ['a.zip/b.png', png],
      ['a.zip/c.bmp', bmp],
    ]);
    expect(await readFile(join(folder, 'a.bmp'))).toEqual(bmp);
  });

  test('by one thread as by four, the archive has the bytes that it has everywhere', async () => {
    const jobs: FillJob[] = [];
    for (let index = 0; index < 12; index++) {
      const bmps = [0, 1, 2].map((place) => ({
        name: `${place}.bmp`,
        data: bmpOf(200 + 40 * place, index % 4 === 0 ? 400 : 20, index),
      }));
      jobs.push(await imagesJob(`${index}.zip`, bmps));
    }
    const sums = [];
    for (const count of [1, 4]) {
      const archive = await createArchive(join(folder, `by-${count}.zip`));
      await fill(archive, jobs, { count });
      sums.push((await archive.finish()).sha256);
    }
    // It changes with a version of fflate, as all archives do.
    const known = 'b18024fe87ca3c029eb456886191206be16d41416c594fd71817b888894c03f1';
    expect(sums).toEqual([known, known]);
  });
});

describe('room is asked for', () => {
  /** Images that take 48 MB, and next to nothing in the archive. */
  const blankJobs = () =>
    Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        imagesJob(`${index}.zip`, [{ name: 'blank.bmp', data: Buffer.alloc(3e6, 200), method: 8 }]),
      ),
    );

  test('for what the archive really has: a wait for the size of the images might never end', async () => {
    const archive = await createArchive(path);
    const asked: number[] = [];
    const filled = await fill(archive, await blankJobs(), {
      room: async (bytes) => {
        asked.push(bytes);
      },
    });
    const facts = await archive.finish();
    expect(filled).toHaveLength(16);
    expect(asked).toEqual(filled.map(({ offset }) => offset));
    expect(facts.bytes).toBeLessThan(3e6);
  });

  test('and waited for, so that nothing grows meanwhile', async () => {
    const archive = await createArchive(path);
    const { promise: room, resolve: giveRoom } = Promise.withResolvers<void>();
    const filling = fill(archive, await blankJobs(), { room: (bytes) => (bytes === 0 ? Promise.resolve() : room) });
    await archive.file.reach(1);
    await setTimeout(200);
    const { bytes } = archive;
    giveRoom();
    const [first] = await filling;
    expect(bytes).toBe(first && first.compressedBytes + 30 + '0.zip/blank.bmp'.length);
    expect((await archive.finish()).entries).toBe(16);
  });

  test('and no longer waited for when the run is cancelled', async () => {
    const archive = await createArchive(path);
    const run = new AbortController();
    const filling = fill(archive, await blankJobs(), { signal: run.signal, room: () => new Promise(() => undefined) });
    setImmediate(() => run.abort());
    await expect(filling).rejects.toMatchObject({ code: 'CANCELLED' });
    await archive.abort();
  });
});

describe('what goes wrong in a thread is an error here', () => {
  test('a damaged image is named with its zip', async () => {
    const job = await imagesJob('bad.zip', [{ name: 'a.png', data: 'image', crc32: 1 }]);
    const archive = await createArchive(path);
    await expect(fill(archive, [job])).rejects.toMatchObject({
      code: 'ZIP',
      message: expect.stringMatching(/bad\.zip.*a\.png.*is damaged: its checksum/s),
    });
    await archive.abort();
  });

  test('the first failure in the order of the jobs is the one', async () => {
    const good = await imagesJob('good.zip', [{ name: 'a.png', data: randomBytes(3e6), method: 8 }]);
    const first = await imagesJob('first.zip', [{ name: 'a.png', data: randomBytes(3e6), method: 8, crc32: 1 }]);
    const second = await imagesJob('second.zip', [{ name: 'a.png', data: 'x', crc32: 1 }]);
    const archive = await createArchive(path);
    await expect(fill(archive, [good, first, second])).rejects.toThrow('first.zip');
    await archive.abort();
    expect(existsSync(path)).toBe(false);
  });

  test('a damaged image that is too large to be held in memory', async () => {
    const job = await imagesJob('bad.zip', [{ name: 'large.tif', data: Buffer.alloc(LARGE), crc32: 1 }]);
    const archive = await createArchive(path);
    await expect(fill(archive, [job])).rejects.toMatchObject({
      code: 'ZIP',
      message: expect.stringContaining('large.tif'),
    });
    await archive.abort();
  });

  test('a missing file, and a place that can’t be written', async () => {
    const archive = await createArchive(path);
    const missing = join(folder, 'missing.zip');
    await expect(fill(archive, [{ kind: 'file', path: missing, name: 'a' }])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(missing),
    });
    await archive.abort();

    const job = await imagesJob('a.zip', [{ name: 'no/such/folder.png', data: 'x' }], { target: true });
    const second = await createArchive(path);
    await expect(fill(second, [job])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(join(folder, 'no', 'such', 'folder.png')),
    });
    await second.abort();
  });

  test('a file that grows while it is copied', async () => {
    const source = join(folder, 'growing.zip');
    await writeFile(source, 'some');
    const archive = await createArchive(path);
    // The room is left for the file as it was.
    const slow: ArchiveWriter = {
      ...archive,
      addSegment: (names, bytes) => {
        appendFileSync(source, 'more');
        return archive.addSegment(names, bytes);
      },
    };
    await expect(fill(slow, [{ kind: 'file', path: source, name: 'a' }])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(`${source} changed`),
    });
    await archive.abort();
  });
});

test('a cancelled run begins no further job, and the archive is removed', async () => {
  const run = new AbortController();
  const archive = await createArchive(path, { signal: run.signal });
  const jobs = await Promise.all(['a.zip', 'b.zip'].map((name) => imagesJob(name, [{ name: 'a.png', data: 'image' }])));
  const begun: string[] = [];
  const oneByOne = function* () {
    for (const job of jobs) {
      begun.push(job.kind);
      yield job;
      run.abort();
    }
  };
  const filling = fill(archive, oneByOne(), { signal: run.signal });
  await expect(filling).rejects.toMatchObject({ code: 'CANCELLED' });
  await archive.abort();
  expect(begun).toHaveLength(2);
  expect((await readdir(folder)).toSorted()).toEqual(['a.zip', 'b.zip']);
});
