import { DiatomError } from '../errors.ts';
import { csvField, parseCsv } from './csv.ts';
import type { Split } from './split.ts';

/** An image that a line of data sets has or had, under one label and in one group. */
export interface KnownImage {
  /** Hexadecimal; `undefined` for one that nobody has read. */
  readonly sha256: string | undefined;
  readonly crc32: number;
  readonly bytes: number;
  readonly side: Split;
  /** What `group-by` keeps it together with, as `groupOf` names it; `undefined` for none. */
  readonly group: string | undefined;
  /** In the data set that lists it; `undefined` when the image is not in it now. */
  readonly label: string | undefined;
}

/** What an entry of an archive's directory tells. */
interface ArchivedFile {
  readonly path: string;
  readonly isFolder: boolean;
  readonly bytes: number;
  readonly crc32: number;
}

/** Where a manifest has the same. */
const MANIFEST_COLUMNS = ['sha256', 'crc32', 'bytes', 'split', 'group', 'label'];
const COLUMNS = ['sha256', 'crc32', 'bytes', 'side', 'group', 'label'] as const;
/** The first line of a sides file. */
export const SIDES_HEADER = `${COLUMNS.join(',')}\n`;

/**
 * `<archive>.sides.csv`: on which side every image lies that this line of data sets ever had. It holds no file name. The
 * rows are sorted, so equal sides give equal bytes.
 *
 * An image has one row; only one that lies under two labels, or in two groups, has a row for each.
 */
export function formatSides(images: Iterable<KnownImage>): string {
  const rows = Array.from(images, sidesRow).sort();
  return SIDES_HEADER + rows.filter((row, index) => row !== rows[index - 1]).join('');
}

/** One row. A file has them sorted, none twice. */
export function sidesRow({ sha256 = '', crc32, bytes, side, group = '', label = '' }: KnownImage): string {
  return `${sha256},${formatCrc32(crc32)},${bytes},${side},${csvField(group)},${csvField(label)}\n`;
}

/** Eight hexadecimal digits, as zip programs show it. */
export function formatCrc32(crc32: number): string {
  return crc32.toString(16).padStart(8, '0');
}

/**
 * Reads what `formatSides` has written.
 *
 * @param name of the file, for messages
 * @throws DiatomError `DATA_SET` naming file and line
 */
export function parseSides(text: string, name: string): KnownImage[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (`${lines[0]}\n` !== SIDES_HEADER) throw damaged(name, 1, `the columns ${COLUMNS.join(', ')}`);
  if (lines.at(-1) === '') lines.pop();
  const intern = createInterner();
  return lines.slice(1).map((line, index) => {
    const [sha256 = '', crc32 = '', bytes = '', side = '', group = '', label, more] = fieldsOf(line, COLUMNS);
    if (label === undefined || more !== undefined) throw damaged(name, index + 2, `${COLUMNS.length} values`);
    return readImage({ sha256, crc32, bytes, side, group, label }, name, index + 2, intern);
  });
}

/**
 * Sides by a data set's `manifest.csv`.
 *
 * @param name of the file, for messages
 * @throws DiatomError `DATA_SET` naming file and image; for a manifest that was made before it had a CRC-32, too
 */
export function sidesOfManifest(text: string, name: string): KnownImage[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const header = lines[0]?.split(',') ?? [];
  const places = MANIFEST_COLUMNS.map((column) => header.indexOf(column));
  if (!header.includes('crc32')) {
    throw new DiatomError(
      'DATA_SET',
      `${name} can’t tell where its images lie: it has no column crc32, as manifests of earlier versions. Give the archive that it is from instead.`,
    );
  }
  const intern = createInterner();
  return lines.slice(1).flatMap((line, index) => {
    const fields = fieldsOf(line, header);
    const [sha256 = '', crc32 = '', bytes = '', side = '', group = '', label = ''] = places.map((at) => fields[at]);
    // Broken images are listed, and not in the data set.
    return side === 'left-out'
      ? []
      : [readImage({ sha256, crc32, bytes, side, group, label }, name, index + 2, intern)];
  });
}

/**
 * Sides by an archive's directory, which has neither sums nor groups.
 *
 * @param name of the archive, for messages
 * @throws DiatomError `DATA_SET` when no image lies where a data set has its images
 */
export function sidesOfEntries(entries: readonly ArchivedFile[], name: string): KnownImage[] {
  const intern = createInterner();
  const images = entries.flatMap(({ path, isFolder, crc32, bytes }): KnownImage[] => {
    const [, side, label = ''] = /^(?:results\/)?(train|test)\/([^/]+)\/[^/]+$/.exec(path) ?? [];
    if (isFolder || (side !== 'train' && side !== 'test')) return [];
    return [{ sha256: undefined, crc32, bytes, side, group: undefined, label: intern(label) }];
  });
  if (images.length > 0) return images;
  throw new DiatomError(
    'DATA_SET',
    `${name} is not an archive of a data set: expected images in train/<label> and test/<label>, there or in a folder results, and found none.`,
  );
}

type Fields = Record<(typeof COLUMNS)[number], string>;

function readImage(fields: Fields, name: string, line: number, intern: (text: string) => string): KnownImage {
  const { sha256, crc32, bytes, side, group, label } = fields;
  if (!/^([0-9a-f]{64})?$/.test(sha256)) throw damaged(name, line, 'a SHA-256 of 64 digits, or none, in column sha256');
  if (!/^[0-9a-f]{8}$/.test(crc32)) throw damaged(name, line, '8 hexadecimal digits in column crc32');
  if (!/^\d{1,15}$/.test(bytes)) throw damaged(name, line, 'a whole number in column bytes');
  if (side !== 'train' && side !== 'test') throw damaged(name, line, 'train or test as the side');
  return {
    sha256: sha256 || undefined,
    crc32: Number.parseInt(crc32, 16),
    bytes: Number(bytes),
    side,
    group: intern(group) || undefined,
    label: intern(label) || undefined,
  };
}

/** Nearly every row has neither quotes nor the mark before a formula. No field has a line end, as names have none. */
function fieldsOf(line: string, columns: readonly string[]): string[] {
  if (!/["']/.test(line)) return line.split(',');
  return [...(parseCsv(`${columns.join(',')}\n${line}`)[0]?.values() ?? [])];
}

/** One string for equal texts: many images share a label and a group. */
function createInterner(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const earlier = known.get(text);
    if (earlier === undefined) known.set(text, text);
    return earlier ?? text;
  };
}

function damaged(name: string, line: number, expected: string): DiatomError {
  return new DiatomError(
    'DATA_SET',
    `${name} is damaged in line ${line}: expected ${expected}. Get the file again from where it was made, or give the archive instead.`,
  );
}
