import { crc32 } from 'node:zlib';
import { type CheckFormat, CUT_SHORT, wrongSize } from './fault.ts';
import { type ImageBytes, PIECE_BYTES } from './image-bytes.ts';

/** PNG (W3C Recommendation, third edition), 5.2. */
export const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Length, type and checksum of a chunk (5.3). */
const CHUNK_OVERHEAD = 12;
const HEADER_BYTES = 13;

/** Samples of a pixel, and how many bits a sample may have, by colour type (11.2.1). */
const COLOURS: Readonly<Record<number, { readonly samples: number; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};
const PALETTE = 3;

/** Deflate makes at most this much of a byte (RFC 1951: 258 bytes of two bits, nearly). */
const MAX_RATIO = 1_032;

/** Chunk after chunk, with their checksums, to the end chunk; what follows it is nobody's matter. */
export const checkPng: CheckFormat = (bytes) => {
  let at = PNG_SIGNATURE.length;
  let header: Buffer | undefined;
  let imageBytes = 0;
  let [hasPalette, isPacked] = [false, true];
  while (at + CHUNK_OVERHEAD <= bytes.length) {
    const start = bytes.slice(at, at + CHUNK_OVERHEAD);
    const length = start.readUInt32BE(0);
    const type = start.toString('latin1', 4, 8);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return CUT_SHORT;
    if (type === 'IDAT') {
      if (imageBytes === 0 && length >= 2) isPacked = beginsZlib(start.readUInt16BE(8));
      imageBytes += length;
    }
    if (checksum(bytes, at + 4, end) !== bytes.slice(end, end + 4).readUInt32BE(0)) {
      return `is damaged: the checksum of its part ${JSON.stringify(type)} is wrong`;
    }
    if (!header && (type !== 'IHDR' || length !== HEADER_BYTES)) return 'is damaged: it does not begin with its size';
    header ??= Buffer.from(bytes.slice(at + 8, end));
    if (type === 'PLTE') hasPalette = true;
    if (type === 'IEND') return faultOfParts(header, { imageBytes, hasPalette, isPacked });
    at = end + 4;
  }
  return CUT_SHORT;
};

function checksum(bytes: ImageBytes, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += PIECE_BYTES) sum = crc32(bytes.slice(at, Math.min(to, at + PIECE_BYTES)), sum);
  return sum;
}

/** RFC 1950, 2.2: method 8, a window of 32 KiB at most, and a multiple of 31. */
function beginsZlib(start: number): boolean {
  return (start >> 8) % 16 === 8 && start >> 12 <= 7 && start % 31 === 0;
}

/** How many bytes a row of pixels has, unpacked and whole (11.2.1); `undefined` for a kind of colours that does not exist. */
export function pngRowBytes(header: Buffer): number | undefined {
  const depth = header.readUInt8(8);
  const colours = COLOURS[header.readUInt8(9)];
  if (!colours?.depths.includes(depth)) return undefined;
  return Math.ceil((header.readUInt32BE(0) * colours.samples * depth) / 8);
}

/** What was seen of the parts after the header. */
interface Parts {
  readonly imageBytes: number;
  readonly hasPalette: boolean;
  readonly isPacked: boolean;
}

function faultOfParts(header: Buffer, { imageBytes, hasPalette, isPacked }: Parts): string | undefined {
  if (imageBytes === 0) return 'holds no pixels';
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)] as const;
  const rowBytes = pngRowBytes(header);
  if (rowBytes === undefined) return 'is damaged: its kind of colours does not exist';
  if (header.readUInt8(9) === PALETTE && !hasPalette) return 'is damaged: it lacks its palette';
  if (height * rowBytes > MAX_RATIO * imageBytes)
    return `says that it has ${width} × ${height} pixels, and is too small for them`;
  return wrongSize(width, height) ?? (isPacked ? undefined : 'is damaged: its pixels are not packed as those of a PNG');
}
