import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive-writer.ts';
import { entryName } from '../../src/archive/entry-name.ts';
import { openZip } from '../../src/archive/open-zip.ts';
import { DEFLATED, directoryRecord, endRecords, localHeader, STORED } from '../../src/archive/zip-records.ts';
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

const stored = (name: string, data: Uint8Array, offset: number) => ({
  name: entryName(name),
  bytes: data.length,
  compressedBytes: data.length,
  method: STORED,
  crc32: crc32(data),
  offset,
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
    await writer.addBuffer('results/train/Größe/a.png', Buffer.from('an image'));
    await writer.addBuffer('results/manifest.csv', Buffer.from(''));
    await writer.finish();
    const entries = [
      { name: 'results/train/Größe/a.png', data: 'an image' },
      { name: 'results/manifest.csv', data: '' },
    ];
    expect(await readFile(path)).toEqual(buildZip({ entries }));
  });

  test('are deflated, with all sizes before them, where that makes them smaller', async () => {
    const text = Buffer.from('path,label,split\n'.repeat(500));
    const writer = await createArchive(path);
    await writer.addBuffer('results/manifest.csv', text);
    await writer.addBuffer('results/report.html', randomBytes(5_000));
    await writer.finish();
    const zip = await openZip(path, { name: 'set.zip' });
    expect(zip.entries).toMatchObject([
      { path: 'results/manifest.csv', method: 8, bytes: text.length },
      { path: 'results/report.html', method: 0, bytes: 5_000, compressedBytes: 5_000 },
    ]);
    const [manifest] = zip.entries;
    if (!manifest) throw new Error('the manifest is missing');
    expect(manifest.compressedBytes).toBeLessThan(text.length / 10);
    expect(await zip.read(manifest)).toEqual(text);
    await zip.close();
    // Flags: the name is UTF-8, and no data descriptor follows.
    expect((await readFile(path)).readUInt16LE(6)).toBe(0x800);
  });

  test('have zip64 end records from 65,535 entries on, and 65,600 entries are read back', async () => {
    const writer = await createArchive(path);
    for (let index = 0; index < 65_600; index++) await writer.addBuffer(`${index}.txt`, Buffer.from(`${index}`));
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
    const module = new URL('../../src/archive/archive-writer.ts', import.meta.url);
    const script = `
      const [umask, out] = process.argv.slice(1);
      process.umask(Number.parseInt(umask, 8));
      const { createArchive } = await import(${JSON.stringify(module.href)});
      const writer = await createArchive(out);
      await writer.addBuffer('results/train/Größe/a.png', Buffer.alloc(100_000, 7));
      await writer.addBuffer('results/train/Größe/a.bmp', Buffer.alloc(300_000, 'a smooth background'));
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
    expect((await readFile(join(folder, 'one.zip'))).equals(await readFile(join(folder, 'two.zip')))).toBe(true);
  });
});

test('what finish tells is true of the file, and progress ends at its size', async () => {
  const progress: number[] = [];
  const writer = await createArchive(path, { onProgress: (bytes) => progress.push(bytes) });
  for (let index = 0; index < 20; index++) await writer.addBuffer(`${index}.png`, randomBytes(1000 * index));
  const facts = await writer.finish();
  const bytes = await readFile(path);
  expect(facts).toEqual({
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    sha1: createHash('sha1').update(bytes).digest('hex'),
    entries: 20,
  });
  expect(progress.at(-1)).toBe(bytes.length);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
});

test('calls may overlap: entries come in the order of the calls', async () => {
  const writer = await createArchive(path);
  const content = randomBytes(2e6);
  const done = await Promise.all([
    writer.addBuffer('b', content),
    writer.addBuffer('a', Buffer.from('1')),
    writer.addBuffer('c', Buffer.from('2')),
    writer.finish(),
  ]);
  expect(done[3].entries).toBe(3);
  const expected = [
    { name: 'b', data: content },
    { name: 'a', data: '1' },
    { name: 'c', data: '2' },
  ];
  expect((await readFile(path)).equals(buildZip({ entries: expected }))).toBe(true);
});

test('any safe names and contents come back from our reader', async () => {
  const part = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((text) => !/[\p{Cc}\u2028\u2029\\/]/u.test(text) && text !== '.' && text !== '..');
  const name = fc
    .array(part, { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'))
    .filter((text) => !/^[A-Za-z]:/.test(text));
  const contentOf = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // These get smaller.
    fc
      .tuple(fc.uint8Array({ minLength: 1 }), fc.integer({ min: 1, max: 2_000 }))
      .map(([part, times]) => Buffer.alloc(part.length * times, part)),
  );
  const files = fc.uniqueArray(fc.tuple(name, contentOf), {
    selector: ([text]) => text,
    maxLength: 10,
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(files, async (entries) => {
      const archive = join(folder, `${run++}.zip`);
      const writer = await createArchive(archive);
      for (const [text, data] of entries) await writer.addBuffer(text, data);
      await writer.finish();
      const expected = entries.map(([text, data]) => [text, Buffer.from(data)] as const);
      expect(await contents(archive)).toEqual(new Map(expected));
    }),
    { numRuns: 200 },
  );
});

describe('what can’t be done', () => {
  test.each(['', '/a', '../a', 'a/../b', 'a\\b', 'C:a', 'a//b', './a', 'a/', 'a\nb', `${'x'.repeat(256)}`, 'a\ud800'])(
    'a name that can’t be unpacked everywhere: %j',
    async (name) => {
      const writer = await createArchive(path);
      await expect(writer.addBuffer(name, Buffer.from('x'))).rejects.toMatchObject({ code: 'ZIP' });
      await writer.abort();
    },
  );

  test('a name twice', async () => {
    const writer = await createArchive(path);
    await writer.addBuffer('a.png', Buffer.from('1'));
    await expect(writer.addBuffer('a.png', Buffer.from('2'))).rejects.toThrow('“a.png”: it is there already');
    await writer.abort();
  });

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

  test('after a failure nothing can finish the archive: it would lack an entry', async () => {
    const writer = await createArchive(path);
    const failure = await writer.addBuffer('/etc/passwd', Buffer.from('x')).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'ZIP' });
    await expect(writer.addBuffer('b.png', Buffer.from('x'))).rejects.toBe(failure);
    await expect(writer.addSegment(100)).rejects.toBe(failure);
    await expect(writer.finish()).rejects.toBe(failure);
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  });

  test('an archive with room that nobody has filled', async () => {
    const writer = await createArchive(path);
    await writer.addSegment(100);
    await expect(writer.finish()).rejects.toThrow('has a gap at 0');
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  });

  test('nothing more is written once the run is cancelled', async () => {
    const run = new AbortController();
    const writer = await createArchive(path, { signal: run.signal });
    await writer.addBuffer('a.png', Buffer.from('1'));
    run.abort();
    const { size } = await stat(path);
    await expect(writer.addBuffer('b.png', Buffer.from('2'))).rejects.toMatchObject({ code: 'CANCELLED' });
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
  const contents = ['first', 'second', 'third'].map((text) => ({ name: `${text}.txt`, data: Buffer.from(text) }));
  const headerOf = (name: string, data: Buffer) => localHeader(stored(name, data, 0));
  const segments = await Promise.all(
    contents.map(({ name, data }) => writer.addSegment(headerOf(name, data).length + data.length)),
  );
  const last = writer.addBuffer('last.txt', Buffer.from('last'));
  for (const index of [2, 0, 1]) {
    const [content, segment] = [contents[index], segments[index]];
    if (!content || !segment) throw new Error('a segment is missing');
    const { name, data } = content;
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.concat([headerOf(name, data), data]), 0, undefined, segment.offset);
    closeSync(file);
    segment.written(1, directoryRecord(stored(name, data, segment.offset)));
  }
  await last;
  expect(await writer.finish()).toMatchObject({ entries: 4 });
  const entries = [...contents, { name: 'last.txt', data: 'last' }];
  expect((await readFile(path)).equals(buildZip({ entries }))).toBe(true);
});

test('a segment may hold any number of entries, and the facts count them all', async () => {
  const writer = await createArchive(path);
  const entries = Array.from({ length: 300 }, (_, index) => ({ name: `${index}.txt`, data: Buffer.from(`${index}`) }));
  const parts = entries.map(({ name, data }) => Buffer.concat([localHeader(stored(name, data, 0)), data]));
  const bytes = Buffer.concat(parts);
  const none = await writer.addSegment(0);
  const segment = await writer.addSegment(bytes.length);
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, undefined, segment.offset);
  closeSync(file);
  let offset = segment.offset;
  const records = entries.map(({ name, data }, index) => {
    const record = directoryRecord(stored(name, data, offset));
    offset += parts[index]?.length ?? 0;
    return record;
  });
  segment.written(entries.length, Buffer.concat(records));
  none.written(0, new Uint8Array());
  expect(await writer.finish()).toMatchObject({ entries: 300 });
  expect((await readFile(path)).equals(buildZip({ entries }))).toBe(true);
});

describe('the archive while it grows', () => {
  test('is told of up to where there is no gap', async () => {
    const writer = await createArchive(path);
    const [first, second] = [await writer.addSegment(31), await writer.addSegment(31)];
    let reached = false;
    const waiting = writer.file.reach(10).then((bytes) => {
      reached = true;
      return bytes;
    });
    second.written(1, directoryRecord(stored('b', Buffer.alloc(0), 31)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(reached).toBe(false);
    first.written(1, directoryRecord(stored('a', Buffer.alloc(0), 0)));
    expect(await waiting).toBe(62);
    const facts = await writer.finish();
    expect(await writer.file.reach(1e9)).toBe(facts.bytes);
    expect(await writer.file.complete).toEqual({ bytes: facts.bytes, sha1: facts.sha1, sha256: facts.sha256 });
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
  const adding = expect(writer.addBuffer('a', randomBytes(5e6))).rejects.toThrow('is aborted');
  await writer.abort();
  await adding;
  await expect(writer.addBuffer('b', Buffer.from('b'))).rejects.toThrow('is aborted');
  await writer.abort();
  expect(await readdir(folder)).toEqual([]);

  const second = await createArchive(path);
  await second.addBuffer('a', Buffer.from('a'));
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
