import { type CheckFormat, CUT_SHORT, wrongSize, ZERO_FILLED } from './fault.ts';

/** Byte order, then 42 (TIFF 6.0, section 2) or 43 (BigTIFF). */
export const TIFF_SIGNATURES = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].map((text) => Buffer.from(text, 'latin1'));

/** Tags (TIFF 6.0, appendix A). */
const TAG = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  stripOffsets: 273,
  stripBytes: 279,
  tileOffsets: 324,
  tileBytes: 325,
  compression: 259,
  colourMap: 320,
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

/** Ways to pack pixels (259) that never begin with two zeros: LZW and both Deflates begin with a code, JPEG with its mark. */
const NEVER_ZEROS = new Set([5, 7, 8, 32946]);

/** Only a damaged file has more pages, or leads in a circle. */
const MAX_PAGES = 10_000;

/** Directory after directory, each with its strips or tiles inside the file. */
export const checkTiff: CheckFormat = (data) => {
  const reader = tiffReader(data);
  let at: number | undefined = reader.first();
  if (at === 0) return 'holds no pixels';
  for (let page = 0; at && page < MAX_PAGES; page++) {
    const directory = reader.directory(at);
    if (directory?.next === undefined) return CUT_SHORT;
    const fault = faultOfPage(directory.values, data);
    if (fault !== undefined) return fault;
    at = directory.next;
  }
  return undefined;
};

function faultOfPage(values: ReadonlyMap<number, readonly number[]>, data: Buffer): string | undefined {
  const first = (tag: number) => values.get(tag)?.[0] ?? 0;
  const size = wrongSize(first(TAG.width), first(TAG.height));
  if (size !== undefined) return size;
  const kinds = [
    [TAG.stripOffsets, TAG.stripBytes],
    [TAG.tileOffsets, TAG.tileBytes],
    [TAG.jpegOffset, TAG.jpegBytes],
  ] as const;
  const kind = kinds.find(([offsets]) => values.has(offsets));
  if (!kind) return 'holds no pixels';
  const [offsets, bytes] = [values.get(kind[0]) ?? [], values.get(kind[1]) ?? []];
  // Some old programs leave the lengths out; an offset of 0 with no bytes is a tile that is empty on purpose.
  const isInside = (offset: number, index: number) => offset + (bytes[index] ?? 1) <= data.length;
  if (!offsets.every(isInside)) return CUT_SHORT;
  const isPacked = NEVER_ZEROS.has(first(TAG.compression));
  const isUnwritten = (offset: number, index: number) => (bytes[index] ?? 0) >= 2 && data.readUInt16BE(offset) === 0;
  return isPacked && offsets.some(isUnwritten) ? ZERO_FILLED : undefined;
}

function tiffReader(data: Buffer) {
  const little = data[0] === 0x49;
  const big = (little ? data[2] : data[3]) === 43;
  const [countBytes, entryBytes, offsetBytes] = big ? [8, 20, 8] : [2, 12, 4];
  const isInside = (at: number, length: number) => at >= 0 && at + length <= data.length;

  function number(at: number, bytes: number): number {
    if (bytes <= 4) return little ? data.readUIntLE(at, bytes) : data.readUIntBE(at, bytes);
    return Number(little ? data.readBigUInt64LE(at) : data.readBigUInt64BE(at));
  }

  function valuesAt(entry: number): number[] | undefined {
    const size = TYPE_BYTES[number(entry + 2, 2)];
    const count = number(entry + 4, offsetBytes);
    if (size === undefined) return [];
    const place = entry + 4 + offsetBytes;
    const at = count * size <= offsetBytes ? place : number(place, offsetBytes);
    if (!isInside(at, count * size)) return undefined;
    // Fractions are of no interest here.
    const width = size === 1 || size === 2 || size === 4 ? size : 8;
    return Array.from({ length: count }, (_, index) => number(at + index * size, width));
  }

  return {
    first: (): number => (isInside(0, big ? 16 : 8) ? number(big ? 8 : 4, offsetBytes) : -1),
    /** The numbers of the tags that are looked at; `undefined` when they reach beyond the file. */
    directory(at: number): { values: Map<number, number[]>; next: number | undefined } | undefined {
      if (!isInside(at, countBytes)) return undefined;
      const count = number(at, countBytes);
      const end = at + countBytes + count * entryBytes;
      if (!isInside(at, end - at)) return undefined;
      const wanted: readonly number[] = Object.values(TAG);
      const values = new Map<number, number[]>();
      for (let entry = at + countBytes; entry < end; entry += entryBytes) {
        const tag = number(entry, 2);
        if (!wanted.includes(tag)) continue;
        const found = valuesAt(entry);
        if (!found) return undefined;
        values.set(tag, found);
      }
      return { values, next: isInside(end, offsetBytes) ? number(end, offsetBytes) : undefined };
    },
  };
}
