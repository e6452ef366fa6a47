/** A decoded image. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Of a pixel: grey, grey and alpha, RGB, or RGB and alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  /** Row after row. */
  readonly data: ArrayLike<number>;
  /** The values that are shown as black and as white. */
  readonly black: number;
  readonly white: number;
  /** The value of alpha that is opaque; `undefined` where alpha is to be ignored. */
  readonly opaque?: number;
}

/** Why an image can't be shown: the rest of “not shown: …”. */
export class NotShown extends Error {}

/** Decoding takes memory of an image's full size, several times; so does that of a progressive JPEG, however small it gets. */
const MAX_PIXELS = 64_000_000;

/** @throws NotShown for an image without pixels, and for one whose decoding would take too much memory */
export function requireFewPixels(width: number, height: number): void {
  if (!(width > 0 && height > 0)) throw new NotShown('no pixels');
  if (width * height > MAX_PIXELS) throw new NotShown(`${Math.round((width * height) / 1e6)} megapixels`);
}

export function channelsOf(count: number): Pixels['channels'] {
  if (count === 1 || count === 2 || count === 3 || count === 4) return count;
  throw new NotShown(`${count} channels`);
}

/**
 * Black and white of an image with more than 8 bits. Few cameras use all 16, so that most images would be black: the
 * darkest and the brightest value that it has are taken.
 */
export function rangeOf(data: ArrayLike<number>, channels: Pixels['channels']): Pick<Pixels, 'black' | 'white'> {
  const alpha = channels === 2 || channels === 4 ? channels - 1 : -1;
  let [black, white] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < data.length; at++) {
    if (at % channels === alpha) continue;
    const value = data[at] ?? 0;
    if (value < black) black = value;
    if (value > white) white = value;
  }
  if (!Number.isFinite(white - black)) throw new NotShown('values that are not numbers');
  return { black, white: white === black ? black + 1 : white };
}
