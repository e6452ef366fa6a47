import { createCipheriv, createHash, hash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodePng } from '../../scripts/sample/png.ts';
import { type ArchiveWriter, createArchive } from '../../src/archive/archive-writer.ts';
import { openZip, type ZipEntry } from '../../src/archive/open-zip.ts';
import { parseCsv } from '../../src/dataset/csv.ts';
import { MANIFEST_HEADER } from '../../src/dataset/manifest.ts';
import { DiatomError } from '../../src/errors.ts';
import { type EarlyJob, type FillOptions, fillArchive } from '../../src/prepare-data/archive-jobs.ts';
import { startFillPool } from '../../src/prepare-data/fill-pool.ts';
import { type FillImage, packImages } from '../../src/prepare-data/packed-images.ts';
import type { Filled, FillJob, ImagesJob } from '../../src/prepare-data/thread-jobs.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip, type RawEntry } from '../helpers/zip-builder.ts';

const SIGNAL = new AbortController().signal;
const LARGE = 64 * 2 ** 20 + 1;

let folder: string;
let path: string;

beforeEach(() => {
  folder = temporaryFolder('archive-jobs');
  path = join(folder, 'set.zip');
});

interface JobOptions extends Partial<Omit<FillImage, 'image'>> {
  readonly archiveFolder?: string;
  readonly results?: string;
}

/** A job with all files of a new zip, whose label is the zip's name without its ending. */
async function imagesJob(
  name: string,
  entries: RawEntry[],
  { archiveFolder = '', results, ...own }: JobOptions = {},
): Promise<ImagesJob> {
  const zipPath = join(folder, name);
  await writeFile(zipPath, buildZip({ entries }));
  const zip = await openZip(zipPath, { name });
  await zip.close();
  const images = zip.entries.map((image): FillImage => {
    return { image, split: 'train', fileName: image.path, group: undefined, wanted: false, ...own };
  });
  return {
    kind: 'images',
    zip: { path: zipPath, name },
    label: parse(name).name,
    images: packImages(images),
    archiveFolder,
    brokenImages: 'keep',
    looks: false,
    results,
  };
}

/** A folder with one for the images of a label. */
async function makeResults(below: string): Promise<string> {
  const results = join(folder, 'results');
  await mkdir(join(results, below), { recursive: true });
  return results;
}

async function fill(
  archive: ArchiveWriter,
  jobs: Iterable<FillJob | EarlyJob>,
  { count = 2, ...own }: Partial<FillOptions> & { readonly count?: number } = {},
): Promise<Filled[]> {
  const filled: Filled[] = [];
  const threads = startFillPool(archive.file.path, count);
  try {
    const onFilled = (some: Filled) => void filled.push(some);
    await fillArchive(archive, jobs, { threads, signal: SIGNAL, onFilled, ...own });
  } finally {
    await threads.close();
  }
  return filled;
}

/** What the archive holds, in the order of the file. */
async function readArchive(): Promise<{ entries: ZipEntry[]; contents: [string, Buffer][] }> {
  const zip = await openZip(path, { name: 'set.zip' });
  const entries = zip.entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
  const contents: [string, Buffer][] = [];
  for (const entry of entries) contents.push([entry.path, await zip.read(entry)]);
  await zip.close();
  return { entries, contents };
}

