import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openZip, type ZipEntry } from '../../src/archive/open-zip.ts';
import { DEFAULT_ZIP_LIMITS } from '../../src/archive/zip-limits.ts';
import { DiatomError } from '../../src/errors.ts';
import { buildZip, extraField, numbers, type RawEntry, type RawZip } from '../helpers/zip-builder.ts';

const GOOD: RawEntry = { name: 'good.png', data: 'an image' };

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostile-zips-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

type Options = Omit<Parameters<typeof openZip>[1], 'name'>;

async function open(bytes: Uint8Array, options: Options = {}) {
  const path = join(folder, 'file');
  await writeFile(path, bytes);
  return openZip(path, { name: 'diatoms.zip', ...options });
}

/** Opens a zip, reads and streams all entries that are accepted, and returns the error that one of it must end with. */
async function refusal(bytes: Uint8Array, options: Options = {}): Promise<DiatomError> {
  const error = await useAll(bytes, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DiatomError)) throw new Error(`expected a refusal, found ${String(error)}`);
  expect(await readdir(folder), 'nothing is written').toEqual(['file']);
  expect(error.code).toBe('ZIP');
  expect(error.message).toContain('“diatoms.zip”');
  return error;
}

async function useAll(bytes: Uint8Array, options: Options): Promise<void> {
  const zip = await open(bytes, options);
  try {
    for (const entry of zip.entries) {
      const [read, streamed] = await Promise.allSettled([zip.read(entry), collect(zip.stream(entry))]);
      // Both ways to read must come to the same verdict.
      expect(streamed.status).toBe(read.status);
      if (read.status === 'rejected') {
        if (streamed.status === 'rejected') expect(streamed.reason).toMatchObject({ code: 'ZIP' });
        throw read.reason;
      }
    }
  } finally {
    await zip.close();
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

function zipOf(...entries: RawEntry[]): Buffer {
  return buildZip({ entries: [GOOD, ...entries] });
}

describe('a path that leads elsewhere refuses the zip, also when nobody wants the entry', () => {
  test.each([
    ['..', '../evil.png', 'leads out of the folder'],
    ['.. in the middle', 'a/../../evil.png', 'leads out of the folder'],
    ['.. as a folder', '../', 'leads out of the folder'],
    ['.. after a backslash', 'a\\..\\evil.png', 'leads out of the folder'],
    ['an absolute path', '/etc/evil.png', 'absolute path'],
    ['a share of Windows', '\\\\server\\share\\evil.png', 'absolute path'],
    ['a drive', 'C:/evil.png', 'drive'],
    ['no name', '', 'no name'],
  ])('%s', async (_, name, words) => {
    const error = await refusal(zipOf({ name }), { accept: () => false });
    expect(error.message).toContain(words);
    expect(error.message).toContain(`its entry “${name}”`);
  });

  test('written on Windows too', async () => {
    expect((await refusal(zipOf({ name: '..\\evil.png', madeOn: 0 }))).message).toContain('leads out of the folder');
    expect((await refusal(zipOf({ name: '\\evil.png', madeOn: 0 }))).message).toContain('absolute path');
  });

  test('hidden in the Unicode path field', async () => {
    const name = Buffer.from('innocent.png');
    const extra = extraField(0x7075, Buffer.concat([numbers([1, 1], [4, crc32(name)]), Buffer.from('../evil.png')]));
    expect((await refusal(zipOf({ name, extra, flags: 0 }))).message).toContain('leads out of the folder');
  });
});

describe('entries that contradict each other refuse the zip', () => {
  test('one path twice', async () => {
    const error = await refusal(zipOf({ name: 'a.png', data: '1' }, { name: 'a.png', data: '2' }));
    expect(error.message).toContain('its entry “a.png” is there twice');
  });

  test('one path in two spellings', async () => {
    expect((await refusal(zipOf({ name: 'a/b.png' }, { name: './a//b.png' }))).message).toContain('“a/b.png” is there');
    const fromWindows = zipOf({ name: 'a/b.png' }, { name: 'a\\b.png', madeOn: 10 });
    expect((await refusal(fromWindows)).message).toContain('“a/b.png” is there twice');
  });

  test('two entries with the same data', async () => {
    const error = await refusal(zipOf({ name: 'copy.png', data: 'an image', offset: 0 }));
    expect(error.message).toContain('overlaps with the entry “copy.png”');
  });

  test('an entry that reaches into the next', async () => {
    const entry = { name: 'long.png', data: 'short', bytes: 20, compressedBytes: 20 };
    const error = await refusal(buildZip({ entries: [entry, GOOD] }));
    expect(error.message).toContain('its entry “long.png” overlaps with the entry “good.png”');
  });

  test('an entry that reaches into the list of entries, or beyond the file', async () => {
    for (const size of [6, 1e6, 16e9]) {
      const entry = { name: 'long.png', data: 'short', bytes: size, compressedBytes: size, zip64: true };
      expect((await refusal(zipOf(entry))).message).toContain('“long.png” overlaps with the list of entries');
    }
  });

  test('an entry that reaches into the next through its local extra field', async () => {
    const data = 'data that is long enough';
    const entry = { name: 'a.png', data: '', packed: Buffer.alloc(0), local: { extra: Buffer.alloc(20) } };
    const bytes = buildZip({ entries: [{ ...entry, data, packed: Buffer.from(data) }, GOOD] });
    bytes.writeUInt16LE(30, 28);
    expect((await refusal(bytes)).message).toContain('“a.png” overlaps with what follows it');
  });
});

describe('a bomb refuses the zip before anything is unpacked', () => {
  const limits = { ...DEFAULT_ZIP_LIMITS, ratioFloorBytes: 10_000, maxEntryBytes: 1e6, maxTotalBytes: 3e6 };
  const zeros = (size: number): Partial<RawEntry> => ({ data: Buffer.alloc(size), method: 8 });
  const noise = (size: number): Partial<RawEntry> => ({
    data: Buffer.from(Array.from({ length: size }, (_, index) => (index * index * 2654435761) >>> 24)),
  });

  test('by the size of one entry, unwanted or not', async () => {
    const error = await refusal(zipOf({ name: 'big.png', ...noise(1_000_001) }), { limits, accept: () => false });
    expect(error.message).toContain('its entry “big.png” unpacks to 1,000,001 bytes, more than 1,000,000 bytes');
  });

  test('by the size of all entries', async () => {
    const entries = ['a', 'b', 'c', 'd'].map((name) => ({ name, ...noise(800_000) }));
    expect((await refusal(zipOf(...entries), { limits })).message).toContain('its 5 entries unpack to 3,200,008 bytes');
  });

  test('by the ratio of one entry', async () => {
    const error = await refusal(zipOf({ name: 'bomb.png', ...zeros(500_000) }), { limits });
    expect(error.message).toMatch(/its entry “bomb\.png” unpacks from \d+ bytes to 500,000 bytes, more than 250 times/);
  });

  test('by the ratio of all entries', async () => {
    const entries = Array.from({ length: 10 }, (_, index) => ({ name: `${index}.png`, ...zeros(9_000) }));
    const strict = { ...limits, maxRatio: 100 };
    expect((await refusal(zipOf(...entries), { limits: strict })).message).toContain('its 11 entries unpack from');
  });

  test('an entry that is packed into far more than it is', async () => {
    // Deflated, in blocks without content (RFC 1951, 3.2.4).
    const padding = Buffer.concat(Array.from({ length: 3_000 }, () => Buffer.from([0, 0, 0, 0xff, 0xff])));
    const packed = Buffer.concat([padding, deflateRawSync('an image')]);
    const error = await refusal(buildZip({ entries: [GOOD, { name: 'a.png', data: 'an image', method: 8, packed }] }), {
      limits,
    });
    expect(error.message).toMatch(/“a\.png”.* takes 15,01\d bytes in the zip and unpacks to 8 bytes only/);
  });

  test('by the number of entries', async () => {
    const entries = Array.from({ length: 10 }, (_, index) => ({ name: `${index}.png` }));
    const error = await refusal(zipOf(...entries), { limits: { ...limits, maxEntries: 10 } });
    expect(error.message).toContain('it has 11 entries, more than 10');
  });

  test('by a number of entries that only the end record has', async () => {
    const bytes = buildZip({ entries: [GOOD], end: { entries: 2 ** 40 }, zip64: {} });
    expect((await refusal(bytes)).message).toContain('more than 500000');
  });

  test('by data that unpack to more than the list of entries says', async () => {
    const packed = deflateRawSync(Buffer.alloc(5e6));
    for (const bytes of [0, 10]) {
      const error = await refusal(zipOf({ name: 'liar.png', method: 8, packed, bytes }));
      expect(error.message).toContain(`its entry “liar.png” unpacks to more than the ${bytes} bytes`);
    }
  });

  test('with the default limits: ten gigabytes of zeros', async () => {
    const bomb = { name: 'bomb.png', method: 8, packed: Buffer.alloc(10_000), bytes: 10e9, zip64: true };
    expect((await refusal(zipOf(bomb), { accept: () => false })).message).toContain('“bomb.png” unpacks from');
  });
});

describe('an entry that can’t be used refuses the zip when it is wanted, and only then', () => {
  const cases: readonly (readonly [string, RawEntry, string])[] = [
    ['a symbolic link', { name: 'bad.png', data: '/etc/passwd', mode: 0o120777 }, 'is a symbolic link'],
    ['a symbolic link made on “Windows”', { name: 'bad.png', mode: 0o120777, madeOn: 0 }, 'is a symbolic link'],
    ['a device', { name: 'bad.png', mode: 0o020666 }, 'is a device'],
    ['a named pipe', { name: 'bad.png', mode: 0o010666 }, 'is a named pipe'],
    ['a socket', { name: 'bad.png', mode: 0o140666 }, 'is a socket'],
    ['a folder that looks like a file', { name: 'bad.png', mode: 0o040755 }, 'is a folder'],
    ['an encrypted entry', { name: 'bad.png', data: 'x'.repeat(20), flags: 0x801 }, 'is encrypted'],
    ['an entry encrypted with AES', { name: 'bad.png', data: 'x', flags: 0x801, method: 99 }, 'is encrypted'],
    ['bzip2', { name: 'bad.png', method: 12 }, 'method 12 (bzip2); only Store (0) and Deflate (8)'],
    ['Deflate64', { name: 'bad.png', method: 9 }, 'method 9 (Deflate64)'],
    ['a method nobody knows', { name: 'bad.png', method: 77 }, 'method 77 (unknown)'],
    ['a stored entry of two sizes', { name: 'bad.png', data: 'abc', bytes: 5 }, 'in 3 bytes, though it has 5'],
    ['NUL in its name', { name: 'bad.png\0.txt' }, '“bad.png␀.txt” has a control character'],
    ['a line break in its name', { name: 'bad\n::error::.png' }, '“bad␊::error::.png” has a control character'],
    ['a control byte that CP437 shows as a symbol', { name: 'bad\x01.png', flags: 0 }, 'has a control character'],
    ['a letter and a colon before its name', { name: 'm:bad.png' }, 'which is a drive on Windows'],
    ['a name over 255 bytes', { name: `a/${'ä'.repeat(128)}/bad.png` }, 'has a name of 256 bytes'],
  ];

  test.each(cases)('%s', async (_, entry, words) => {
    const error = await refusal(zipOf(entry));
    expect(error.message).toContain('its entry “');
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(/[\n\0]/);

    const zip = await open(zipOf(entry), { accept: (path) => path === 'good.png' });
    const bad = zip.entries.find((candidate) => candidate.path !== 'good.png');
    const good = zip.entries.find((candidate) => candidate.path === 'good.png');
    if (!bad || !good) throw new Error('an entry is missing');
    expect(bad.fault).toContain(words.replace(/^“.*” /, ''));
    expect(bad.path).not.toMatch(/[\n\0]/);
    expect(String(await zip.read(good))).toBe('an image');
    await expect(zip.read(bad)).rejects.toThrow(words);
    await expect(collect(zip.stream(bad))).rejects.toThrow(words);
    await zip.close();
  });
});

describe('content that is not what the zip promises', () => {
  const text = 'valves and girdle bands '.repeat(40);

  test.each([
    ['a wrong CRC-32, stored', { data: text, crc32: 1 }, /is damaged: its checksum .* should be 00000001/],
    ['a wrong CRC-32, deflated', { data: text, method: 8, crc32: 1 }, /is damaged: its checksum/],
    ['fewer bytes', { data: text, method: 8, bytes: 1000 }, /has 960 bytes and should have 1000/],
    ['more bytes', { data: text, method: 8, bytes: 959 }, /unpacks to more than the 959 bytes/],
    ['data that are not deflated', { data: text, method: 8, packed: Buffer.alloc(20, 7) }, /can’t be unpacked/],
    [
      'data that end too early',
      { data: text, method: 8, packed: deflateRawSync(text).subarray(0, 20) },
      /can’t be unpacked/,
    ],
    ['another name in its own header', { data: text, local: { name: 'evil.png' } }, /in two places .* \(its name\)/],
    ['a longer name in its own header', { data: text, local: { name: 'a.png..' } }, /\(its name\)/],
    ['another method in its own header', { data: text, local: { method: 8 } }, /its compression method, 8 and 0/],
    ['another checksum in its own header', { data: text, local: { crc32: 5 } }, /\(its checksum\)/],
    ['another size in its own header', { data: text, local: { bytes: 5 } }, /\(its size\)/],
    ['another packed size in its own header', { data: text, local: { compressedBytes: 5 } }, /\(its size\)/],
    ['encryption in its own header', { data: text, local: { flags: 0x801 } }, /\(whether it is encrypted\)/],
    ['no header of its own', { data: text, local: { signature: 0 } }, /\(its own header is missing\)/],
  ])('%s', async (_, entry, words) => {
    const error = await refusal(zipOf({ name: 'a.png', ...entry }));
    expect(error.message).toContain('its entry “a.png”');
    expect(error.message).toMatch(words);
  });

  test('every flipped bit of the data is found', async () => {
    const bytes = buildZip({ entries: [{ name: 'a.png', data: text, method: 8 }] });
    const start = 30 + 'a.png'.length;
    const end = start + deflateRawSync(text).length;
    for (let bit = start * 8; bit < end * 8; bit++) {
      const wrong = Buffer.from(bytes);
      wrong.writeUInt8((wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
      const zip = await open(wrong);
      const read = zip.entries.map((entry) => zip.read(entry).catch((error: unknown) => error));
      const [result] = await Promise.all(read);
      // A bit of the padding after the last code changes nothing.
      if (Buffer.isBuffer(result)) expect(String(result)).toBe(text);
      else expect(result).toMatchObject({ code: 'ZIP' });
      await zip.close();
    }
  });
});

describe('a file that is not a whole zip', () => {
  const whole = zipOf({ name: 'a.png', data: 'x'.repeat(1000) });

  test.each([
    ['an empty file', '', 'the file is empty'],
    ['a web page', '\n<!DOCTYPE html><title>Sign in</title>', 'is not a zip but a web page'],
    ['a RAR archive', 'Rar!\x1a\x07', 'is not a zip but a RAR archive'],
    ['a 7z archive', '7z\xbc\xaf\x27\x1c', 'is not a zip but a 7z archive'],
    ['a gzip file', '\x1f\x8b\x08', 'is not a zip but a gzip file'],
    ['anything else', 'label,split\n', 'is not a zip but something else'],
    ['the first part of a split zip', 'PK\x07\x08PK\x03\x04', 'split into several files'],
  ])('%s', async (_, text, words) => {
    const error = await refusal(Buffer.from(text, 'latin1'));
    expect(error.message).toContain(words);
  });

  test('cut short, wherever', async () => {
    for (let length = 4; length < whole.length; length += 13) {
      expect((await refusal(whole.subarray(0, length))).message).toMatch(/cut short|damaged/);
    }
    expect((await refusal(whole.subarray(0, 500))).message).toContain('it is cut short: its end is missing');
  });

  test('with a gap in its middle', async () => {
    const gap = Buffer.concat([whole.subarray(0, 100), whole.subarray(200)]);
    expect((await refusal(gap)).message).toContain('damaged');
  });

  test.each([
    ['the last part of a split zip', { end: { disk: 2 } }, 'split into several files'],
    ['the last part of a split zip64', { zip64: { disk: 2 } }, 'split into several files'],
    ['a list of entries beyond the end', { end: { directoryOffset: 1e6 } }, 'its list of entries is damaged'],
    ['a list of entries at no place a file can have', { end: { directoryOffset: 2 ** 52 }, zip64: {} }, 'damaged'],
    ['more entries promised than there are', { end: { entries: 5 } }, 'damaged, after the entry “good.png”'],
    ['entries that the end record hides', { end: { entries: 0 } }, 'more entries than the 0 that its end record'],
  ] satisfies [string, Omit<RawZip, 'entries'>, string][])('%s', async (_, options, words) => {
    expect((await refusal(buildZip({ entries: [GOOD], ...options }))).message).toContain(words);
  });

  test('behind another zip, of which its end says nothing', async () => {
    expect((await refusal(Buffer.concat([whole, whole]))).message).toContain(
      'stand before the zip, and they are another',
    );
  });

  test('with strong encryption', async () => {
    expect((await refusal(zipOf({ name: 'a.png', flags: 0x41 }))).message).toContain(
      'encrypted, after the entry “good',
    );
  });

  test('with an extra field that is longer than its room', async () => {
    const error = await refusal(zipOf({ name: 'a.png', extra: numbers([2, 0x7075], [2, 100]) }));
    expect(error.message).toContain('its list of entries is damaged, after the entry “good.png”');
  });

  test('that became shorter after it was opened', async () => {
    const zip = await open(whole);
    await writeFile(join(folder, 'file'), whole.subarray(0, 100));
    const a = zip.entries.find((entry: ZipEntry) => entry.path === 'a.png');
    if (!a) throw new Error('a.png is missing');
    await expect(zip.read(a)).rejects.toThrow('its entry “a.png” is cut short');
    await expect(collect(zip.stream(a))).rejects.toThrow('its entry “a.png” is cut short');
    await zip.close();
  });

  test('a missing file, or a folder, is an error of the disk', async () => {
    await expect(openZip(join(folder, 'none'), { name: 'x.zip' })).rejects.toMatchObject({ code: 'DISK' });
    await expect(openZip(folder, { name: 'x.zip' })).rejects.toMatchObject({ code: 'DISK' });
  });
});
