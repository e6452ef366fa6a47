import jpeg from 'jpeg-js';
import { drawDiatom } from '../../scripts/sample/diatom-image.ts';
import { encodePng, type Picture } from '../../scripts/sample/png.ts';
import { createRandom } from '../../scripts/sample/random.ts';
import { SPECIES } from '../../scripts/sample/species.ts';

/** A drawn specimen: of each number another one, some two hundred pixels long. */
export function drawing(number: number): Picture {
  const all = Object.values(SPECIES);
  const species = all[number % all.length];
  if (!species) throw new Error('There are no species');
  return drawDiatom(species, createRandom(number));
}

/** The same in grey and with other values. */
export function changed(picture: Picture, change: (value: number) => number): Picture {
  return { ...picture, pixels: picture.pixels.map((value) => Math.max(0, Math.min(255, Math.round(change(value))))) };
}

/** Twice its size. */
export function doubled(picture: Picture): Picture {
  return moved(picture, 2 * picture.width, 2 * picture.height, (x, y) => [Math.floor(x / 2), Math.floor(y / 2)]);
}

/** Half its size: each pixel is the mean of four. */
export function halved({ width, height, channels, pixels }: Picture): Picture {
  const half = { width: Math.floor(width / 2), height: Math.floor(height / 2), channels };
  const small = new Uint8Array(half.width * half.height * channels);
  for (let at = 0; at < small.length; at++) {
    const [pixel, channel] = [Math.floor(at / channels), at % channels];
    const [x, y] = [2 * (pixel % half.width), 2 * Math.floor(pixel / half.width)];
    const value = (right: number, down: number) => pixels[((y + down) * width + x + right) * channels + channel] ?? 0;
    small[at] = Math.round((value(0, 0) + value(1, 0) + value(0, 1) + value(1, 1)) / 4);
  }
  return { ...half, pixels: small };
}

/** A quarter turn. */
export function turned(picture: Picture): Picture {
  return moved(picture, picture.height, picture.width, (x, y) => [y, picture.height - 1 - x]);
}

export function mirrored(picture: Picture): Picture {
  return moved(picture, picture.width, picture.height, (x, y) => [picture.width - 1 - x, y]);
}

function moved(
  picture: Picture,
  width: number,
  height: number,
  from: (x: number, y: number) => [number, number],
): Picture {
  const { channels } = picture;
  const pixels = new Uint8Array(width * height * channels);
  for (let at = 0; at < width * height; at++) {
    const [x, y] = from(at % width, Math.floor(at / width));
    const start = (Math.min(y, picture.height - 1) * picture.width + Math.min(x, picture.width - 1)) * channels;
    pixels.set(picture.pixels.subarray(start, start + channels), at * channels);
  }
  return { width, height, channels, pixels };
}

export function asPng(picture: Picture): Buffer {
  return encodePng(picture);
}

export function asJpeg({ width, height, channels, pixels }: Picture, quality = 80): Buffer {
  const data = Buffer.alloc(width * height * 4, 255);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      data[4 * pixel + colour] = pixels[pixel * channels + (channels === 1 ? 0 : colour)] ?? 0;
    }
  }
  return jpeg.encode({ width, height, data }, quality).data;
}
