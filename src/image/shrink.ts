import type { Picture } from './encode-jpeg.ts';
import type { Pixels } from './pixels.ts';

/** At most `side` pixels wide and high, each the mean of those that it stands for, on white. */
export function shrink(pixels: Pixels, side: number): Picture {
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
