import { crc32 } from 'node:zlib';
import { type CheckFormat, CUT_SHORT, wrongSize } from './fault.ts';

/** PNG (W3C Recommendation, third edition), 5.2. */
export const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Length, type and checksum of a chunk (5.3). */
const CHUNK_OVERHEAD = 12;
const HEADER_BYTES = 13;

/** Samples of a pixel by colour type (11.2.1). */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Deflate makes at most this much of a byte (RFC 1951: 258 bytes of two bits, nearly). */
const MAX_RATIO = 1_032;

/** Chunk after chunk, with their checksums, to the end chunk; what follows it is nobody's matter. */
export const checkPng: CheckFormat = (data) => {
  let at = PNG_SIGNATURE.length;
  let header: Buffer | undefined;
  let imageBytes = 0;
  while (at + CHUNK_OVERHEAD <= data.length) {
    const length = data.readUInt32BE(at);
    const type = data.toString('latin1', at + 4, at + 8);
    const end = at + 8 + length;
    if (end + 4 > data.length) return CUT_SHORT;
    if (crc32(data.subarray(at + 4, end)) !== data.readUInt32BE(end)) {
      return `is damaged: the checksum of its part ${JSON.stringify(type)} is wrong`;
    }
    if (!header && (type !== 'IHDR' || length !== HEADER_BYTES)) return 'is damaged: it does not begin with its size';
    header ??= data.subarray(at + 8, end);
    if (type === 'IDAT') imageBytes += length;
    if (type === 'IEND') return imageBytes === 0 ? 'holds no pixels' : wrongHeader(header, imageBytes);
    at = end + 4;
  }
  return CUT_SHORT;
};

function wrongHeader(header: Buffer, imageBytes: number): string | undefined {
  const [width, height, depth] = [header.readUInt32BE(0), header.readUInt32BE(4), header.readUInt8(8)] as const;
  const samples = SAMPLES[header.readUInt8(9)];
  if (samples === undefined) return 'is damaged: its kind of colours does not exist';
  const pixelBytes = height * Math.ceil((width * samples * depth) / 8);
  if (pixelBytes > MAX_RATIO * imageBytes)
    return `says that it has ${width} × ${height} pixels, and is too small for them`;
  return wrongSize(width, height);
}
