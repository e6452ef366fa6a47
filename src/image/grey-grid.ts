import type { Pixels } from './pixels.ts';

/**
 * The brightness of an image in `side` × `side` cells, whatever its shape. A pixel that lies in several cells counts in each
 * with its part, so that the cells of a mirrored or scaled image are those of the image.
 */
export function greyGrid(pixels: Pixels, side: number): Float64Array {
  const { width, height } = pixels;
  const cells = new Float64Array(side * side);
  const row = new Float64Array(side);
  /** Of the pixels that lie left of each, and of all. */
  const sums = new Float64Array(width + 1);
  const scale = side / height;
  for (let y = 0; y < height; y++) {
    sumRow(sums, pixels, y);
    means(row, sums);
    const [top, bottom] = [y * scale, (y + 1) * scale];
    for (let cell = Math.floor(top); cell < Math.min(side, bottom); cell++) {
      const part = Math.min(cell + 1, bottom) - Math.max(cell, top);
      for (let x = 0; x < side; x++) cells[cell * side + x] = (cells[cell * side + x] ?? 0) + part * (row[x] ?? 0);
    }
  }
  return cells;
}

/** Here a large image spends its time. Brightness is from 0 to 255, on white (ITU-R BT.601, as in JPEG). */
function sumRow(sums: Float64Array, { width, channels, data, black, white, opaque }: Pixels, y: number): void {
  const scale = 255 / (white - black);
  const isGrey = channels < 3;
  const hasAlpha = opaque !== undefined && (channels === 2 || channels === 4);
  let sum = 0;
  let at = y * width * channels;
  for (let x = 1; x <= width; x++, at += channels) {
    const grey = isGrey
      ? (data[at] ?? 0)
      : 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
    const value = scale * (grey - black);
    sum += hasAlpha ? 255 + ((value - 255) * (data[at + channels - 1] ?? 0)) / opaque : value;
    sums[x] = sum;
  }
}

/** What each cell of a row has, of the sums of its pixels. */
function means(row: Float64Array, sums: Float64Array): void {
  const width = sums.length - 1;
  let before = 0;
  for (let cell = 0; cell < row.length; cell++) {
    const edge = ((cell + 1) * width) / row.length;
    const pixel = Math.floor(edge);
    const whole = sums[pixel] ?? 0;
    const after = whole + (edge - pixel) * ((sums[pixel + 1] ?? whole) - whole);
    row[cell] = ((after - before) * row.length) / width;
    before = after;
  }
}
