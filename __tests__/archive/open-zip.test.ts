import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OpenZip, openZip } from '../../src/archive/open-zip.ts';
import { buildZip, extraField, numbers, type RawEntry, type RawZip } from '../helpers/zip-builder.ts';

let folder: string;
let opened: OpenZip[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'open-zip-'));
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((zip) => zip.close()));
  await rm(folder, { recursive: true });
});

async function open(raw: RawZip): Promise<OpenZip> {
  const path = join(folder, 'zip');
  await writeFile(path, buildZip(raw));
  const zip = await openZip(path, { name: 'diatoms.zip' });
  opened.push(zip);
  return zip;
}

async function paths(...entries: RawEntry[]): Promise<string[]> {
  return (await open({ entries })).entries.map((entry) => entry.path);
}

/** path → content, both ways of reading compared. */
async function contents(zip: OpenZip): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of zip.entries) {
    const content = await zip.read(entry);
    const pieces: Uint8Array[] = [];
    for await (const piece of zip.stream(entry)) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
    found[entry.path] = String(content);
  }
  return found;
}

describe('names', () => {
  test('are UTF-8 when flagged', async () => {
    expect(await paths({ name: 'Größe/Naïve.png' })).toEqual(['Größe/Naïve.png']);
  });

  test('are CP437 when not flagged', async () => {
    expect(await paths({ name: Buffer.from([0x47, 0x72, 0x94, 0xe1, 0x65]), flags: 0, madeOn: 0 })).toEqual(['Größe']);
    expect(await paths({ name: Buffer.from([0x82]), flags: 0, madeOn: 3 })).toEqual(['é']);
  });

  test.each([0, 3, 10, 19])(
    'are UTF-8 without a flag, as the Finder writes them, also when made on system %i',
    async (madeOn) => {
      expect(await paths({ name: 'Größe.png', flags: 0, madeOn })).toEqual(['Größe.png']);
    },
  );

  test.each([0, 3])(
    'of other encodings are always shown alike, also with half a character that is a backslash, on system %i',
    async (madeOn) => {
      // 珪藻/ソ.png in Shift-JIS, 功/a.png in GBK, Kützingia in Windows-1252.
      const shiftJis = Buffer.from([0x8c, 0x5d, 0x91, 0x94, 0x2f, 0x83, 0x5c, 0x2e, 0x70, 0x6e, 0x67]);
      expect(await paths({ name: shiftJis, flags: 0, madeOn })).toEqual(['î]æö/â＼.png']);
      expect(await paths({ name: Buffer.from([0x81, 0x5c, 0x2f, 0x61]), flags: 0, madeOn })).toEqual(['ü＼/a']);
      expect(await paths({ name: Buffer.from('K\xfctzingia/a', 'latin1'), flags: 0, madeOn })).toEqual(['Kⁿtzingia/a']);
    },
  );

  test('come from Info-ZIP’s Unicode path field, if it belongs to the name', async () => {
    const name = Buffer.from('Gr?sse.png');
    const unicode = (sum: number) =>
      extraField(0x7075, Buffer.concat([numbers([1, 1], [4, sum]), Buffer.from('Größe.png')]));
    expect(await paths({ name, flags: 0, extra: unicode(crc32(name)) })).toEqual(['Größe.png']);
    expect(await paths({ name, flags: 0, extra: unicode(1) })).toEqual(['Gr?sse.png']);
    const control = Buffer.from('Gr\x14sse.png');
    expect(await paths({ name: control, flags: 0, extra: unicode(crc32(control)) })).toEqual(['Größe.png']);
  });

  test('that differ only in case or Unicode form are different entries', async () => {
    const names = ['A.png', 'a.png', '\u00e9.png', 'e\u0301.png'];
    expect(new Set(await paths(...names.map((name) => ({ name }))))).toEqual(new Set(names));
  });

  test('made on Windows have backslashes between their folders', async () => {
    expect(await paths({ name: 'train\\a.png', madeOn: 0 }, { name: 'train\\', madeOn: 0 })).toEqual(['train/a.png']);
  });

  test('have them in the whole zip where a program on Windows says that it is Unix', async () => {
    const names = ['train\\a.png', 'train\\b\\', 'readme.txt'];
    expect(await paths(...names.map((name) => ({ name, madeOn: 3 })))).toEqual(['readme.txt', 'train/a.png']);
  });

  test('with a backslash that may be no folder can’t be used, and don’t concern the others', async () => {
    const path = join(folder, 'zip');
    await writeFile(path, buildZip({ entries: [{ name: 'train/a.png' }, { name: 'train/b\\c.png' }] }));
    const zip = await openZip(path, { name: 'x.zip', accept: (name) => name === 'train/a.png' });
    opened.push(zip);
    expect(zip.entries).toMatchObject([{ fault: undefined }, { fault: expect.stringContaining('backslash') }]);
    await expect(openZip(path, { name: 'x.zip' })).rejects.toThrow('“train/b\\c.png” has a backslash in its name');
  });

  test('lose “.” and empty components, as bsdtar writes them', async () => {
    expect(await paths({ name: './' }, { name: './a//b.png' })).toEqual(['a/b.png']);
  });

  test('are sorted by code points, folders left out', async () => {
    const names = ['b/', 'b/x', '\u{1f52c}.png', '\uff21.png', 'B', 'a', 'b/'];
    expect(await paths(...names.map((name) => ({ name })))).toEqual(['B', 'a', 'b/x', '\uff21.png', '\u{1f52c}.png']);
  });

  test('of unwanted entries show control characters as pictures', async () => {
    const path = join(folder, 'zip');
    await writeFile(path, buildZip({ entries: [{ name: 'Icon\r' }] }));
    const zip = await openZip(path, { name: 'x.zip', accept: (name) => name.endsWith('.png') });
    opened.push(zip);
    expect(zip.entries).toMatchObject([{ path: 'Icon␍', fault: expect.stringContaining('control character') }]);
  });
});

