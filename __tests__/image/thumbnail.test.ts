import { encode } from 'fast-png';
import { imageSize } from 'image-size';
import jpeg from 'jpeg-js';
import { describe, expect, test } from 'vitest';
import { createJpegDecoder } from '../../src/image/decode-jpeg.ts';
import { thumbnailOf } from '../../src/image/thumbnail.ts';
import { grey16Tiff } from '../helpers/tiff.ts';
import { SAMPLES } from './samples.ts';

/** Grey, 16 × 12. */
const AVIF = Buffer.from(
  'AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAOltZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAABAAAAHmlsb2MAAAAARAAAAQABAAAAAQAAAQ0AAAAaAAAAKGlpbmYAAAAAAAEAAAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAAGhpcHJwAAAASWlwY28AAAAUaXNwZQAAAAAAAAAQAAAADAAAAA5waXhpAAAAAAEIAAAADGF2MUOBABwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAIm1kYXQSAAoIGAz+2mAhoNQyDB7FWd/+LAB1fVya/g==',
  'base64',
);

/** In CMYK, 8 × 8. */
const CMYK = Buffer.from(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwBQNzxGPDJQRkFGWlVQX3jIgnhubnj1r7mRyP///////////////////////////////////////////////////8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAQD/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBNAFkASwAAPwBiBRL/2Q==',
  'base64',
);

const sample = (kind: keyof typeof SAMPLES) => Buffer.from(SAMPLES[kind], 'base64');

/** Grey value in the middle of the left and of the right half. */
async function halves(file: Buffer): Promise<[left: number, right: number]> {
  const { data } = await thumbnailOf(file, 3_000);
  const { width, height, data: pixels } = jpeg.decode(data, { useTArray: true });
  const at = (x: number) => pixels[(Math.floor(height / 2) * width + Math.floor(x)) * 4] ?? -1;
  return [at(width / 4), at((3 * width) / 4)];
}

/** A picture whose left half has one value and whose right half another. */
function split<Data extends Uint8Array | Uint16Array>(data: Data, left: number, right: number): Data {
  const width = 400;
  for (let at = 0; at < data.length; at++) data[at] = at % width < width / 2 ? left : right;
  return data;
}

