import { type CheckFormat, CUT_SHORT, wrongSize } from './fault.ts';

/** BITMAPFILEHEADER (learn.microsoft.com, “Bitmap Storage”). */
export const BMP_SIGNATURE = Buffer.from('BM', 'latin1');

const FILE_HEADER_BYTES = 14;
/** BITMAPCOREHEADER, of OS/2: sides of two bytes. */
const CORE_HEADER_BYTES = 12;
/** BITMAPINFOHEADER, which later ones begin with. */
const INFO_HEADER_BYTES = 40;
/** Those of its later versions, and of OS/2. */
const HEADER_BYTES = new Set([CORE_HEADER_BYTES, 16, INFO_HEADER_BYTES, 52, 56, 64, 108, 124]);
/** Of a pixel; 0 where the pixels are a JPEG or PNG. */
const BITS = new Set([1, 2, 4, 8, 16, 24, 32, 64]);
const EMBEDDED = new Set([4, 5]);
/** Pixels as they are: BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS. */
const UNPACKED = new Set([0, 3, 6]);

/** The pixels, as many as its size needs, inside the file. */
export const checkBmp: CheckFormat = (bytes) => {
  const data = bytes.slice(0, FILE_HEADER_BYTES + INFO_HEADER_BYTES);
  if (data.length < FILE_HEADER_BYTES + CORE_HEADER_BYTES) return CUT_SHORT;
  const pixelsAt = data.readUInt32LE(10);
  const headerBytes = data.readUInt32LE(14);
  if (!HEADER_BYTES.has(headerBytes)) return 'is damaged: its header has no length that exists';
  const isCore = headerBytes === CORE_HEADER_BYTES;
  if (!isCore && data.length < FILE_HEADER_BYTES + INFO_HEADER_BYTES) return CUT_SHORT;
  const width = isCore ? data.readUInt16LE(18) : data.readInt32LE(18);
  // Rows of a negative height go from the top down.
  const height = Math.abs(isCore ? data.readUInt16LE(20) : data.readInt32LE(22));
  const bits = data.readUInt16LE(isCore ? 24 : 28);
  const compression = isCore ? 0 : data.readUInt32LE(30);
  const fault = wrongSize(width, height);
  if (fault !== undefined) return fault;
  if (!BITS.has(bits) && !EMBEDDED.has(compression)) return `is damaged: its pixels have ${bits} bits`;
  const rowBytes = Math.ceil((width * bits) / 8);
  const stride = Math.ceil(rowBytes / 4) * 4;
  // Some programs leave out what fills up the last row.
  const pixels = UNPACKED.has(compression) ? stride * (height - 1) + rowBytes : data.readUInt32LE(34);
  return pixelsAt + pixels <= bytes.length ? undefined : CUT_SHORT;
};