/** The lines of the manifest. */
function manifestOf(filled: readonly Filled[]): unknown[] {
  const text = filled.map(({ manifest }) => manifest).join('');
  return parseCsv(MANIFEST_HEADER + text).map((row) => Object.fromEntries(row));
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

test('images get into the archive and to their places, and what they are is reported', async () => {
  const png = encodePng({ width: 3, height: 2, channels: 3, pixels: new Uint8Array(18) });
  const results = await makeResults(join('train', 'a'));
  const job = await imagesJob(
    'a.zip',
    [
      { name: 'deflated.png', data: png, method: 8 },
      { name: 'empty', data: '' },
      { name: 'stored.txt', data: 'no image' },
    ],
    { results, wanted: true },
  );
  const archive = await createArchive(path);
  const filled = await fill(archive, [job]);
  expect(await archive.finish()).toMatchObject({ entries: 3 });
  expect(manifestOf(filled)).toMatchObject([
    { path: 'train/a/deflated.png', sha256: sha256(png), width: '3', height: '2', bytes: `${png.length}` },
    { path: 'train/a/empty', sha256: sha256(Buffer.from('')), width: '', height: '', bytes: '0' },
    { path: 'train/a/stored.txt', sha256: sha256(Buffer.from('no image')), width: '', height: '', bytes: '8' },
  ]);
  expect(filled).toMatchObject([
    {
      entries: 3,
      bytes: png.length + 8,
      unreadable: ['train/a/stored.txt'],
      broken: [{ index: 1, fault: 'is empty', sha256: sha256(Buffer.from('')) }],
      pictures: [{ label: 'a', split: 'train', fileName: 'deflated.png', data: Uint8Array.from(png) }],
    },
  ]);
  const { entries, contents } = await readArchive();
  expect(entries[0]?.headerOffset).toBe(0);
  expect(contents).toEqual([
    ['train/a/deflated.png', png],
    ['train/a/empty', Buffer.from('')],
    ['train/a/stored.txt', Buffer.from('no image')],
  ]);
  expect(await readFile(join(results, 'train', 'a', 'deflated.png'))).toEqual(png);
  expect(await readFile(join(results, 'train', 'a', 'empty'))).toEqual(Buffer.from(''));
  expect(await readFile(join(results, 'train', 'a', 'stored.txt'), 'utf8')).toBe('no image');
});

test('an image has its own split, file name and group, and the archive may have a folder around them', async () => {
  const results = await makeResults(join('test', 'Größe'));
  const job = await imagesJob('Größe.zip', [{ name: 'from/here.png', data: 'x' }], {
    split: 'test',
    fileName: 'to, there.png',
    group: 'of “these”',
    archiveFolder: 'results/',
    results,
  });
  const archive = await createArchive(path);
  const filled = await fill(archive, [job]);
  await archive.finish();
  expect(manifestOf(filled)).toEqual([
    {
      path: 'test/Größe/to, there.png',
      label: 'Größe',
      split: 'test',
      sha256: sha256(Buffer.from('x')),
      bytes: '1',
      width: '',
      height: '',
      source_zip: 'Größe.zip',
      source_path: 'from/here.png',
      group: 'of “these”',
      // Of the letter x.
      crc32: '8cdc1683',
      fault: 'is a text (“x”)',
    },
  ]);
  expect(filled).toMatchObject([{ unreadable: [], broken: [{ index: 0 }] }]);
  expect((await readArchive()).contents).toEqual([['results/test/Größe/to, there.png', Buffer.from('x')]]);
  expect(await readFile(join(results, 'test', 'Größe', 'to, there.png'), 'utf8')).toBe('x');
});

test('a picture comes only when it was asked for, and what is no image is reported either way', async () => {
  const png = encodePng({ width: 1, height: 1, channels: 3, pixels: new Uint8Array(3) });
  const entries = [
    { name: 'a.png', data: png },
    { name: 'b.png', data: 'no image' },
  ];
  const jobs = [
    await imagesJob('asked.zip', entries, { wanted: true }),
    await imagesJob('unasked.zip', entries, { wanted: false }),
  ];
  const archive = await createArchive(path);
  const filled = await fill(archive, jobs);
  await archive.finish();
  expect(filled).toMatchObject([
    { pictures: [{ label: 'asked', fileName: 'a.png' }], broken: [{ index: 1 }] },
    { pictures: [], broken: [{ index: 1 }] },
  ]);
});

test('records, which are kept until the end, keep nothing else in memory', async () => {
  const source = join(folder, 'source.zip');
  await writeFile(source, 'some');
  const jobs = [
    await imagesJob('a.zip', [{ name: 'a.png', data: 'x' }]),
    await imagesJob('large.zip', [{ name: 'a.png', data: Buffer.alloc(LARGE) }]),
    { kind: 'file', path: source, name: 'source.zip' } as const,
  ];
  const archive = await createArchive(path);
  const filled = await fill(archive, jobs);
  await archive.finish();
  // A piece of Node's pool would come from the thread as the whole of it.
  expect(filled.map(({ records }) => records.buffer.byteLength)).toEqual(filled.map(({ records }) => records.length));
  expect(filled).toHaveLength(3);
});

test('entries stand in the order of the jobs, however long each takes and however many there are', async () => {
  const jobs: FillJob[] = [];
  const expected: [string, Buffer][] = [];
  for (let index = 0; index < 40; index++) {
    const data = randomBytes(index % 3 === 0 ? 1_500_000 : 10);
    jobs.push(await imagesJob(`${index}.zip`, [{ name: 'image.png', data, method: index % 2 === 0 ? 8 : 0 }]));
    expected.push([`train/${index}/image.png`, data]);
  }
  const source = join(folder, 'source.zip');
  await writeFile(source, randomBytes(3e6));
  jobs.splice(5, 0, { kind: 'file', path: source, name: 'downloads/source.zip' });
  expected.splice(5, 0, ['downloads/source.zip', await readFile(source)]);
  const archive = await createArchive(path);
  const filled = await fill(archive, jobs);
  await archive.finish();
  const { contents } = await readArchive();
  expect(contents.map(([name]) => name)).toEqual(expected.map(([name]) => name));
  for (const [index, [, data]] of expected.entries()) expect(contents[index]?.[1].equals(data)).toBe(true);
  // A file is no image.
  expect(filled[5]).toMatchObject({ entries: 1, bytes: 0, manifest: '', unreadable: [], pictures: [] });
  const images = expected.toSpliced(5, 1);
  expect(filled.toSpliced(5, 1).map(({ bytes }) => bytes)).toEqual(images.map(([, data]) => data.length));
  expect(manifestOf(filled)).toMatchObject(images.map(([name, data]) => ({ path: name, sha256: sha256(data) })));
});

test('an image too large to be held in memory goes through in pieces, to the archive and to its place', async () => {
  const data = Buffer.alloc(LARGE, bmpOf(200, 150));
  const results = await makeResults(join('train', 'a'));
  const job = await imagesJob('a.zip', [{ name: 'large.bmp', data, method: 8 }], { results });
  const archive = await createArchive(path);
  const filled = await fill(archive, [job]);
  await archive.finish();
  expect(filled).toMatchObject([{ entries: 1, bytes: LARGE, unreadable: [], pictures: [] }]);
  expect(manifestOf(filled)).toMatchObject([
    { path: 'train/a/large.bmp', sha256: sha256(data), bytes: `${LARGE}`, width: '200', height: '150' },
  ]);
  const { entries, contents } = await readArchive();
  // Stored, though deflating would make it smaller.
  expect(entries).toMatchObject([{ path: 'train/a/large.bmp', bytes: LARGE, compressedBytes: LARGE, method: 0 }]);
  expect((await readFile(join(results, 'train', 'a', 'large.bmp'))).equals(data)).toBe(true);
  expect(contents[0]?.[1].equals(data)).toBe(true);
});

describe('an image too large to be held in memory that is broken', () => {
  // Of more pixels than it has.
  const cut = Buffer.alloc(LARGE);
  bmpOf(2, 2).copy(cut);
  cut.writeInt32LE(32_000, 18);
  cut.writeInt32LE(64_000, 22);
  const fault = 'is cut short';

  async function fillWith(brokenImages: 'leave-out' | 'keep' | 'error', results: string | undefined) {
    const large = await imagesJob('a.zip', [{ name: 'large.bmp', data: cut }], results ? { results } : {});
    const jobs = [
      await imagesJob('first.zip', [{ name: '1.png', data: '1' }]),
      { ...large, brokenImages },
      await imagesJob('last.zip', [{ name: '2.png', data: '2' }]),
    ];
    const archive = await createArchive(path);
    try {
      const filled = await fill(archive, jobs);
      await archive.finish();
      return { filled: filled[1], names: (await readArchive()).contents.map(([name]) => name) };
    } finally {
      await archive.abort();
    }
  }

  test.each([true, false])('is left out, and leaves no file (with results: %s)', async (hasResults) => {
    const results = await makeResults(join('train', 'a'));
    const { filled, names } = await fillWith('leave-out', hasResults ? results : undefined);
    expect(names).toEqual(['train/first/1.png', 'train/last/2.png']);
    expect(filled).toMatchObject({ entries: 0, bytes: LARGE, broken: [{ index: 0, fault, sha256: sha256(cut) }] });
    expect(await readdir(join(results, 'train', 'a'))).toEqual([]);
    expect((await readdir(folder)).toSorted()).toEqual(['a.zip', 'first.zip', 'last.zip', 'results', 'set.zip']);
  });

  test('is kept where that is wished for', async () => {
    const { filled, names } = await fillWith('keep', undefined);
    expect(names).toEqual(['train/first/1.png', 'train/a/large.bmp', 'train/last/2.png']);
    expect(filled).toMatchObject({ entries: 1, broken: [{ index: 0, fault }] });
    expect((await readdir(folder)).toSorted()).toEqual(['a.zip', 'first.zip', 'last.zip', 'set.zip']);
  });

  test('ends the run where that is wished for', async () => {
    await expect(fillWith('error', undefined)).rejects.toThrow(`a.zip: the image large.bmp ${fault}`);
    expect((await readdir(folder)).toSorted()).toEqual(['a.zip', 'first.zip', 'last.zip']);
  });
});

test('a text is deflated, and a large one stored', async () => {
  const [small, large] = [join(folder, 'small.csv'), join(folder, 'large.csv')];
  const line = 'train/a/1.png,a,train\n';
  await writeFile(small, line.repeat(40_000));
  await writeFile(large, line.repeat(60_000));
  const archive = await createArchive(path);
  const filled = await fill(archive, [
    { kind: 'file', path: small, name: 'results/small.csv' },
    { kind: 'file', path: large, name: 'results/large.csv' },
  ]);
  await archive.finish();
  expect(filled).toMatchObject([
    { entries: 1, bytes: 0 },
    { entries: 1, bytes: 0 },
  ]);
  const { entries, contents } = await readArchive();
  expect(entries).toMatchObject([
    { path: 'results/small.csv', method: 8, bytes: 22 * 40_000 },
    { path: 'results/large.csv', method: 0, bytes: 22 * 60_000, compressedBytes: 22 * 60_000 },
  ]);
  expect(entries[0]?.compressedBytes).toBeLessThan(22 * 25_000);
  // Flags: the name is UTF-8, and no data descriptor follows.
  expect((await readFile(path)).readUInt16LE(6)).toBe(0x800);
  expect(contents.map(([, data]) => data.toString())).toEqual([line.repeat(40_000), line.repeat(60_000)]);
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
  expect((await readArchive()).contents).toEqual([
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
    const results = await makeResults(join('train', 'a'));
    const job = await imagesJob(
      'a.zip',
      [
        { name: 'a.bmp', data: bmp, method: 8 },
        { name: 'b.png', data: png },
        { name: 'c.bmp', data: bmp },
      ],
      { results, wanted: true },
    );
    const archive = await createArchive(path);
    const filled = await fill(archive, [job]);
    await archive.finish();
    const bmpLine = { sha256: sha256(bmp), bytes: `${bmp.length}`, width: '400', height: '300' };
    const pngLine = { sha256: sha256(png), bytes: `${png.length}`, width: '3', height: '2' };
    expect(manifestOf(filled)).toMatchObject([bmpLine, pngLine, bmpLine]);
    const [bmpData, pngData] = [Uint8Array.from(bmp), Uint8Array.from(png)];
    expect(filled).toMatchObject([{ pictures: [{ data: bmpData }, { data: pngData }, { data: bmpData }] }]);
    const { entries, contents } = await readArchive();
    expect(entries).toMatchObject([
      { headerOffset: 0, method: 8, bytes: bmp.length },
      { method: 0, bytes: png.length, compressedBytes: png.length },
      { method: 8, bytes: bmp.length },
    ]);
    expect(entries[0]?.compressedBytes).toBeLessThan(bmp.length * 0.7);
    expect(contents).toEqual([
      ['train/a/a.bmp', bmp],
      ['train/a/b.png', png],
      ['train/a/c.bmp', bmp],
    ]);
    expect(await readFile(join(results, 'train', 'a', 'a.bmp'))).toEqual(bmp);
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
    const known = 'b63f669d82671bf035c5726062e9c8921657713544dde9295d54418032fa9f3c';
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
    const { entries } = await readArchive();
    expect(asked).toEqual(entries.map(({ headerOffset }) => headerOffset));
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
    await filling;
    expect((await archive.finish()).entries).toBe(16);
    const [first] = (await readArchive()).entries;
    expect(bytes).toBe(first && first.compressedBytes + 30 + 'train/0/blank.bmp'.length);
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

    const results = join(folder, 'missing');
    const job = await imagesJob('a.zip', [{ name: 'a.png', data: 'x' }], { results });
    const second = await createArchive(path);
    await expect(fill(second, [job])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(join(results, 'train', 'a', 'a.png')),
    });
    await second.abort();
  });

  test.each(['', 'a\nb', 'a\\b', '../../../a', 'x'.repeat(256), 'a\ud800'])(
    'a name that can’t be unpacked everywhere, before anything is written: %j',
    async (fileName) => {
      const results = await makeResults(join('train', 'a'));
      const job = await imagesJob('a.zip', [{ name: 'a.png', data: 'x' }], { fileName, results });
      const archive = await createArchive(path);
      const failure = { code: 'ZIP', message: expect.stringMatching(/^The archive can’t hold the entry “train\/a\//) };
      await expect(fill(archive, [job])).rejects.toMatchObject(failure);
      expect(archive.bytes).toBe(0);
      await archive.abort();
      expect((await readdir(folder, { recursive: true })).toSorted()).toEqual([
        'a.zip',
        'results',
        join('results', 'train'),
        join('results', 'train', 'a'),
      ]);
    },
  );

  test('a file whose name can’t be unpacked everywhere', async () => {
    const source = join(folder, 'source.zip');
    await writeFile(source, 'some');
    const archive = await createArchive(path);
    await expect(fill(archive, [{ kind: 'file', path: source, name: 'a\nb' }])).rejects.toMatchObject({ code: 'ZIP' });
    await archive.abort();
  });

  test.each([4, 5 * 2 ** 20])('a file of %i bytes whose sum is another than the one that is stated', async (bytes) => {
    const source = join(folder, 'results.csv');
    const right = Buffer.alloc(bytes, 'right');
    await writeFile(source, right);
    const job = { kind: 'file', path: source, name: 'a', sha256: hash('sha256', right, 'hex') } as const;
    const archive = await createArchive(path);
    await fill(archive, [job]);
    // Of the same length: another run writes to the same folder.
    await writeFile(source, Buffer.alloc(bytes, 'wrong'));
    await expect(fill(archive, [job])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(`${source} changed`),
    });
    await archive.abort();
  });

  test('a large file that grows while it is copied', async () => {
    const source = join(folder, 'growing.zip');
    await writeFile(source, Buffer.alloc(5 * 2 ** 20));
    const archive = await createArchive(path);
    // The room is left for the file as it was.
    const slow: ArchiveWriter = {
      ...archive,
      addSegment: (bytes) => {
        appendFileSync(source, 'more');
        return archive.addSegment(bytes);
      },
    };
    await expect(fill(slow, [{ kind: 'file', path: source, name: 'a' }])).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(`${source} changed`),
    });
    await archive.abort();
  });
});

