import { NotShown, type Pixels } from './pixels.ts';

const FILE_HEADER = 14;
/** BI_RGB. */
const UNCOMPRESSED = 0;

/** Uncompressed BMP with a palette or with 24 or 32 bits a pixel, from the bottom up or from the top down. */
export function decodeBmp(file: Buffer): Pixels {
  const [pixelsAt, headerBytes, width, rows, bits] = [
    file.readUInt32LE(10),
    file.readUInt32LE(FILE_HEADER),
    file.readInt32LE(18),
    file.readInt32LE(22),
    file.readUInt16LE(28),
  ];
  if (headerBytes < 40) throw new NotShown('a BMP of OS/2');
  if (file.readUInt32LE(30) !== UNCOMPRESSED) throw new NotShown('a compressed BMP');
  if (![1, 4, 8, 24, 32].includes(bits)) throw new NotShown(`a BMP with ${bits} bits a pixel`);
  const height = Math.abs(rows);
  const stride = Math.ceil((width * bits) / 32) * 4;
  const palette = FILE_HEADER + headerBytes;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = pixelsAt + stride * (rows > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++) {
      const at = bits < 24 ? palette + 4 * indexAt(file, row, x, bits) : row + (x * bits) / 8;
      const to = (y * width + x) * 3;
      for (let colour = 0; colour < 3; colour++) data[to + colour] = file[at + 2 - colour] ?? 0;
    }
  }
  return { width, height, channels: 3, data, black: 0, white: 255 };
}

function indexAt(file: Buffer, row: number, x: number, bits: number): number {
  const bit = x * bits;
  return ((file[row + Math.floor(bit / 8)] ?? 0) >> (8 - bits - (bit % 8))) & (2 ** bits - 1);
}
