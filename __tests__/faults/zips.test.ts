import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openZip } from '../../src/archive/open-zip.ts';
import { DiatomError } from '../../src/errors.ts';
import { draw, drawOne, drawWhole, SEED, someOf } from '../helpers/draw.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { type Row, table } from '../helpers/table.ts';
import { buildZip, extraField, numbers, type RawEntry, type RawZip } from '../helpers/zip-builder.ts';

/** How many zips a row makes. */
const ZIPS = 50;

/** Names that mean something to a file system, a shell, a page or another program. */
const NAMES: readonly [string, ...string[]] = [
  '../x.png',
  'a/../../x.png',
  '/etc/passwd',
  'C:\\x.png',
  '\\\\server\\x.png',
  'a\\..\\..\\x.png',
  'a\0b.png',
  'a\nb.png',
  `${'x'.repeat(300)}.png`,
  'CON.png',
  'a/CON/b.png',
  'a./b .png',
  'ä.png',
  'a\u0308.png',
  'A.PNG',
  '',
  '/',
  'a//b.png',
  './a.png',
  '.',
  '..',
  '~/x.png',
  '-rf.png',
  'a\u202egnp.exe',
  '<script>.png',
  '%2e%2e/x.png',
];
const EDGES: readonly [number, ...number[]] = [0, 1, 0xff, 0xffff, 0x10000, 0x7fffffff, 0xfffffffe, 0xffffffff];

type Change = (entry: RawEntry, name: string) => RawEntry;

/** One lie about one entry. */
const CHANGES: readonly [Change, ...Change[]] = [
  (entry, name) => ({ ...entry, name: drawOne(name, NAMES) }),
  (entry, name) => ({ ...entry, bytes: drawOne(name, EDGES) }),
  (entry, name) => ({ ...entry, compressedBytes: drawOne(name, EDGES) }),
  (entry, name) => ({ ...entry, crc32: drawWhole(name, 0, 0xffffffff) }),
  (entry, name) => ({ ...entry, method: drawOne(name, [1, 8, 9, 12, 14, 93, 95, 99, 0xffff]) }),
  (entry, name) => ({ ...entry, flags: drawWhole(name, 0, 0xffff) }),
  (entry, name) => ({ ...entry, mode: drawOne(name, [0o120777, 0o060644, 0o040755, 0o010644, 0]) }),
  (entry, name) => ({ ...entry, offset: drawWhole(name, 0, 400) }),
  (entry, name) => ({ ...entry, local: { name: drawOne(name, NAMES) } }),
  (entry, name) => ({ ...entry, local: { bytes: drawOne(name, EDGES), crc32: 1 } }),
  (entry, name) => ({ ...entry, local: { signature: drawWhole(name, 0, 0xffffffff) } }),
  (entry, name) => ({ ...entry, local: { extra: Buffer.alloc(drawWhole(name, 0, 60), 7) } }),
  (entry) => ({ ...entry, descriptor: true }),
  (entry) => ({ ...entry, zip64: true }),
  (entry, name) => ({ ...entry, zip64: true, bytes: drawOne(name, EDGES) }),
  (entry, name) => ({
    ...entry,
    extra: extraField(drawOne(name, [1, 0x7075, 0x5455, 0x9901]), Buffer.alloc(drawWhole(`${name} size`, 0, 40), 1)),
  }),
  (entry, name) => ({ ...entry, extra: numbers([2, 1], [2, drawWhole(name, 0, 0xffff)]) }),
  (entry, name) => ({ ...entry, packed: Buffer.alloc(drawWhole(name, 0, 200), 0xff), method: 8 }),
];

type Whole = (zip: RawZip, name: string) => RawZip;

/** One lie about the zip. */
const WHOLE: readonly [Whole, ...Whole[]] = [
  (zip) => zip,
  (zip) => ({ ...zip, entries: [...zip.entries, ...zip.entries] }),
  (zip, name) => ({ ...zip, end: { entries: drawOne(name, [0, 1, 2, 0xfffe, 0xffff]) } }),
  (zip, name) => ({ ...zip, end: { directoryOffset: drawWhole(name, 0, 2_000) } }),
  (zip, name) => ({ ...zip, end: { disk: drawOne(name, [1, 0xffff]) } }),
  (zip, name) => ({ ...zip, zip64: { disks: drawOne(name, [0, 1, 2]) } }),
  (zip, name) => ({ ...zip, zip64: { offset: drawWhole(name, 0, 3_000) } }),
  (zip) => ({ ...zip, comment: 'PK\u0005\u0006'.repeat(20) }),
];

/** The content of each entry that is right; whatever is read must be one of them. */
const GOOD: readonly RawEntry[] = Array.from({ length: 4 }, (_, index) => ({
  name: `a/${index}.png`,
  data: `image ${index} `.repeat(20),
  method: index % 2 === 0 ? 0 : 8,
}));
const CONTENTS = GOOD.map(({ data }) => String(data));

function hostileZip(name: string): Buffer {
  const entries = GOOD.map((entry, index) =>
    draw(`${name} ${index}`) < 0.4 ? drawOne(`${name} ${index} how`, CHANGES)(entry, `${name} ${index} what`) : entry,
  );
  const zip = buildZip(drawOne(`${name} zip`, WHOLE)({ entries }, `${name} zip how`));
  const kind = drawWhole(`${name} bytes`, 0, 5);
  const at = drawWhole(`${name} at`, 0, zip.length - 1);
  if (kind === 0) return zip.subarray(0, at);
  if (kind === 1) return Buffer.concat([Buffer.alloc(at, 0x50), zip]);
  if (kind === 2) zip.writeUInt8(drawWhole(`${name} byte`, 0, 255), at);
  return zip;
}

/** Reads all that is accepted. Whatever is wrong is said in the words for it; nothing is written, nothing made up. */
async function readAll(path: string): Promise<'refused' | 'read'> {
  try {
    const zip = await openZip(path, { name: 'diatoms.zip' });
    try {
      for (const entry of zip.entries) {
        expect(entry.path).not.toMatch(/^\/|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\0\n]/);
        expect(CONTENTS).toContain((await zip.read(entry)).toString());
      }
    } finally {
      await zip.close();
    }
    return 'read';
  } catch (error) {
    if (!(error instanceof DiatomError)) throw error;
    expect(error.code).toBe('ZIP');
    expect(error.message).toContain('diatoms.zip');
    return 'refused';
  }
}

function row(number: number): Row {
  return {
    name: `${ZIPS} zips, number ${number}`,
    prove: async () => {
      const folder = temporaryFolder('zips');
      const path = join(folder, 'file');
      const ends: string[] = [];
      for (let index = 0; index < ZIPS; index++) {
        const name = `zip ${number} ${index}`;
        const bytes = hostileZip(name);
        await writeFile(path, bytes);
        ends.push(
          await readAll(path).catch((error: unknown) => {
            throw new Error(`${name}: ${bytes.toString('base64')}`, { cause: error });
          }),
        );
      }
      expect(await readdir(folder)).toEqual(['file']);
      // Else nothing hostile, or nothing but that, would have been tried.
      expect(new Set(ends)).toEqual(new Set(['read', 'refused']));
    },
  };
}

table(
  `zips that lie, ${ZIPS} a row (seed ${SEED})`,
  someOf(
    Array.from({ length: 40 }, (_, index) => row(index + 1)),
    4,
  ),
);
