import type { Pixels } from './pixels.ts';

/**
 * The brightness of an image in `side` × `side` cells, whatever its shape. A pixel that lies in several cells counts in each
 * with its part, so that the cells of a mirrored or scaled image are those of the image.
 */
export function greyGrid(pixels: Pixels, side: number): Float64Array {
  const { width, height } = pixels;
  const [across, down] = [shares(width, side), shares(height, side)];
  const cells = new Float64Array(side * side);
  const row = new Float64Array(side);
  for (let y = 0; y < height; y++) {
    sumRow(row, pixels, y, across);
    const [first, last] = [down.first[y] ?? 0, down.last[y] ?? 0];
    for (let cell = first; cell <= last; cell++) {
      const part = down.partOf(y, cell);
      for (let x = 0; x < side; x++) cells[cell * side + x] = (cells[cell * side + x] ?? 0) + part * (row[x] ?? 0);
    }
  }
  return cells;
}

/** Here a large image spends its time. */
function sumRow(row: Float64Array, pixels: Pixels, y: number, { first, last, whole, partOf }: Shares): void {
  row.fill(0);
  for (let x = 0; x < pixels.width; x++) {
    const value = brightness(pixels, y * pixels.width + x);
    const [from, to] = [first[x] ?? 0, last[x] ?? 0];
    if (from === to) row[from] = (row[from] ?? 0) + value * whole;
    else for (let cell = from; cell <= to; cell++) row[cell] = (row[cell] ?? 0) + value * partOf(x, cell);
  }
}

/** From 0 to 255, on white (ITU-R BT.601, as in JPEG). */
function brightness({ channels, data, black, white, opaque }: Pixels, pixel: number): number {
  const at = pixel * channels;
  const grey =
    channels < 3
      ? (data[at] ?? 0)
      : 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
  const value = (255 * (grey - black)) / (white - black);
  if (opaque === undefined || channels === 1 || channels === 3) return value;
  return 255 + ((value - 255) * (data[at + channels - 1] ?? 0)) / opaque;
}

interface Shares {
  /** The cells that each pixel lies in. */
  readonly first: Uint32Array;
  readonly last: Uint32Array;
  /** What part of a cell a pixel fills that lies in no other. */
  readonly whole: number;
  /** What part of a cell a pixel fills. */
  readonly partOf: (pixel: number, cell: number) => number;
}

function shares(pixels: number, side: number): Shares {
  const scale = side / pixels;
  const first = Uint32Array.from({ length: pixels }, (_, at) => Math.min(side - 1, Math.floor((at * side) / pixels)));
  const last = Uint32Array.from({ length: pixels }, (_, at) =>
    Math.max(first[at] ?? 0, Math.min(side - 1, Math.ceil(((at + 1) * side) / pixels) - 1)),
  );
  return {
    first,
    last,
    whole: scale,
    partOf: (pixel, cell) => Math.min(cell + 1, (pixel + 1) * scale) - Math.max(cell, pixel * scale),
  };
}
