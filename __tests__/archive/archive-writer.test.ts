import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { ZipArchive } from 'archiver';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive-writer.ts';
import { entryName } from '../../src/archive/entry-name.ts';
import { openZip } from '../../src/archive/open-zip.ts';
import { DEFLATED, directoryRecord, endRecords, localHeader } from '../../src/archive/zip-records.ts';
import { addEntries, segmentOf, writeAt } from '../helpers/archive-entries.ts';
import { buildZip, extraField, numbers } from '../helpers/zip-builder.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-writer-'));
  path = join(folder, 'set.zip');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function contents(archive: string): Promise<Map<string, Buffer>> {
  const zip = await openZip(archive, { name: 'set.zip' });
  const found = new Map<string, Buffer>();
  for (const entry of zip.entries) found.set(entry.path, await zip.read(entry));
  await zip.close();
  return found;
}

describe('the bytes', () => {
  test('are those of APPNOTE.TXT: stored, UTF-8, 1980-01-01, mode 0644, no extra field, sizes before the data', async () => {
    const writer = await createArchive(path);
    const entries = [
      { name: 'results/train/Größe/a.png', data: Buffer.from('an image') },
      { name: 'results/manifest.csv', data: Buffer.from('') },
    ];
    await addEntries(writer, entries);
    await writer.finish();
    expect(await readFile(path)).toEqual(buildZip({ entries }));
  });

  test('are read as those are that archiver makes of the same files', async () => {
    const entries = ['a.png', 'results/train/Größe/b.png', 'leer.txt'].map((name, index) => ({
      name,
      data: randomBytes(index * 1_000),
    }));
    const writer = await createArchive(path);
    await addEntries(writer, entries);
    await writer.finish();
    const peer = new ZipArchive();
    for (const { name, data } of entries) peer.append(data, { name });
    const other = join(folder, 'peer.zip');
    await Promise.all([pipeline(peer, createWriteStream(other)), peer.finalize()]);
    expect(await contents(path)).toEqual(await contents(other));
    expect((await contents(other)).size).toBe(entries.length);
  });

  test('have zip64 end records from 65,535 entries on, and 65,600 entries are read back', async () => {
    const writer = await createArchive(path);
    await addEntries(
      writer,
      Array.from({ length: 65_600 }, (_, index) => ({ name: `${index}.txt`, data: Buffer.from(`${index}`) })),
    );
    expect(await writer.finish()).toMatchObject({ entries: 65_600, bytes: (await stat(path)).size });
    const bytes = await readFile(path);
    expect(bytes.subarray(-98, -94)).toEqual(numbers([4, 0x06064b50]));
    const zip = await openZip(path, { name: 'set.zip' });
    expect(zip.entries).toHaveLength(65_600);
    const last = zip.entries.find((entry) => entry.path === '65599.txt');
    if (!last) throw new Error('the last entry is missing');
    expect(String(await zip.read(last))).toBe('65599');
    await zip.close();
  });

  test('are the same in another time zone, with another umask and locale, from another folder', async () => {
    await mkdir(join(folder, 'elsewhere'));
    const [png, bmp] = [join(folder, 'a.png'), join(folder, 'a.bmp')];
    await writeFile(png, Buffer.alloc(100_000, 7));
    await writeFile(bmp, Buffer.alloc(300_000, 'a smooth background'));
    const jobs = [
      { kind: 'file', path: png, name: 'results/train/Größe/a.png' },
      { kind: 'file', path: bmp, name: 'results/train/Größe/a.bmp' },
    ];
    const module = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const script = `
      const [umask, out] = process.argv.slice(1);
      process.umask(Number.parseInt(umask, 8));
      const { createArchive } = await import(${module('archive/archive-writer.ts')});
      const { fillArchive } = await import(${module('prepare-data/archive-jobs.ts')});
      const { startFillPool } = await import(${module('prepare-data/fill-pool.ts')});
      const writer = await createArchive(out);
      const threads = startFillPool(out, 2);
      await fillArchive(writer, ${JSON.stringify(jobs)}, { threads, signal: new AbortController().signal });
      await threads.close();
      console.log(JSON.stringify(await writer.finish()));`;
    const runs = [
      { umask: '000', tz: 'Pacific/Kiritimati', locale: 'C', cwd: folder, out: 'one.zip' },
      { umask: '077', tz: 'America/Adak', locale: 'tr_TR.UTF-8', cwd: join(folder, 'elsewhere'), out: '../two.zip' },
    ];
    const facts = [];
    for (const { umask, tz, locale, cwd, out } of runs) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', script, umask, out],
        { cwd, env: { ...process.env, TZ: tz, LC_ALL: locale, NODE_OPTIONS: '' } },
      );
      facts.push(JSON.parse(stdout));
    }
    expect(facts[0]).toEqual(facts[1]);
    expect(facts[0]).toMatchObject({ entries: 2 });
    expect((await readFile(join(folder, 'one.zip'))).equals(await readFile(join(folder, 'two.zip')))).toBe(true);
  });
});

