import { convertIndexedToRgb, decode as decodePngFile } from 'fast-png';
import { imageSize } from 'image-size';
import { BMP_SIGNATURE } from './bmp.ts';
import { decodeBmp } from './decode-bmp.ts';
import { decodeGif } from './decode-gif.ts';
import type { DecodeJpeg } from './decode-jpeg.ts';
import { decodeTiff } from './decode-tiff.ts';
import { decodeWebp } from './decode-webp.ts';
import { GIF_SIGNATURES } from './gif.ts';
import { JPEG_SIGNATURE } from './jpeg.ts';
import { channelsOf, NotShown, type Pixels, rangeOf, requireFewPixels } from './pixels.ts';
import { PNG_SIGNATURE } from './png.ts';
import { withStoredPixels } from './stored-png.ts';
import { TIFF_SIGNATURES } from './tiff.ts';
import { isWebp } from './webp.ts';

/** @throws NotShown for a format that is not decoded here, and for what a decoder doesn't know; errors of the decoders */
export function decodeImage(data: Buffer, decodeJpeg: DecodeJpeg): Pixels {
  const begins = (signature: Buffer) => data.subarray(0, signature.length).equals(signature);
  // Its decoder looks at the size itself.
  if (begins(JPEG_SIGNATURE)) return decodeJpeg(data);
  const { width, height } = imageSize(data);
  requireFewPixels(width, height);
  if (begins(PNG_SIGNATURE)) return decodePng(data);
  if (TIFF_SIGNATURES.some(begins)) return decodeTiff(data);
  if (begins(BMP_SIGNATURE)) return decodeBmp(data);
  if (GIF_SIGNATURES.some(begins)) return decodeGif(data);
  if (isWebp(data)) return decodeWebp(data);
  throw new NotShown('a format that is not decoded here');
}

function decodePng(file: Buffer): Pixels {
  const png = decodePngFile(withStoredPixels(file));
  const { width, height, depth, palette, data } = png;
  if (palette) {
    const colours = convertIndexedToRgb(png);
    return {
      width,
      height,
      channels: palette[0]?.length === 4 ? 4 : 3,
      data: colours,
      black: 0,
      white: 255,
      opaque: 255,
    };
  }
  const channels = channelsOf(png.channels);
  const white = 2 ** depth - 1;
  if (depth === 16) return { width, height, channels, data, ...rangeOf(data, channels), opaque: white };
  if (depth === 8) return { width, height, channels, data, black: 0, white, opaque: white };
  return { width, height, channels, data: unpackBits(data, width, height, depth), black: 0, white };
}

/** Grey values of less than 8 bits, of which rows begin with a byte. */
function unpackBits(data: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const values = new Uint8Array(width * height);
  for (let at = 0; at < values.length; at++) {
    const [row, bit] = [Math.floor(at / width), (at % width) * depth];
    const byte = data[row * rowBytes + Math.floor(bit / 8)] ?? 0;
    values[at] = (byte >> (8 - depth - (bit % 8))) & (2 ** depth - 1);
  }
  return values;
}