describe('a zip that is still on its way', () => {
  /** A job on a copy of the zip of which `bytes` are there; then it comes as a whole, under its name. */
  async function early(entries: RawEntry[], bytes: number): Promise<EarlyJob> {
    const job = await imagesJob('a.zip', entries);
    const part = join(folder, 'a.zip.part');
    await writeFile(part, (await readFile(job.zip.path)).subarray(0, bytes));
    return { early: { ...job, zip: { ...job.zip, path: part } }, whole: async () => job.zip };
  }

  test.each([
    ['is not there any more', 0],
    ['does not have what it had', 40],
  ])('and %s is tried again when it is whole', async (_, bytes) => {
    const data = randomBytes(1_000);
    const job = await early([{ name: 'a.png', data }], bytes);
    if (bytes === 0) await rm(job.early.zip.path);
    const archive = await createArchive(path);
    await fill(archive, [job]);
    await archive.finish();
    expect((await readArchive()).contents).toEqual([['train/a/a.png', data]]);
  });

  test('gets the place that it had, when a large image breaks off while it is written', async () => {
    const data = Buffer.alloc(LARGE, randomBytes(100_000));
    const job = await early([{ name: 'large.tif', data }], LARGE / 2);
    const next = await imagesJob('b.zip', [{ name: 'b.png', data: 'b' }]);
    const archive = await createArchive(path);
    await fill(archive, [job, next]);
    await archive.finish();
    const { contents } = await readArchive();
    expect(contents.map(([name]) => name)).toEqual(['train/a/large.tif', 'train/b/b.png']);
    expect(contents[0]?.[1].equals(data)).toBe(true);
  });

  test('is not tried again when it was whole, and its fault is the error', async () => {
    const job = await imagesJob('a.zip', [{ name: 'a.png', data: 'x', crc32: 1 }]);
    const archive = await createArchive(path);
    await expect(fill(archive, [{ early: job, whole: async () => job.zip }])).rejects.toThrow('is damaged');
    await archive.abort();
  });

  test('ends with what its download ends with, which comes before what is wrong with its bytes', async () => {
    const job = await imagesJob('a.zip', [{ name: 'a.png', data: 'x', crc32: 1 }]);
    const archive = await createArchive(path);
    const whole = () => Promise.reject(new DiatomError('DOWNLOAD', 'a.zip: gone'));
    await expect(fill(archive, [{ early: job, whole }])).rejects.toThrow('a.zip: gone');
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
