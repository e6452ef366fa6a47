import { imageSize } from 'image-size';
import { decodeImage } from './decode-image.ts';
import { createJpegDecoder } from './decode-jpeg.ts';
import { encodeJpeg } from './encode-jpeg.ts';
import { NotShown, type Pixels } from './pixels.ts';
import { shrink } from './shrink.ts';

/** A small picture that every browser shows. */
export interface Thumbnail {
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** The longer side of a picture: the largest is taken with which it has few enough bytes. */
const SIDES = [192, 160, 128, 112, 96, 80, 64, 48, 32];

const decodeJpeg = createJpegDecoder({ side: SIDES[0] ?? 0, channels: 3, evenDamaged: true });

/** Formats that are embedded as they are where they are small, as `image-size` calls them. */
const SHOWN_AS_THEY_ARE = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['avif', 'image/avif'],
  ['bmp', 'image/bmp'],
]);

/**
 * A picture of at most `maxBytes` of an image file, the same on every machine: the file itself where it is small enough, else
 * a smaller JPEG.
 *
 * @throws NotShown for what can't be decoded here; errors of the decoders
 */
export async function thumbnailOf(file: Buffer, maxBytes: number): Promise<Thumbnail> {
  const { type } = imageSize(file);
  const mediaType = SHOWN_AS_THEY_ARE.get(type ?? '');
  if (mediaType !== undefined && file.length <= maxBytes) return { mediaType, data: Uint8Array.from(file) };
  // Its decoder takes more than all other parts of the action.
  if (mediaType === 'image/avif') throw new NotShown('an AVIF of this size');
  const data = await largestFitting(decodeImage(file, decodeJpeg), maxBytes);
  if (!data) throw new NotShown('too little room in the report');
  return { mediaType: 'image/jpeg', data };
}

/** Each try takes as long as decoding a small image does, so they are few. */
async function largestFitting(pixels: Pixels, maxBytes: number): Promise<Uint8Array | undefined> {
  const whole = { ...shrink(pixels, SIDES[0] ?? 0), channels: 4, black: 0, white: 255 } as const;
  // Of several that are no smaller than the image, all pictures are the same.
  const own = Math.max(whole.width, whole.height);
  const sides = [own, ...SIDES.filter((side) => side < own)];
  let found: Uint8Array | undefined;
  for (let [from, to] = [0, sides.length]; from < to; ) {
    // Most pictures of a report with few classes fit at once.
    const at = found === undefined && from === 0 && to === sides.length ? 0 : Math.floor((from + to) / 2);
    const data = await encodeJpeg(shrink(whole, sides[at] ?? 0));
    if (data.length <= maxBytes) [found, to] = [data, at];
    else from = at + 1;
  }
  return found;
}
