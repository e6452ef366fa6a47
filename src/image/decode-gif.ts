import { GifReader } from 'omggif';
import type { Pixels } from './pixels.ts';

/** The first frame; what it leaves free is transparent. */
export function decodeGif(file: Buffer): Pixels {
  const gif = new GifReader(file);
  const { width, height } = gif;
  const data = new Uint8Array(4 * width * height);
  gif.decodeAndBlitFrameRGBA(0, data);
  return { width, height, channels: 4, data, black: 0, white: 255, opaque: 255 };
}
