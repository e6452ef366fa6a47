import { inflateSync } from 'node:zlib';
import type { TiffIfd } from 'tiff';
import { unpackLzw } from './lzw.ts';

/** Ways to pack pixels (TIFF 6.0, section 13, and Adobe's Photoshop TIFF Technical Notes), and what unpacks at most so many bytes. */
const UNPACKERS: Readonly<Record<number, (data: Uint8Array, bytes: number) => Uint8Array>> = {
  5: unpackLzw,
  8: inflate,
  32946: inflate,
};
const NOT_PACKED = 1;

/** Tags (appendix A). */
const COMPRESSION = 259;
const STRIPS = { offsets: 273, lengths: 279 };
const TILES = { offsets: 324, lengths: 325 };

/** An entry of a directory has a tag, a type, how many values there are, and the value, or where they are (section 2). */
const ENTRY_BYTES = 12;
const LONG = 4;
const LONG_BYTES = 4;

/**
 * The TIFF with the pixels of its first page unpacked, for a decoder that takes ten times as long for LZW, and three times
 * for Deflate. They are put behind the file, and its directory tells that they are there. A file that is packed in another way, or
 * not at all, is given back as it is.
 *
 * @param page what the decoder reads in that directory
 * @throws Error for pixels that can't be unpacked
 */
export function withPlainPixels(file: Buffer, page: TiffIfd): Buffer {
  const unpack = UNPACKERS[page.compression];
  const tags = page.tiled ? TILES : STRIPS;
  // The decoder's lists are of many kinds, or lack.
  const offsets = Array.from((page.tiled ? page.tileOffsets : page.stripOffsets) ?? []);
  const lengths = Array.from((page.tiled ? page.tileByteCounts : page.stripByteCounts) ?? []);
  if (!unpack || offsets.length === 0 || offsets.length !== lengths.length) return file;
  const bytes = partBytes(page);
  const parts = offsets.map((offset, part) => unpack(file.subarray(offset, offset + (lengths[part] ?? 0)), bytes));
  return withParts(file, parts, tags);
}

/** @param parts the strips or tiles that it then has */
function withParts(file: Buffer, parts: readonly Uint8Array[], tags: typeof STRIPS): Buffer {
  const lengths = parts.map(({ length }) => length);
  let end = file.length;
  const offsets = lengths.map((length) => {
    end += length;
    return end - length;
  });
  const changed = new Map([
    [COMPRESSION, [NOT_PACKED]],
    [tags.offsets, offsets],
    [tags.lengths, lengths],
  ]);
  const plain = Buffer.concat([file, ...parts, Buffer.alloc(2 * LONG_BYTES * parts.length)]);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const isLittle = file[0] === 0x49;
  const directory = view.getUint32(4, isLittle);
  const entries = view.getUint16(directory, isLittle);
  for (let at = directory + 2; at < directory + 2 + entries * ENTRY_BYTES; at += ENTRY_BYTES) {
    const values = changed.get(view.getUint16(at, isLittle));
    if (!values) continue;
    view.setUint16(at + 2, LONG, isLittle);
    view.setUint32(at + 4, values.length, isLittle);
    view.setUint32(at + 8, end, isLittle);
    // A single value stands in the entry itself.
    const place = values.length === 1 ? at + 8 : end;
    for (const [index, value] of values.entries()) view.setUint32(place + LONG_BYTES * index, value, isLittle);
    if (values.length > 1) end += LONG_BYTES * values.length;
  }
  return plain;
}

/** Of a strip or a tile that is unpacked. */
function partBytes(page: TiffIfd): number {
  const { tiled, tileWidth = 0, tileHeight = 0, width, height, rowsPerStrip, samplesPerPixel, bitsPerSample } = page;
  const [columns, rows] = tiled ? [tileWidth, tileHeight] : [width, Math.min(rowsPerStrip, height)];
  return rows * Math.ceil((columns * samplesPerPixel * bitsPerSample) / 8);
}

function inflate(data: Uint8Array, bytes: number): Uint8Array {
  return inflateSync(data, { maxOutputLength: bytes, chunkSize: bytes });
}