describe('what is read', () => {
  const text = 'Navicula '.repeat(5000);

  test('stored and deflated entries, empty ones, with and without a data descriptor', async () => {
    const zip = await open({
      entries: [
        { name: 'stored', data: text },
        { name: 'deflated', data: text, method: 8 },
        { name: 'stored-descriptor', data: text, descriptor: true },
        { name: 'deflated-descriptor', data: text, method: 8, descriptor: true },
        { name: 'empty' },
        { name: 'empty-deflated', method: 8 },
        { name: 'empty-without-data', method: 8, packed: Buffer.alloc(0) },
      ],
      comment: 'a comment',
    });
    expect(await contents(zip)).toEqual({
      stored: text,
      deflated: text,
      'stored-descriptor': text,
      'deflated-descriptor': text,
      empty: '',
      'empty-deflated': '',
      'empty-without-data': '',
    });
    expect(zip.name).toBe('diatoms.zip');
    expect(zip.entries.find((entry) => entry.path === 'deflated')).toMatchObject({
      path: 'deflated',
      bytes: text.length,
      compressedBytes: deflateRawSync(text).length,
      crc32: crc32(text),
    });
  });

  test('zip64 sizes, offsets and end record; OneDrive’s locator that counts no disks', async () => {
    const entries = [
      { name: 'a', data: text, zip64: true },
      { name: 'b', data: text, method: 8, zip64: true, local: { bytes: 0xffffffff, compressedBytes: 0xffffffff } },
    ];
    for (const disks of [0, 1])
      expect(await contents(await open({ entries, zip64: { disks } }))).toEqual({ a: text, b: text });
  });

  test('an empty zip', async () => {
    expect((await open({ entries: [] })).entries).toEqual([]);
  });

  test('an entry whose own header has a longer extra field than the list of entries', async () => {
    const extra = extraField(0xd935, Buffer.alloc(3000));
    expect(await contents(await open({ entries: [{ name: 'a', data: text, local: { extra } }] }))).toEqual({ a: text });
  });

  test('a directory of many thousand entries', async () => {
    const entries = Array.from({ length: 20_000 }, (_, index) => ({
      name: `folder/image ${index}.png`,
      data: `${index}`,
    }));
    const zip = await open({ entries });
    expect(zip.entries).toHaveLength(20_000);
    const last = zip.entries.at(-1);
    if (!last) throw new Error('no entry');
    expect(String(await zip.read(last))).toBe('9999');
  });

  test('many entries at a time', async () => {
    const entries = Array.from({ length: 300 }, (_, index) => ({
      name: `${index}.png`,
      data: `${index} `.repeat(index * 20),
      method: index % 2 === 0 ? 8 : 0,
    }));
    const zip = await open({ entries });
    const read = await Promise.all(zip.entries.map(async (entry) => [entry.path, String(await zip.read(entry))]));
    expect(Object.fromEntries(read)).toEqual(Object.fromEntries(entries.map(({ name, data }) => [name, data])));
  });

  test('a stream that is left early lets the zip be closed', async () => {
    const zip = await open({ entries: [{ name: 'a', data: Buffer.alloc(20e6), method: 8 }] });
    for (const entry of zip.entries) {
      for await (const piece of zip.stream(entry)) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
    }
    await zip.close();
    opened.pop();
  });
});

test('whatever bytes a zip is overwritten with, opening and reading it ends in content or in an error about the zip', async () => {
  const whole = buildZip({
    entries: [
      { name: 'a/b.png', data: 'image '.repeat(30), method: 8 },
      { name: 'c.png', data: 'image', descriptor: true, zip64: true },
    ],
    zip64: {},
  });
  const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(changes, async (bytes) => {
      const path = join(folder, 'fuzzed');
      const damaged = Buffer.from(whole);
      for (const [position, value] of bytes) damaged[position] = value;
      await writeFile(path, damaged);
      try {
        const zip = await openZip(path, { name: 'x.zip' });
        try {
          for (const entry of zip.entries) expect(crc32(await zip.read(entry))).toBe(entry.crc32);
        } finally {
          await zip.close();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'ZIP', message: expect.stringContaining('“x.zip”') });
      }
    }),
    { numRuns: 500 },
  );
});
