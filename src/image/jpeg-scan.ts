import { hasLongerRun, type ImageBytes, STRANGE_RUN_BYTES } from './image-bytes.ts';

/** The frame of a JPEG, from the segment that begins it. */
export interface JpegFrame {
  /** Its mark, SOF0 to SOF15 (ITU-T T.81, table B.1). */
  readonly code: number;
  readonly width: number;
  /** 0 where it is told after the first scan (B.2.5). */
  readonly height: number;
}

/** Huffman tables by class and number, as a segment has them in one byte (B.2.4.2): the symbol of the shortest code. */
export type HuffmanTables = ReadonlyMap<number, number>;

/** Class and number, then how many codes there are of each length, 1 to 16. */
const TABLE_HEADER_BYTES = 17;
const SYMBOLS_AT_MOST = 256;

/**
 * Adds the tables of a segment (its content).
 *
 * @returns `undefined` when they don't fill it: a byte too many or too few moves all that follows
 */
export function readHuffmanTables(segment: Buffer, before: HuffmanTables): HuffmanTables | undefined {
  const tables = new Map(before);
  let at = 0;
  while (at + TABLE_HEADER_BYTES <= segment.length) {
    const symbols = segment.subarray(at + 1, at + TABLE_HEADER_BYTES).reduce((sum, count) => sum + count, 0);
    if (symbols > SYMBOLS_AT_MOST) return undefined;
    tables.set(segment[at] ?? 0, segment[at + TABLE_HEADER_BYTES] ?? 0);
    at += TABLE_HEADER_BYTES + symbols;
  }
  return at === segment.length ? tables : undefined;
}

/** Frames whose scans are Huffman codes of blocks: baseline and extended; progressive. */
const SEQUENTIAL = new Set([0xc0, 0xc1]);
const PROGRESSIVE = 0xc2;

const BLOCK_SIDE = 8;
const MAX_HEIGHT = 0xffff;

/** The part of a file that holds the codes of a scan. */
export interface JpegScan {
  readonly bytes: ImageBytes;
  readonly from: number;
  readonly to: number;
  /** The content of the segment that begins it (B.2.3). */
  readonly header: Buffer;
}

/**
 * Whether a scan has more zeros in a row than pixels make: a file that was not written to its end keeps its length, and
 * the system fills it up.
 *
 * Where the shortest code is “no more in this block”, as in tables that were made for an image with even areas, such an
 * area is zeros: two codes of mostly one bit, at most two, for each block of up to four channels. Else zeros would be 63
 * coefficients of −1 in block after block.
 */
export function isZeroFilled(scan: JpegScan, { code, width, height }: JpegFrame, tables: HuffmanTables): boolean {
  if (!SEQUENTIAL.has(code) && code !== PROGRESSIVE) return false;
  const { bytes, from, to } = scan;
  const isEvenArea = !SEQUENTIAL.has(code) || acTables(scan.header).every((table) => (tables.get(table) ?? 0) === 0);
  const blocks = Math.ceil(width / BLOCK_SIDE) * Math.ceil((height || MAX_HEIGHT) / BLOCK_SIDE);
  return hasLongerRun(bytes, from, to, isEvenArea ? STRANGE_RUN_BYTES + 2 * blocks : STRANGE_RUN_BYTES);
}

/** The tables of AC coefficients (class 1) that a scan uses. */
function acTables(header: Buffer): number[] {
  return Array.from({ length: header[0] ?? 0 }, (_, channel) => 0x10 | ((header[2 + 2 * channel] ?? 0) & 0xf));
}