describe('a small picture', () => {
  test.each(['png', 'png16', 'jpg', 'jpgProgressive', 'bmp', 'gif', 'webp'] as const)(
    'of a small file that browsers show is the file itself: %s',
    async (kind) => expect(Buffer.from((await thumbnailOf(sample(kind), 5_000)).data).equals(sample(kind))).toBe(true),
  );

  test.each(['tif', 'tifLzw'] as const)('of a TIFF is a JPEG: %s', async (kind) => {
    const { mediaType, data } = await thumbnailOf(sample(kind), 5_000);
    expect(mediaType).toBe('image/jpeg');
    const { width, height } = imageSize(sample(kind));
    expect(imageSize(data)).toMatchObject({ width, height, type: 'jpg' });
  });

  test.each(['gif', 'webp', 'webpLossless'] as const)(
    'of a file that is too large to be shown as it is is a JPEG: %s',
    async (kind) => {
      const file = Buffer.concat([sample(kind), Buffer.alloc(5_000)]);
      const { mediaType, data } = await thumbnailOf(file, 3_000);
      expect(mediaType).toBe('image/jpeg');
      const { width, height } = imageSize(sample(kind));
      expect(imageSize(data)).toMatchObject({ width, height, type: 'jpg' });
      const pixels = jpeg.decode(data, { useTArray: true }).data;
      expect(new Set(pixels).size).toBeGreaterThan(2);
    },
  );

  test('has the grey values of an image with 8 bits', async () => {
    const png = encode({
      width: 400,
      height: 300,
      data: split(new Uint8Array(120_000), 40, 90),
      channels: 1,
      depth: 8,
    });
    const [left, right] = await halves(Buffer.concat([png, Buffer.alloc(5_000)]));
    expect(Math.abs(left - 40)).toBeLessThan(4);
    expect(Math.abs(right - 90)).toBeLessThan(4);
  });

  test('of an image with 16 bits goes from its darkest to its brightest value, PNG and TIFF', async () => {
    const values = split(new Uint16Array(120_000), 700, 3_000);
    const png = encode({ width: 400, height: 300, data: values, channels: 1, depth: 16 });
    for (const file of [Buffer.concat([png, Buffer.alloc(5_000)]), grey16Tiff(values, 400)]) {
      const [left, right] = await halves(file);
      expect(left).toBeLessThan(4);
      expect(right).toBeGreaterThan(251);
    }
  });

  test('has the colours of a large JPEG, also of one with bytes that mean nothing', async () => {
    const data = new Uint8Array(1_600 * 1_200 * 4);
    for (let at = 0; at < data.length; at += 4) data.set(at % 6_400 < 3_200 ? [200, 40, 40] : [40, 40, 200], at);
    const file = jpeg.encode({ width: 1_600, height: 1_200, data }, 90).data;
    const stray = (at: number) => Buffer.concat([file.subarray(0, at), Buffer.from('stray'), file.subarray(at)]);
    // Between the first two parts of its head.
    const decode = createJpegDecoder({ side: 192, channels: 3, evenDamaged: true });
    expect(decode(stray(20))).toMatchObject({ width: 400, height: 300 });
    // Before the mark of its end.
    for (const one of [file, stray(file.length - 2)]) {
      const picture = await thumbnailOf(Buffer.from(one), 6_000);
      const { width, height, data: pixels } = jpeg.decode(picture.data, { useTArray: true });
      expect([width, height]).toEqual([192, 144]);
      const at = (72 * 192 + 48) * 4;
      const [left, right] = [pixels.slice(at, at + 3), pixels.slice(at + 384, at + 387)];
      for (const [place, value] of [200, 40, 40].entries()) {
        expect(Math.abs((left[place] ?? 0) - value)).toBeLessThan(8);
        expect(Math.abs((right[2 - place] ?? 0) - value)).toBeLessThan(8);
      }
    }
  });

  test('is white where the image is transparent', async () => {
    const data = new Uint8Array(400 * 300 * 4);
    const png = encode({ width: 400, height: 300, data, channels: 4, depth: 8 });
    const [left] = await halves(Buffer.concat([png, Buffer.alloc(5_000)]));
    expect(left).toBeGreaterThan(251);
  });

  test.each([1_200, 2_000, 4_000, 12_000])('of noise fits into %d bytes', async (maxBytes) => {
    const data = new Uint8Array(1_000 * 700);
    for (let at = 0; at < data.length; at++) data[at] = (at * 2_654_435_761) >>> 24;
    const png = Buffer.from(encode({ width: 1_000, height: 700, data, channels: 1, depth: 8 }));
    const picture = await thumbnailOf(png, maxBytes);
    expect(picture.data.length).toBeLessThanOrEqual(maxBytes);
    const { width, height } = imageSize(picture.data);
    expect(width / height).toBeCloseTo(10 / 7, 1);
    expect(await thumbnailOf(png, maxBytes)).toEqual(picture);
  });

  test('of what can’t be decoded says why, or throws what the decoder throws', async () => {
    const [avif, cut] = [Buffer.concat([AVIF, Buffer.alloc(5_000)]), sample('tif').subarray(0, 150)];
    await expect(thumbnailOf(avif, 1_000)).rejects.toThrow('an AVIF of this size');
    await expect(thumbnailOf(Buffer.concat([CMYK, Buffer.alloc(5_000)]), 1_000)).rejects.toThrow('CMYK');
    await expect(thumbnailOf(cut, 1_000)).rejects.toThrow();
  });

  test('of an image of too many pixels is not tried', async () => {
    const png = sample('png');
    png.writeUInt32BE(90_000, 16);
    png.writeUInt32BE(9_000, 20);
    await expect(thumbnailOf(png, 10)).rejects.toThrow('810 megapixels');
  });
});
