import { inflateSync } from 'node:zlib';
import { PNG_SIGNATURE, pngRowBytes } from './png.ts';

/** Length and type of a chunk, and its checksum behind its data (PNG, third edition, 5.3). */
const [HEAD_BYTES, SUM_BYTES] = [8, 4];

const MAX_BLOCK_BYTES = 2 ** 16 - 1;

/** What a decoder needs of a file beside the pixels: its size and kind, its colours, what is transparent, and that it ends (11.2, 11.3.1). */
const NEEDED = new Set(['IHDR', 'PLTE', 'tRNS', 'IEND']);

/**
 * The PNG with pixels that are stored instead of deflated, for a decoder that inflates in JavaScript: zlib takes a fifth of
 * the time. Only what tells the pixels is in it, and their checksum is zero. A file whose pixels begin as stored ones is
 * given back as it is.
 *
 * @throws Error of zlib, for pixels that can't be inflated, or are more than the size says
 */
export function withStoredPixels(file: Buffer): Buffer {
  const chunks: Buffer[] = [PNG_SIGNATURE];
  const packed: Buffer[] = [];
  for (let [at, type] = [PNG_SIGNATURE.length, '']; type !== 'IEND' && at + HEAD_BYTES <= file.length; ) {
    const end = at + HEAD_BYTES + file.readUInt32BE(at) + SUM_BYTES;
    type = file.toString('latin1', at + 4, at + HEAD_BYTES);
    if (type === 'IDAT' && packed.length === 0 && beginsStored(file, at + HEAD_BYTES)) return file;
    if (type === 'IDAT') packed.push(file.subarray(at + HEAD_BYTES, end - SUM_BYTES));
    if (type === 'IEND') chunks.push(...storedChunk(inflate(packed, file)));
    if (NEEDED.has(type)) chunks.push(file.subarray(at, end));
    at = end;
  }
  return Buffer.concat(chunks);
}

/** Whether the first block behind two bytes of zlib's is not deflated (RFC 1951, 3.2.3). */
function beginsStored(file: Buffer, at: number): boolean {
  return ((file[at + 2] ?? 0) & 0b110) === 0;
}

function inflate(packed: readonly Buffer[], file: Buffer): Buffer {
  const header = file.subarray(PNG_SIGNATURE.length + HEAD_BYTES);
  // Each row begins with a byte that names its filter; interlaced, there are twice as many, and each may end within a byte.
  const bytes = ((pngRowBytes(header) ?? 0) + 4) * header.readUInt32BE(4) + 64;
  // Inflated at one stroke, without joining pieces.
  return inflateSync(Buffer.concat(packed), { maxOutputLength: bytes, chunkSize: bytes });
}

/** The pixels in blocks that are not deflated (RFC 1951, 3.2.4), without their checksums. */
function storedChunk(pixels: Buffer): Buffer[] {
  const parts: Buffer[] = [Buffer.from([0x78, 0x01])];
  for (let at = 0; at < pixels.length; at += MAX_BLOCK_BYTES) {
    const block = pixels.subarray(at, at + MAX_BLOCK_BYTES);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + block.length === pixels.length ? 1 : 0);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(0xffff - block.length, 3);
    parts.push(head, block);
  }
  parts.push(Buffer.alloc(4));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(parts.reduce((sum, { length }) => sum + length, 0));
  head.write('IDAT', 4, 'latin1');
  return [head, ...parts, Buffer.alloc(SUM_BYTES)];
}
