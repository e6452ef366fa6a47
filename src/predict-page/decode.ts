import { convertIndexedToRgb, decode as decodePngFile } from 'fast-png';
import { decode as decodeTiffFile } from 'tiff';
import { withoutMetadata } from './jpeg-metadata.ts';
import { Unusable } from './prepare-image.ts';
import type { Rgb } from './resample.ts';
import { toRgb } from './to-rgb.ts';

/** Decodes what only the browser can: JPEG, WebP, GIF, BMP. */
export type BrowserDecoder = (file: Uint8Array<ArrayBuffer>) => Promise<Rgb>;

/**
 * A picture as predict.py sees it: 8-bit RGB, colours as they stand in the file (no colour profile, no turning by EXIF), no
 * transparency, more than 8 bits stretched from the darkest to the brightest value. PNG and TIFF are decoded here, because a
 * canvas loses colours under transparency and all but 8 bits, and most browsers know no TIFF.
 */
export async function decodePicture(file: Uint8Array<ArrayBuffer>, inBrowser: BrowserDecoder): Promise<Rgb> {
  const begins = (...bytes: readonly number[]) => bytes.every((byte, at) => file[at] === byte);
  if (begins(0x89, 0x50, 0x4e, 0x47)) return decodePng(file);
  if (begins(0x49, 0x49, 0x2a, 0) || begins(0x4d, 0x4d, 0, 0x2a)) return decodeTiff(file);
  return inBrowser(begins(0xff, 0xd8) ? withoutMetadata(file) : file);
}

function decodePng(file: Uint8Array): Rgb {
  const png = decodePngFile(file);
  const { width, height, depth, palette, channels } = png;
  if (palette) {
    return toRgb({ width, height, channels: palette[0]?.length ?? 3, depth: 8, data: convertIndexedToRgb(png) });
  }
  const data = depth < 8 ? unpackBits(png.data, width, height, depth) : png.data;
  return toRgb({ width, height, channels, depth: depth < 8 ? 8 : depth, data });
}

/** Grey values of less than 8 bits, of which rows begin with a byte, spread to 0–255. */
function unpackBits(data: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const white = 2 ** depth - 1;
  return Uint8Array.from({ length: width * height }, (_, at) => {
    const bit = (at % width) * depth;
    const byte = data[Math.floor(at / width) * rowBytes + Math.floor(bit / 8)] ?? 0;
    return (((byte >> (8 - depth - (bit % 8))) & white) * 255) / white;
  });
}

function decodeTiff(file: Uint8Array): Rgb {
  const [described] = decodeTiffFile(file, { pages: [0], ignoreImageData: true });
  if (!described) throw new Unusable('a TIFF without an image');
  const { samplesPerPixel: channels, bitsPerSample: depth, type: kind } = described;
  const plain = described.planarConfiguration === 1 && !described.tiled;
  // Grey from black (1) and RGB (2): the decoder would give wrong pictures of some other kinds.
  if ((channels > 1 && !plain) || (kind !== 1 && kind !== 2) || (channels > 1 && depth !== 8) || depth < 8) {
    throw new Unusable('a kind of TIFF that is not read here: predict.py reads it');
  }
  const [page] = decodeTiffFile(file, { pages: [0] });
  if (!page) throw new Unusable('a TIFF without an image');
  return toRgb({ width: page.width, height: page.height, channels, depth, data: page.data });
}
