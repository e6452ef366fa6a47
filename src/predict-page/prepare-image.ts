import { type Rgb, resample } from './resample.ts';

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/** An image that can't be used, and why, for the person who dropped it. */
export class Unusable extends Error {}

/** The sides after scaling: cut off and not rounded, as the serving code does it. */
export function scaled(width: number, height: number, size: number): [width: number, height: number] {
  const scale = size / Math.max(width, height);
  const sides: [number, number] = [Math.trunc(width * scale), Math.trunc(height * scale)];
  if (Math.min(...sides) === 0) throw new Unusable(`${width} × ${height} pixels are too narrow`);
  return sides;
}

/** The long side scaled to `size`, the rest of the square filled by repeating the edges. */
export function square(image: Rgb, size: number): Rgb {
  const [width, height] = scaled(image.width, image.height, size);
  const small = resample(image, width, height);
  const left = Math.floor((size - width) / 2);
  const top = Math.floor((size - height) / 2);
  const data = new Uint8Array(size * size * 3);
  for (let row = 0; row < size; row++) {
    const fromRow = Math.min(Math.max(row - top, 0), height - 1);
    for (let column = 0; column < size; column++) {
      const at = (fromRow * width + Math.min(Math.max(column - left, 0), width - 1)) * 3;
      data.set(small.data.subarray(at, at + 3), (row * size + column) * 3);
    }
  }
  return { width: size, height: size, data };
}

/** What the network takes: one channel after the other, each with ImageNet's mean and standard deviation taken out. */
export function normalise({ width, height, data }: Rgb): Float32Array {
  const pixels = width * height;
  const result = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(MEAN[channel] ?? 0);
    const deviation = Math.fround(STD[channel] ?? 1);
    for (let at = 0; at < pixels; at++) {
      // Rounded after each step, as NumPy computes with numbers of 32 bits.
      const share = Math.fround((data[3 * at + channel] ?? 0) / 255);
      result[channel * pixels + at] = Math.fround(share - mean) / deviation;
    }
  }
  return result;
}

/** Probabilities of the network's outputs. */
export function softmax(outputs: ArrayLike<number>, temperature: number): number[] {
  const values = Array.from(outputs, (value) => value / temperature);
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
