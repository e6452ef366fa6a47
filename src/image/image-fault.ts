import { BMP_SIGNATURE, checkBmp } from './bmp.ts';
import type { CheckFormat } from './fault.ts';
import { checkGif, GIF_SIGNATURES } from './gif.ts';
import type { ImageBytes } from './image-bytes.ts';
import { checkJpeg, JPEG_SIGNATURE } from './jpeg.ts';
import { checkPng, PNG_SIGNATURE } from './png.ts';
import { checkTiff, TIFF_SIGNATURES } from './tiff.ts';
import { checkWebp, isWebp } from './webp.ts';
import { whatElse } from './what-else.ts';

interface Format {
  /** The endings of its files, lower-case. */
  readonly endings: readonly string[];
  /** Whether a file is one, by what it begins with. */
  readonly owns: (head: Buffer) => boolean;
  readonly check: CheckFormat;
}

/** So much tells a format. */
const HEAD_BYTES = 16;

const beginsWith = (signatures: readonly Buffer[]) => (head: Buffer) =>
  signatures.some((signature) => head.subarray(0, signature.length).equals(signature));

const FORMATS: readonly Format[] = [
  { endings: ['png'], owns: beginsWith([PNG_SIGNATURE]), check: checkPng },
  { endings: ['jpg', 'jpeg', 'jpe', 'jfif'], owns: beginsWith([JPEG_SIGNATURE]), check: checkJpeg },
  { endings: ['tif', 'tiff'], owns: beginsWith(TIFF_SIGNATURES), check: checkTiff },
  { endings: ['bmp', 'dib'], owns: beginsWith([BMP_SIGNATURE]), check: checkBmp },
  { endings: ['gif'], owns: beginsWith(GIF_SIGNATURES), check: checkGif },
  { endings: ['webp'], owns: isWebp, check: checkWebp },
];

/**
 * Why a file is no whole image, found by its structure and without decoding it: cut short, damaged, empty of pixels, or
 * something else under an image's name. A format under the ending of another is fine, as programs look at the content;
 * so is what follows an image's end. Of formats that are not known here, only what is certainly no image is found.
 *
 * @param ending of its name, lower-case, without the dot
 * @returns the rest of “it …”; `undefined` for a file in which nothing wrong is seen
 */
export function imageFault(bytes: ImageBytes, ending: string): string | undefined {
  const head = bytes.slice(0, HEAD_BYTES);
  const format = FORMATS.find(({ owns }) => owns(head));
  if (format) return format.check(bytes);
  const other = whatElse(bytes);
  const isKnownEnding = FORMATS.some(({ endings }) => endings.includes(ending));
  if (other !== undefined && (isKnownEnding || other.isNeverAnImage)) return other.sentence;
  return isKnownEnding
    ? `is no image: it begins with none of the marks of ${ending.toUpperCase()} or another format`
    : undefined;
}
