import type { Rgb } from './resample.ts';

/** What a decoder gives: grey, grey and alpha, RGB, or RGB and alpha, of 8 bits or more. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly depth: number;
  readonly data: ArrayLike<number>;
}

/** Drops alpha. Of grey values with more than 8 bits, the darkest becomes 0 and the brightest 255; of colours 8 bits stay. */
export function toRgb({ width, height, channels, depth, data }: Samples): Rgb {
  const coloured = channels >= 3;
  const value = channels === 1 && depth > 8 ? stretch(data) : depth === 16 ? (sample: number) => sample >> 8 : asItIs;
  const result = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      result[3 * pixel + channel] = value(data[pixel * channels + (coloured ? channel : 0)] ?? 0);
    }
  }
  return { width, height, data: result };
}

const asItIs = (sample: number) => sample;

function stretch(data: ArrayLike<number>): (sample: number) => number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < data.length; at++) {
    const sample = finite(data[at] ?? 0);
    if (sample < low) low = sample;
    if (sample > high) high = sample;
  }
  return (sample) => roundHalfToEven(((finite(sample) - low) / (high - low || 1)) * 255);
}

/** What is no number counts as 0. */
function finite(sample: number): number {
  return Number.isFinite(sample) ? sample : 0;
}

/** As NumPy rounds. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
