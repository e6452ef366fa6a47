import { imageSize } from 'image-size';
import jpeg from 'jpeg-js';
import { decodeImage } from './decode-image.ts';
import { NotShown, type Pixels } from './pixels.ts';

/** A small picture that every browser shows. */
export interface Thumbnail {
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** More takes too much memory. */
const MAX_PIXELS = 64_000_000;

/** The longer side of a picture: the largest is taken with which it has few enough bytes. */
const SIDES = [192, 160, 128, 112, 96, 80, 64, 48, 32];

/** Of JPEG. */
const QUALITY = 70;

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
export function thumbnailOf(file: Buffer, maxBytes: number): Thumbnail {
  const { width, height, type } = imageSize(file);
  const mediaType = SHOWN_AS_THEY_ARE.get(type ?? '');
  if (mediaType !== undefined && file.length <= maxBytes) return { mediaType, data: Uint8Array.from(file) };
  if (width * height > MAX_PIXELS) throw new NotShown(`${Math.round((width * height) / 1e6)} megapixels`);
  if (mediaType === 'image/gif' || mediaType === 'image/webp' || mediaType === 'image/avif') {
    throw new NotShown(`a ${String(type).toUpperCase()} of this size`);
  }
  const data = largestFitting(decodeImage(file), maxBytes);
  if (!data) throw new NotShown('too little room in the report');
  return { mediaType: 'image/jpeg', data: Uint8Array.from(data) };
}

/** Each try takes as long as decoding a small image does, so they are few. */
function largestFitting(pixels: Pixels, maxBytes: number): Uint8Array | undefined {
  const whole = { ...shrink(pixels, SIDES[0] ?? 0), channels: 4, black: 0, white: 255 } as const;
  let found: Uint8Array | undefined;
  for (let [from, to] = [0, SIDES.length]; from < to; ) {
    // Most pictures of a report with few classes fit at once.
    const at = found === undefined && from === 0 && to === SIDES.length ? 0 : Math.floor((from + to) / 2);
    const { data } = jpeg.encode(shrink(whole, SIDES[at] ?? 0), QUALITY);
    if (data.length <= maxBytes) [found, to] = [data, at];
    else from = at + 1;
  }
  return found;
}

/** At most `side` pixels wide and high, each the mean of those that it stands for, on white, in RGBA. */
function shrink(pixels: Pixels, side: number) {
  const scale = Math.max(1, pixels.width / side, pixels.height / side);
  const width = Math.max(1, Math.round(pixels.width / scale));
  const height = Math.max(1, Math.round(pixels.height / scale));
  const data = new Uint8Array(width * height * 4);
  const sums = new Float64Array(4);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = span(y, height, pixels.height);
    for (let x = 0; x < width; x++) {
      const [left, right] = span(x, width, pixels.width);
      sums.fill(0);
      for (let row = top; row < bottom; row++) addPixels(sums, pixels, row * pixels.width + left, right - left);
      const at = (y * width + x) * 4;
      setColour(data.subarray(at, at + 4), pixels, sums, (right - left) * (bottom - top));
    }
  }
  return { width, height, data };
}

/** What of `all` pixels the one at `index` of `count` stands for: one at least. */
function span(index: number, count: number, all: number): [from: number, to: number] {
  const from = Math.floor((index * all) / count);
  return [from, Math.max(from + 1, Math.floor(((index + 1) * all) / count))];
}

/** Here a large image spends its time. */
function addPixels(sums: Float64Array, { channels, data }: Pixels, first: number, count: number): void {
  for (let channel = 0; channel < channels; channel++) {
    const end = (first + count) * channels;
    let sum = sums[channel] ?? 0;
    for (let at = first * channels + channel; at < end; at += channels) sum += data[at] ?? 0;
    sums[channel] = sum;
  }
}

function setColour(
  rgba: Uint8Array,
  { channels, black, white, opaque }: Pixels,
  sums: Float64Array,
  count: number,
): void {
  const hasAlpha = opaque !== undefined && (channels === 2 || channels === 4);
  const alpha = hasAlpha ? (sums[channels - 1] ?? 0) / count / opaque : 1;
  for (let colour = 0; colour < 3; colour++) {
    const mean = (sums[channels < 3 ? 0 : colour] ?? 0) / count;
    const value = Math.min(255, Math.max(0, (255 * (mean - black)) / (white - black)));
    rgba[colour] = Math.round(255 + (value - 255) * alpha);
  }
  rgba[3] = 255;
}
