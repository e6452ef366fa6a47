import { type CheckFormat, CUT_SHORT, wrongSize, ZERO_FILLED } from './fault.ts';
import { hasLongerRun, type ImageBytes, STRANGE_RUN_BYTES } from './image-bytes.ts';

/** Byte order, then 42 (TIFF 6.0, section 2) or 43 (BigTIFF). */
export const TIFF_SIGNATURES = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].map((text) => Buffer.from(text, 'latin1'));

/** Tags (TIFF 6.0, appendix A). */
export const TAG = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  stripOffsets: 273,
  stripBytes: 279,
  tileOffsets: 324,
  tileBytes: 325,
  compression: 259,
  colourMap: 320,
  jpegTables: 347,
  jpegOffset: 513,
  jpegBytes: 514,
} as const;

/** Bytes of a value by its type; those of BigTIFF (16 to 18) included. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/**
 * Ways to pack pixels (259) that never begin with two zeros: LZW and both Deflates begin with a code, JPEG with its mark.
 * Nor are there many zeros in a row in them.
 */
const NEVER_ZEROS = new Set([5, 7, 8, 32946]);

/** Pixels of an even area, for which a strip may have a byte of zeros: JPEG has two codes of one bit for 64 of them. */
const EVEN_PIXELS = 32;

/** Only a damaged file has more pages, or leads in a circle. */
const MAX_PAGES = 10_000;

/** Of the values of a tag, which a large image has one of for each of its strips, so many are read at a time. */
const VALUES_AT_A_TIME = 1_024;

/** The values of a tag: where they are read, and how many there are. */
interface Values {
  readonly count: number;
  /** From one index up to another, fewer at the end. */
  read(from: number, to: number): number[];
}

type Directory = ReadonlyMap<number, Values>;

/** Directory after directory, each with its strips or tiles inside the file. */
export const checkTiff: CheckFormat = (bytes) => {
  const reader = tiffReader(bytes);
  let at: number | undefined = reader.first();
  if (at === 0) return 'holds no pixels';
  for (let page = 0; at && page < MAX_PAGES; page++) {
    const directory = reader.directory(at);
    if (directory?.next === undefined) return CUT_SHORT;
    const fault = faultOfPage(directory.values, bytes);
    if (fault !== undefined) return fault;
    at = directory.next;
  }
  return undefined;
};

/** Of the first page; `undefined` where it can't be read, or of what is no TIFF. */
export function tiffSize(bytes: ImageBytes): { readonly width: number; readonly height: number } | undefined {
  const head = bytes.slice(0, 4);
  if (!TIFF_SIGNATURES.some((signature) => head.equals(signature))) return undefined;
  const reader = tiffReader(bytes);
  const { values } = reader.directory(reader.first()) ?? {};
  if (!values) return undefined;
  const [width, height] = [firstOf(values, TAG.width), firstOf(values, TAG.height)];
  return wrongSize(width, height) === undefined ? { width, height } : undefined;
}

function firstOf(values: Directory, tag: number): number {
  return values.get(tag)?.read(0, 1)[0] ?? 0;
}

function faultOfPage(values: Directory, bytes: ImageBytes): string | undefined {
  const size = wrongSize(firstOf(values, TAG.width), firstOf(values, TAG.height));
  if (size !== undefined) return size;
  const kinds = [
    [TAG.stripOffsets, TAG.stripBytes],
    [TAG.tileOffsets, TAG.tileBytes],
    [TAG.jpegOffset, TAG.jpegBytes],
  ] as const;
  const kind = kinds.find(([offsets]) => values.has(offsets));
  const [offsets, lengths] = [kind && values.get(kind[0]), kind && values.get(kind[1])];
  if (!offsets) return 'holds no pixels';
  const isPacked = NEVER_ZEROS.has(firstOf(values, TAG.compression));
  const pixels = firstOf(values, TAG.width) * firstOf(values, TAG.height);
  const mostZeros = STRANGE_RUN_BYTES + Math.ceil(pixels / EVEN_PIXELS);
  const isUnwrittenStrip = (place: number, length: number) =>
    length >= 2 &&
    (isZeros(bytes, place) || (length > mostZeros && hasLongerRun(bytes, place, place + length, mostZeros)));
  let isUnwritten = false;
  for (let from = 0; from < offsets.count; from += VALUES_AT_A_TIME) {
    const to = from + VALUES_AT_A_TIME;
    const own = lengths?.read(from, to) ?? [];
    const places = offsets.read(from, to);
    // Some old programs leave the lengths out; an offset of 0 with no bytes is a tile that is empty on purpose.
    if (places.some((place, index) => place + (own[index] ?? 1) > bytes.length)) return CUT_SHORT;
    isUnwritten ||= isPacked && places.some((place, index) => isUnwrittenStrip(place, own[index] ?? 0));
  }
  return isUnwritten ? ZERO_FILLED : undefined;
}

function isZeros(bytes: ImageBytes, at: number): boolean {
  return bytes.at(at) === 0 && bytes.at(at + 1) === 0;
}

function tiffReader(bytes: ImageBytes) {
  const little = bytes.at(0) === 0x49;
  const big = bytes.at(little ? 2 : 3) === 43;
  const [countBytes, entryBytes, offsetBytes] = big ? [8, 20, 8] : [2, 12, 4];
  const isInside = (at: number, length: number) => at >= 0 && at + length <= bytes.length;

  function number(data: Buffer, at: number, size: number): number {
    if (size <= 4) return little ? data.readUIntLE(at, size) : data.readUIntBE(at, size);
    return Number(little ? data.readBigUInt64LE(at) : data.readBigUInt64BE(at));
  }

  /** @param entry the bytes of one, which begin at `start` */
  function valuesOf(entry: Buffer, start: number): Values | undefined {
    const size = TYPE_BYTES[number(entry, 2, 2)];
    const count = number(entry, 4, offsetBytes);
    if (size === undefined) return { count: 0, read: () => [] };
    const place = 4 + offsetBytes;
    const at = count * size <= offsetBytes ? start + place : number(entry, place, offsetBytes);
    if (!isInside(at, count * size)) return undefined;
    // Fractions are of no interest here.
    const width = size === 1 || size === 2 || size === 4 ? size : 8;
    return {
      count,
      read(from, to) {
        const data = bytes.slice(at + from * size, at + Math.min(to, count) * size);
        return Array.from({ length: data.length / size }, (_, index) => number(data, index * size, width));
      },
    };
  }

  return {
    first: (): number => (isInside(0, big ? 16 : 8) ? number(bytes.slice(0, 16), big ? 8 : 4, offsetBytes) : -1),
    /** The tags that are looked at; `undefined` when they, or their values, reach beyond the file. */
    directory(at: number): { readonly values: Directory; readonly next: number | undefined } | undefined {
      if (!isInside(at, countBytes)) return undefined;
      const count = number(bytes.slice(at, at + countBytes), 0, countBytes);
      const end = at + countBytes + count * entryBytes;
      if (!isInside(at, end - at)) return undefined;
      const wanted: readonly number[] = Object.values(TAG);
      const values = new Map<number, Values>();
      for (let start = at + countBytes; start < end; start += entryBytes) {
        const entry = bytes.slice(start, start + entryBytes);
        const tag = number(entry, 0, 2);
        if (!wanted.includes(tag)) continue;
        const found = valuesOf(entry, start);
        if (!found) return undefined;
        values.set(tag, found);
      }
      const next = isInside(end, offsetBytes) ? number(bytes.slice(end, end + offsetBytes), 0, offsetBytes) : undefined;
      return { values, next };
    },
  };
}
