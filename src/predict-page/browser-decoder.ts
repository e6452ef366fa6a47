import { Unusable } from './prepare-image.ts';
import type { Rgb } from './resample.ts';

/** Through a canvas, with the colours that are in the file. */
export async function decodeInBrowser(file: Uint8Array<ArrayBuffer>): Promise<Rgb> {
  const options: ImageBitmapOptions = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };
  const bitmap = await createImageBitmap(new Blob([file]), options).catch(() => {
    throw new Unusable('no image of a kind that this browser knows');
  });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Unusable('this browser can’t draw');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data: pixels } = context.getImageData(0, 0, width, height);
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at++) data.set(pixels.subarray(4 * at, 4 * at + 3), 3 * at);
  return { width, height, data };
}
