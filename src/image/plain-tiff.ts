import type { TiffIfd } from 'tiff';
import { inflate } from './inflate.ts';
import { unpackLzw } from './lzw.ts';
import { requireFewPixels } from './pixels.ts';
import { TAG } from './tiff.ts';

/** Ways to pack pixels (TIFF 6.0, section 13, and Adobe's Photoshop TIFF Technical Notes), and what unpacks at most so many bytes. */
const UNPACKERS: ReadonlyMap<number, (data: Uint8Array, bytes: number) => Uint8Array> = new Map([
  [5, unpackLzw],
  [8, inflate],
  [32946, inflate],
]);
const NOT_PACKED = 1;

/** Where parts are, and how long. */
interface PartTags {
  readonly offsets: number;
  readonly lengths: number;
}

const STRIPS: PartTags = { offsets: TAG.stripOffsets, lengths: TAG.stripBytes };
const TILES: PartTags = { offsets: TAG.tileOffsets, lengths: TAG.tileBytes };

/** An entry of a directory has a tag, a type, how many values there are, and the value, or where they are (section 2). */
const ENTRY_BYTES = 12;
const LONG = 4;
const LONG_BYTES = 4;

/**
 * The TIFF with the pixels of its first page unpacked, for a decoder that takes ten times as long for LZW, and three times
 * for Deflate. They are put behind the file, and its directory tells that they are there. A file that is packed in another
 * way, or not at all, or whose description is incomplete, is given back as it is.
 *
 * @param page what the decoder reads in that directory
 * @throws Error for pixels that can't be unpacked, or are fewer than the size says; NotShown for too many of them
 */
export function withPlainPixels(file: Buffer, page: TiffIfd): Buffer {
  const unpack = UNPACKERS.get(page.compression);
  // Whatever their types say, the decoder's lists are arrays of any kind, and may be missing.
  const offsets = Array.from((page.tiled ? page.tileOffsets : page.stripOffsets) ?? []);
  const lengths = Array.from((page.tiled ? page.tileByteCounts : page.stripByteCounts) ?? []);
  const sizes = partSizes(page, Math.min(offsets.length, lengths.length));
  if (!unpack || !sizes) return file;
  // Parts may share their bytes, as empty tiles do; so many can only be there to cost time.
  if (sumOf(lengths.slice(0, sizes.length)) > file.length + sumOf(sizes))
    throw new Error('Its parts are longer than the file');
  const parts = sizes.map((bytes, index) => {
    const [start = 0, length = 0] = [offsets[index], lengths[index]];
    const part = unpack(file.subarray(start, start + length), bytes);
    if (part.length < bytes) throw new Error(`A part of it has ${part.length} bytes and not ${bytes}`);
    return part;
  });
  return withParts(file, parts, page.tiled ? TILES : STRIPS);
}

/** How many bytes each strip or tile of the image has; `undefined` where that can't be told, or more are needed than there are. */
function partSizes(page: TiffIfd, most: number): number[] | undefined {
  const { tiled, tileWidth = 0, tileHeight = 0, width, height, samplesPerPixel, bitsPerSample } = page;
  const rows = tiled ? tileHeight : Math.min(page.rowsPerStrip, height);
  const rowBytes = Math.ceil(((tiled ? tileWidth : width) * samplesPerPixel * bitsPerSample) / 8);
  const [across, down] = [tiled ? Math.ceil(width / tileWidth) : 1, Math.ceil(height / rows)];
  if (!(rows * rowBytes > 0 && across * down <= most)) return undefined;
  requireFewPixels(tiled ? across * tileWidth : width, down * rows);
  return Array.from({ length: across * down }, (_, part) =>
    tiled ? rows * rowBytes : Math.min(rows, height - part * rows) * rowBytes,
  );
}

/** @param parts the strips or tiles that it then has */
function withParts(file: Buffer, parts: readonly Uint8Array[], tags: PartTags): Buffer {
  const { length: count } = parts;
  const plain = Buffer.concat([file, ...parts, Buffer.alloc(2 * LONG_BYTES * count)]);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const isLittle = file[0] === 0x49;
  const lengthsAt = plain.length - LONG_BYTES * count;
  const offsetsAt = lengthsAt - LONG_BYTES * count;
  let start = file.length;
  for (const [index, { length }] of parts.entries()) {
    view.setUint32(offsetsAt + LONG_BYTES * index, start, isLittle);
    view.setUint32(lengthsAt + LONG_BYTES * index, length, isLittle);
    start += length;
  }
  // A single value stands in the entry itself.
  const inEntry = (list: number) => (count === 1 ? view.getUint32(list, isLittle) : list);
  const changed = new Map<number, { readonly count: number; readonly value: number }>([
    [TAG.compression, { count: 1, value: NOT_PACKED }],
    [tags.offsets, { count, value: inEntry(offsetsAt) }],
    [tags.lengths, { count, value: inEntry(lengthsAt) }],
  ]);
  const directory = view.getUint32(4, isLittle);
  const entries = view.getUint16(directory, isLittle);
  for (let at = directory + 2; at < directory + 2 + entries * ENTRY_BYTES; at += ENTRY_BYTES) {
    const entry = changed.get(view.getUint16(at, isLittle));
    if (!entry) continue;
    view.setUint16(at + 2, LONG, isLittle);
    view.setUint32(at + 4, entry.count, isLittle);
    view.setUint32(at + 8, entry.value, isLittle);
  }
  return plain;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
