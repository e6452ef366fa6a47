import { inflate } from './inflate.ts';
import { PNG_SIGNATURE, pngRowBytes } from './png.ts';

/** Length and type of a chunk, and its checksum behind its data (PNG, third edition, 5.3). */
const [HEAD_BYTES, SUM_BYTES] = [8, 4];

const MAX_BLOCK_BYTES = 2 ** 16 - 1;

/** Fewer bytes are inflated in JavaScript as fast, to 33 MB at most: zlib is not set up, and not collected, for each image. */
const MIN_PACKED_BYTES = 2 ** 15;

/** What a decoder needs beside the pixels: their size and kind, their colours, what is transparent (11.2, 11.3.1). */
const NEEDED = new Set(['IHDR', 'PLTE', 'tRNS']);

/**
 * The PNG with pixels that are stored instead of deflated, for a decoder that inflates in JavaScript: zlib takes a fifth of
 * the time. Only what tells the pixels is in it, and their checksum is zero. A small file, and one whose pixels are stored
 * already, is given back as it is.
 *
 * @throws Error for a file whose header is not first and alone; of zlib, for pixels that can't be inflated, or are far more
 *   than the size says
 */
export function withStoredPixels(file: Buffer): Buffer {
  const chunks: Buffer[] = [PNG_SIGNATURE];
  const packed: Buffer[] = [];
  for (let at = PNG_SIGNATURE.length; at + HEAD_BYTES <= file.length; ) {
    const end = at + HEAD_BYTES + file.readUInt32BE(at) + SUM_BYTES;
    const type = file.toString('latin1', at + 4, at + HEAD_BYTES);
    // Of two headers the decoder would take the second, whose size nobody has looked at.
    if ((type === 'IHDR') !== (at === PNG_SIGNATURE.length)) throw new Error('The header is not first and alone');
    if (type === 'IDAT') packed.push(file.subarray(at + HEAD_BYTES, end - SUM_BYTES));
    if (NEEDED.has(type)) chunks.push(file.subarray(at, end));
    if (type === 'IEND') {
      const data = Buffer.concat(packed);
      if (data.length < MIN_PACKED_BYTES || isStored(data)) return file;
      return Buffer.concat([...chunks, ...storedChunk(inflate(data, mostPixelBytes(file))), file.subarray(at, end)]);
    }
    at = end;
  }
  throw new Error('The file ends before its last chunk');
}

/** Whether all blocks behind zlib's two bytes are stored already (RFC 1951, 3.2.3). */
function isStored(data: Buffer): boolean {
  for (let at = 2; at + 5 <= data.length; at += 5 + data.readUInt16LE(at + 1)) {
    const first = data.readUInt8(at);
    if ((first & 0b110) !== 0) return false;
    if ((first & 1) === 1) return true;
  }
  return false;
}

/** How many bytes the rows of its pixels take, or some more. */
function mostPixelBytes(file: Buffer): number {
  const header = file.subarray(PNG_SIGNATURE.length + HEAD_BYTES);
  const rowBytes = pngRowBytes(header);
  if (rowBytes === undefined) throw new Error('Its kind of colours does not exist');
  // Each row begins with a byte that names its filter; interlaced, there are twice as many, and each may end within a byte.
  return (rowBytes + 4) * header.readUInt32BE(4) + 64;
}

/** The pixels in blocks that are not deflated (RFC 1951, 3.2.4), without their checksums. */
function storedChunk(pixels: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [Buffer.from([0x78, 0x01])];
  for (let at = 0; at < pixels.length; at += MAX_BLOCK_BYTES) {
    const block = pixels.subarray(at, at + MAX_BLOCK_BYTES);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + block.length === pixels.length ? 1 : 0);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(MAX_BLOCK_BYTES - block.length, 3);
    parts.push(head, block);
  }
  parts.push(Buffer.alloc(4));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(parts.reduce((sum, { length }) => sum + length, 0));
  head.write('IDAT', 4, 'latin1');
  return [head, ...parts, Buffer.alloc(SUM_BYTES)];
}
