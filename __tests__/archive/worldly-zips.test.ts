import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openZip } from '../../src/archive/open-zip.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip, type RawEntry } from '../helpers/zip-builder.ts';

/** What common programs read alike although the standard says otherwise: names and contents, as they come out of a zip. */
async function contentsOf(bytes: Uint8Array): Promise<Record<string, string>> {
  const path = join(temporaryFolder('zip'), 'a.zip');
  await writeFile(path, bytes);
  const zip = await openZip(path, { name: 'a.zip' });
  try {
    const read = async (entry: (typeof zip.entries)[number]) => [entry.path, `${await zip.read(entry)}`];
    return Object.fromEntries(await Promise.all(zip.entries.map(read)));
  } finally {
    await zip.close();
  }
}

const ENTRIES: RawEntry[] = [
  { name: 'H/a.png', data: 'first' },
  { name: 'H/b.png', data: 'second '.repeat(50), method: 8 },
];
const CONTENTS = { 'H/a.png': 'first', 'H/b.png': 'second '.repeat(50) };
const whole = buildZip({ entries: ENTRIES });
const zip64 = buildZip({ entries: ENTRIES, zip64: {} });
const stray = (bytes: number) => Buffer.alloc(bytes, 'PK\x05\x06stray');

describe('a zip is read', () => {
  test.each([
    ['with a byte after its end', Buffer.concat([whole, stray(1)])],
    ['with the zeros that a tape or FTP put after its end', Buffer.concat([whole, Buffer.alloc(20_000)])],
    ['with what looks like another end after it', Buffer.concat([whole, stray(500)])],
    ['with a warning of a web server before it', Buffer.concat([Buffer.from('<br />\n<b>Warning</b>\n'), whole])],
    ['with bytes before and after it', Buffer.concat([stray(30), whole, stray(30)])],
    ['that is a zip64, with bytes before it', Buffer.concat([stray(30), zip64])],
    ['that is a zip64, with bytes after it', Buffer.concat([zip64, stray(30)])],
    ['that is marked as one that is not split after all', Buffer.concat([Buffer.from('PK00'), whole])],
    [
      'with a comment that looks like an end',
      buildZip({ entries: ENTRIES, comment: 'PK\x05\x06 is how it ends, one says' }),
    ],
    [
      'whose last name looks like a mark of zip64',
      buildZip({ entries: [...ENTRIES, { name: 'PK\x06\x07 was a mark, 20/' }] }),
    ],
    ['whose zip64 record is not where its locator says', buildZip({ entries: ENTRIES, zip64: { offset: 2 ** 52 } })],
  ] satisfies [string, Buffer][])('%s', async (_, bytes) => {
    expect(await contentsOf(bytes)).toMatchObject(CONTENTS);
  });

  test.each([
    ['one slash in its list and the other before the data', 'H\\a.png', { name: 'H/a.png' }],
    ['an old encoding in its list and UTF-8 before the data', Buffer.from('\x81.png', 'latin1'), { name: 'ü.png' }],
  ])('with %s', async (_, name, local) => {
    const bytes = buildZip({ entries: [{ name, local, data: 'first', madeOn: 0, flags: 0 }] });
    expect(Object.values(await contentsOf(bytes))).toEqual(['first']);
  });

  test('that macOS’s Finder made of more files than its two bytes can count', async () => {
    const entries = Array.from({ length: 65_540 }, (_, index) => ({ name: `H/${index}.png`, data: `${index}` }));
    const contents = await contentsOf(buildZip({ entries, end: { entries: 4 } }));
    expect(Object.keys(contents)).toHaveLength(65_540);
    expect(contents['H/65539.png']).toBe('65539');
  });
});