test('what finish tells is true of the file, and progress ends at its size', async () => {
  const progress: number[] = [];
  const writer = await createArchive(path, { onProgress: (bytes) => progress.push(bytes) });
  for (let index = 0; index < 20; index++) {
    await addEntries(writer, [{ name: `${index}.png`, data: randomBytes(1000 * index) }]);
  }
  const facts = await writer.finish();
  const bytes = await readFile(path);
  expect(facts).toEqual({
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    uploadSum: createHash('sha1').update(bytes).digest('hex'),
    entries: 20,
  });
  expect(progress.at(-1)).toBe(bytes.length);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
});

test('any safe names and contents come back from our reader', async () => {
  const part = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((text) => !/[\p{Cc}\u2028\u2029\\/]/u.test(text) && text !== '.' && text !== '..');
  const name = fc
    .array(part, { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'))
    .filter((text) => !/^[A-Za-z]:/.test(text));
  const files = fc.uniqueArray(fc.record({ name, data: fc.uint8Array({ maxLength: 300 }) }), {
    selector: (file) => file.name,
    maxLength: 50,
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(files, async (entries) => {
      const archive = join(folder, `${run++}.zip`);
      const writer = await createArchive(archive);
      await addEntries(writer, entries);
      await writer.finish();
      const expected = entries.map((entry) => [entry.name, Buffer.from(entry.data)] as const);
      expect(await contents(archive)).toEqual(new Map(expected));
    }),
    // Each archive starts a thread, which takes most of the time: few with many files.
    { numRuns: 40 },
  );
});

describe('what can’t be done', () => {
  test.each(['', '/a', '../a', 'a/../b', 'a\\b', 'C:a', 'a//b', './a', 'a/', 'a\nb', `${'x'.repeat(256)}`, 'a\ud800'])(
    'a name that can’t be unpacked everywhere: %j',
    (name) => {
      expect(() => entryName(name)).toThrow(expect.objectContaining({ code: 'ZIP' }));
    },
  );

  test('a file in the place of the archive is kept', async () => {
    await writeFile(path, 'precious');
    await expect(createArchive(path)).rejects.toMatchObject({ code: 'DISK', message: expect.stringContaining(path) });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  test('a missing folder is an error of the disk that names the file', async () => {
    const nowhere = join(folder, 'none', 'set.zip');
    await expect(createArchive(nowhere)).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(nowhere),
    });
  });

  test('an archive with room that nobody has filled, now or later', async () => {
    const writer = await createArchive(path);
    await writer.addSegment(100);
    const failure = await writer.finish().catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringContaining('has a gap at 0') });
    await expect(writer.addSegment(100)).rejects.toBe(failure);
    await expect(writer.finish()).rejects.toBe(failure);
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  });

  test('nothing more is written once the run is cancelled', async () => {
    const run = new AbortController();
    const writer = await createArchive(path, { signal: run.signal });
    await addEntries(writer, [{ name: 'a.png', data: Buffer.from('1') }]);
    run.abort();
    const { size } = await stat(path);
    await expect(writer.addSegment(100)).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(writer.finish()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await stat(path)).size).toBe(size);
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
    await expect(createArchive(path, { signal: run.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await readdir(folder)).toEqual([]);
  });
});

test('others write entries into the room that is left for them, in any order', async () => {
  const writer = await createArchive(path);
  const entries = ['first', 'second', 'third'].map((text) => ({ name: `${text}.txt`, data: Buffer.from(text) }));
  const places = await Promise.all(
    entries.map(async (entry) => {
      const part = segmentOf([entry]);
      return { ...part, segment: await writer.addSegment(part.bytes.length) };
    }),
  );
  for (const index of [2, 0, 1]) {
    const place = places[index];
    if (!place) throw new Error('a segment is missing');
    const { bytes, recordsAt, segment } = place;
    writeAt(path, bytes, segment.offset);
    segment.written(1, recordsAt(segment.offset));
  }
  expect(await writer.finish()).toMatchObject({ entries: 3 });
  expect((await readFile(path)).equals(buildZip({ entries }))).toBe(true);
});

test('a segment may turn out empty, also after the next one is written', async () => {
  const writer = await createArchive(path);
  const entries = ['first', 'last'].map((text) => ({ name: `${text}.txt`, data: Buffer.from(text) }));
  const [first, last] = entries.map((entry) => segmentOf([entry]));
  if (!first || !last) throw new Error('a segment is missing');
  const places = [first, undefined, last];
  const segments = await Promise.all(places.map((place) => writer.addSegment(place?.bytes.length ?? 0)));
  for (const index of [2, 1, 0]) {
    const [place, segment] = [places[index], segments[index]];
    if (place && segment) writeAt(path, place.bytes, segment.offset);
    segment?.written(place ? 1 : 0, place?.recordsAt(segment.offset) ?? new Uint8Array());
  }
  await writer.finish();
  expect((await readFile(path)).equals(buildZip({ entries }))).toBe(true);
});

test('a segment may hold any number of entries, and the facts count them all', async () => {
  const writer = await createArchive(path);
  const entries = Array.from({ length: 300 }, (_, index) => ({ name: `${index}.txt`, data: Buffer.from(`${index}`) }));
  await addEntries(writer, []);
  await addEntries(writer, entries);
  expect(await writer.finish()).toMatchObject({ entries: 300 });
  expect((await readFile(path)).equals(buildZip({ entries }))).toBe(true);
});

describe('the archive while it grows', () => {
  test('is reported up to the first gap', async () => {
    const writer = await createArchive(path);
    const [first, second] = [await writer.addSegment(31), await writer.addSegment(31)];
    const records = (name: string, offset: number) => segmentOf([{ name, data: Buffer.alloc(0) }]).recordsAt(offset);
    let reached = false;
    const waiting = writer.file.reach(10).then((bytes) => {
      reached = true;
      return bytes;
    });
    second.written(1, records('b', 31));
    await new Promise((resolve) => setImmediate(resolve));
    expect(reached).toBe(false);
    first.written(1, records('a', 0));
    expect(await waiting).toBe(62);
    const facts = await writer.finish();
    expect(await writer.file.reach(1e9)).toBe(facts.bytes);
    expect(await writer.file.complete).toEqual({
      bytes: facts.bytes,
      uploadSum: facts.uploadSum,
      sha256: facts.sha256,
    });
  });

  test('fails for whoever waits when it is discarded', async () => {
    const writer = await createArchive(path);
    const waiting = expect(writer.file.reach(1)).rejects.toThrow('was discarded');
    const complete = expect(writer.file.complete).rejects.toThrow('was discarded');
    await writer.abort();
    await waiting;
    await complete;
  });
});

test('abort removes the file, may come twice, and leaves a finished archive alone', async () => {
  const writer = await createArchive(path);
  await addEntries(writer, [{ name: 'a', data: randomBytes(5e6) }]);
  await writer.abort();
  await expect(writer.addSegment(1)).rejects.toThrow('is aborted');
  await writer.abort();
  expect(await readdir(folder)).toEqual([]);

  const second = await createArchive(path);
  await addEntries(second, [{ name: 'a', data: Buffer.from('a') }]);
  await second.finish();
  await second.abort();
  expect(String((await contents(path)).get('a'))).toBe('a');
});

test('the zip64 fields of entries beyond 4 GiB are those of APPNOTE.TXT', async () => {
  const entry = {
    name: Buffer.from('a'),
    bytes: 5e9,
    compressedBytes: 4.5e9,
    method: DEFLATED,
    crc32: 1,
    offset: 6e9,
  };
  const local = localHeader(entry);
  expect(local.subarray(18, 26)).toEqual(Buffer.alloc(8, 0xff));
  expect(local.subarray(31)).toEqual(extraField(1, numbers([8, 5e9], [8, 4.5e9])));
  const central = directoryRecord(entry);
  expect(central.subarray(20, 28)).toEqual(Buffer.alloc(8, 0xff));
  expect(central.subarray(47)).toEqual(extraField(1, numbers([8, 5e9], [8, 4.5e9], [8, 6e9])));
  const far = directoryRecord({ ...entry, bytes: 5, compressedBytes: 4 });
  expect([far.readUInt32LE(20), far.readUInt32LE(24)]).toEqual([4, 5]);
  expect(far.subarray(47)).toEqual(extraField(1, numbers([8, 6e9])));
  // A local header has both sizes in the field, or none; the directory only those that don't fit.
  const small = { ...entry, compressedBytes: 4, offset: 0 };
  expect(localHeader(small).subarray(18, 26)).toEqual(Buffer.alloc(8, 0xff));
  expect(localHeader(small).subarray(31)).toEqual(extraField(1, numbers([8, 5e9], [8, 4])));
  expect(directoryRecord(small).readUInt32LE(20)).toBe(4);
  expect(directoryRecord(small).subarray(47)).toEqual(extraField(1, numbers([8, 5e9])));
  expect(endRecords(65_534, 0xffffffff - 1, 1)).toHaveLength(22);
  for (const end of [endRecords(65_535, 0, 1), endRecords(1, 0xffffffff, 1), endRecords(1, 0, 0xffffffff)]) {
    expect(end).toHaveLength(98);
  }
});
