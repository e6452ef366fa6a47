/** An image in memory: three bytes a pixel, row after row. */
export interface Rgb {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Weights are whole numbers of this many binary places, so that every computer rounds alike. */
const PLACES = 22;

/** What one pixel of the result is made of, along one side. */
interface Window {
  readonly first: number;
  readonly weights: readonly number[];
}

/**
 * Scales as Pillow does with `Resampling.BILINEAR`, to the byte: a triangle as wide as the reduction, along the rows first,
 * rounded to bytes, then along the columns. What a canvas does differs from browser to browser, and most do not look at
 * all pixels when they reduce: the network was trained on other pictures than that.
 */
export function resample(image: Rgb, width: number, height: number): Rgb {
  const narrow = width === image.width ? image : alongRows(image, width);
  return height === narrow.height ? narrow : alongColumns(narrow, height);
}

function windows(from: number, to: number): Window[] {
  const scale = from / to;
  // Enlarging, a pixel is made of its two neighbours; reducing, of all that it stands for.
  const reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, at) => {
    const centre = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const heights = Array.from({ length: end - first }, (_, index) =>
      Math.max(0, 1 - Math.abs((index + first - centre + 0.5) * (1 / reach))),
    );
    const total = 1 / heights.reduce((sum, height) => sum + height, 0);
    return { first, weights: heights.map((height) => Math.trunc(height * total * 2 ** PLACES + 0.5)) };
  });
}

function alongRows({ width, height, data }: Rgb, to: number): Rgb {
  const result = new Uint8Array(to * height * 3);
  for (const [column, { first, weights }] of windows(width, to).entries()) {
    for (let row = 0; row < height; row++) {
      mix(data, (row * width + first) * 3, 3, weights, result, (row * to + column) * 3);
    }
  }
  return { width: to, height, data: result };
}

function alongColumns({ width, height, data }: Rgb, to: number): Rgb {
  const result = new Uint8Array(width * to * 3);
  for (const [row, { first, weights }] of windows(height, to).entries()) {
    for (let column = 0; column < width; column++) {
      mix(data, (first * width + column) * 3, width * 3, weights, result, (row * width + column) * 3);
    }
  }
  return { width, height: to, data: result };
}

/** One pixel, of those that begin at `from` and are `step` bytes apart. */
function mix(
  data: Uint8Array,
  from: number,
  step: number,
  weights: readonly number[],
  result: Uint8Array,
  to: number,
): void {
  let red = 2 ** (PLACES - 1);
  let green = red;
  let blue = red;
  let at = from;
  for (const weight of weights) {
    red += weight * (data[at] ?? 0);
    green += weight * (data[at + 1] ?? 0);
    blue += weight * (data[at + 2] ?? 0);
    at += step;
  }
  result[to] = red >> PLACES;
  result[to + 1] = green >> PLACES;
  result[to + 2] = blue >> PLACES;
}
