import type { Pixels } from './pixels.ts';

/**
 * The brightness of an image in `side` × `side` cells, whatever its shape, from 0 to 255. A pixel that lies in several cells
 * counts in each with its part, so that the cells of a mirrored or scaled image are those of the image.
 *
 * @param cells what is written to: of small images, new memory would take more time than they do
 */
export function greyGrid(pixels: Pixels, side: number, cells: Float64Array): void {
  const { height } = pixels;
  const row = new Float64Array(side);
  cells.fill(0);
  const scale = side / height;
  for (let y = 0; y < height; y++) {
    means(row, pixels, y);
    const [top, bottom] = [y * scale, (y + 1) * scale];
    for (let cell = Math.floor(top); cell < Math.min(side, bottom); cell++) {
      const part = Math.min(cell + 1, bottom) - Math.max(cell, top);
      for (let x = 0; x < side; x++) cells[cell * side + x] = (cells[cell * side + x] ?? 0) + part * (row[x] ?? 0);
    }
  }
}

/** What each cell of a row has. Here a large image spends its time. */
function means(row: Float64Array, { width, channels, data, black, white, opaque }: Pixels, y: number): void {
  const scale = 255 / (white - black);
  const start = y * width * channels;
  /** Of what lies left: of all whole pixels, and of the cells before. */
  let [sum, before] = [0, 0];
  let at = start;
  for (let cell = 0; cell < row.length; cell++) {
    const edge = ((cell + 1) * width) / row.length;
    const pixel = Math.floor(edge);
    for (const end = start + pixel * channels; at < end; at += channels) {
      sum += greyOf(data, at, channels, white, opaque);
    }
    const part = edge - pixel;
    const after = part === 0 ? sum : sum + part * greyOf(data, at, channels, white, opaque);
    row[cell] = scale * (((after - before) * row.length) / width - black);
    before = after;
  }
}

/** ITU-R BT.601, as in JPEG, on white. */
function greyOf(
  data: ArrayLike<number>,
  at: number,
  channels: Pixels['channels'],
  white: number,
  opaque: number | undefined,
): number {
  const first = data[at] ?? 0;
  const grey = channels < 3 ? first : 0.299 * first + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
  if (opaque === undefined || channels === 1 || channels === 3) return grey;
  return white + ((grey - white) * (data[at + channels - 1] ?? 0)) / opaque;
}
