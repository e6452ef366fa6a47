import { decodeImage } from './decode-image.ts';
import { createJpegDecoder } from './decode-jpeg.ts';
import { greyGrid } from './grey-grid.ts';
import type { Pixels } from './pixels.ts';

/** Of a hash: 255 signs, and the image's shape. */
export const HASH_WORDS = 9;

/** The lowest frequencies of each direction, of which the signs are taken. */
export const FREQUENCIES = 16;

/** An image is brought to so many pixels in each direction. */
const GRID = 32;

/** Decoded JPEGs are at least so large: two pixels for one of the grid. */
const DECODED_SIDE = 2 * GRID;

/** Standard deviation of the grey values of an image in which nothing is seen, of 256. */
const MIN_CONTRAST = 1;

/** What a shape of 1 : 1 is, and how many steps there are for a factor of e. */
export const SQUARE = 32_768;
const SHAPE_STEPS = 1_000;

/** A hash of an image by what it shows, or `undefined` where it shows nothing or can't be decoded. */
export type PerceptualHash = (file: Buffer) => Uint32Array | undefined;

/**
 * The signs of the low frequencies of an image's brightness (as in “pHash”, with 255 of them), which stay the same when it is
 * saved again, scaled or brightened. The last word is its shape: near-duplicates have the same.
 */
export function createPerceptualHash(): PerceptualHash {
  const decodeJpeg = createJpegDecoder({ side: DECODED_SIDE, channels: 1, evenDamaged: false });
  return (file) => {
    try {
      return hashOf(decodeImage(file, decodeJpeg));
    } catch {
      // What is wrong with an image is said elsewhere; here it is one that can't be compared.
      return undefined;
    }
  };
}

/** Memory for one image after the other: with new memory for each, 50,000 small images took V8 three times as many collections. */
const grey = new Float64Array(GRID * GRID);
const rows = new Float64Array(FREQUENCIES * GRID);
const both = new Float64Array(FREQUENCIES * FREQUENCIES);

/** @returns `undefined` for an image in which nothing is seen */
export function hashOf(pixels: Pixels): Uint32Array | undefined {
  greyGrid(pixels, GRID, grey);
  // Values that are not numbers have no variance either.
  if (!(varianceOf(grey) >= MIN_CONTRAST ** 2)) return undefined;
  const hash = new Uint32Array(HASH_WORDS);
  // The discrete cosine transform. Only signs matter, so factors are left out.
  project(grey, rows);
  project(rows, both);
  // The first is the mean, whose sign says nothing.
  for (let place = 1; place < both.length; place++) {
    if ((both[place] ?? 0) > 0) hash[place >>> 5] = (hash[place >>> 5] ?? 0) | (1 << (place & 31));
  }
  hash[HASH_WORDS - 1] = SQUARE + Math.round(SHAPE_STEPS * Math.log(pixels.width / pixels.height));
  return hash;
}

function varianceOf(values: Float64Array): number {
  let [sum, squares] = [0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    sum += value;
    squares += value * value;
  }
  return squares / values.length - (sum / values.length) ** 2;
}

/** Of each frequency, its values along the grid. */
const COSINES = Float64Array.from({ length: FREQUENCIES * GRID }, (_, at) =>
  Math.cos((Math.PI * Math.floor(at / GRID) * (2 * (at % GRID) + 1)) / (2 * GRID)),
);

/** The low frequencies of each row, as columns. Of four rows at a time: each sum waits for the one before it. */
function project(rows: Float64Array, columns: Float64Array): void {
  const count = columns.length / FREQUENCIES;
  for (let frequency = 0; frequency < FREQUENCIES; frequency++) {
    for (let row = 0; row < count; row += 4) {
      const start = row * GRID;
      let [first, second, third, fourth] = [0, 0, 0, 0];
      for (let at = 0; at < GRID; at++) {
        const cosine = COSINES[frequency * GRID + at] ?? 0;
        first += cosine * (rows[start + at] ?? 0);
        second += cosine * (rows[start + GRID + at] ?? 0);
        third += cosine * (rows[start + 2 * GRID + at] ?? 0);
        fourth += cosine * (rows[start + 3 * GRID + at] ?? 0);
      }
      const column = frequency * count + row;
      columns[column] = first;
      columns[column + 1] = second;
      columns[column + 2] = third;
      columns[column + 3] = fourth;
    }
  }
}
