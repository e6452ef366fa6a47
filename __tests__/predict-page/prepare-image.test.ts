import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { decodePicture } from '../../src/predict-page/decode.ts';
import { openNetwork } from '../../src/predict-page/network.ts';
import { normalise, scaled, square } from '../../src/predict-page/prepare-image.ts';
import type { Rgb } from '../../src/predict-page/resample.ts';
import { onnxRuntime } from '../helpers/onnx-runtime.ts';

const TEMPLATE = join(import.meta.dirname, '..', '..', 'templates', 'model');

const recorded = z
  .object({
    sides: z.array(z.tuple([z.int(), z.int(), z.int(), z.int()])),
    pictures: z.array(z.object({ width: z.int(), height: z.int(), sha256: z.string() })),
    refused: z.array(z.tuple([z.int(), z.int()])),
  })
  .parse(JSON.parse(readFileSync(join(TEMPLATE, 'tests', 'serving_code.json'), 'utf8')));

const { pictures } = z
  .object({
    pictures: z.array(
      z.object({ name: z.string(), file: z.string(), sha256: z.string(), outputs: z.array(z.number()) }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'pictures.json'), 'utf8')));

const sized = z
  .object({
    picture: z.string(),
    sizes: z.array(z.tuple([z.number(), z.number()])),
    outputs: z.array(z.array(z.number())),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'sized.json'), 'utf8')));

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

/** The picture that the serving code was shown. */
function picture(width: number, height: number): Rgb {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
    const [c, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    return (x * x * 3 + y * y * 7 + x * y * 5 + c * 83 + ((Math.floor(x / 7) + Math.floor(y / 5)) % 2) * 90) % 256;
  });
  return { width, height, data };
}

describe('what was recorded from the serving code', () => {
  test('are the sides that the page scales to', () => {
    for (const [width, height, ...sides] of recorded.sides) {
      expect(scaled(width, height, 224), `${width} × ${height}`).toEqual(sides);
    }
    expect(recorded.sides.length).toBeGreaterThan(150);
  });

  test.each(recorded.pictures)('are the pixels of $width × $height, to the byte', (item) => {
    expect(sha256(square(picture(item.width, item.height), 224).data)).toBe(item.sha256);
  });

  test.each(recorded.refused)('is that %d × %d can’t be scaled', (width, height) => {
    expect(() => scaled(width, height, 224)).toThrow('too narrow');
  });
});

const noBrowser = () => Promise.reject(new Error('This kind is not for the browser.'));
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

test.each(pictures)(
  '$name becomes what the template’s Python makes of it, to the byte',
  async ({ file, sha256: sum }) => {
    expect(sha256(square(await decodePicture(bytesOf(file), noBrowser), 224).data)).toBe(sum);
  },
);

test('a network that takes the size says what it says in Python, and nothing without the size', async () => {
  const { picture: name, sizes, outputs } = sized;
  const network = await openNetwork(readFileSync(join(import.meta.dirname, 'sized.onnx')), onnxRuntime());
  const file = pictures.find((each) => each.name === name)?.file ?? '';
  const input = normalise(square(await decodePicture(bytesOf(file), noBrowser), 224));
  for (const [row, size] of sizes.entries()) {
    const said = await network(input, 224, size);
    for (const [at, value] of (outputs[row] ?? []).entries()) expect(said[at], String(size)).toBeCloseTo(value, 4);
  }
  expect(outputs.map((row) => row.length)).toEqual([3, 3, 3]);
  await expect(network(input, 224)).rejects.toThrow('another page');
});

test('ONNX Runtime in WebAssembly says what it says in Python', async () => {
  const network = await openNetwork(readFileSync(join(import.meta.dirname, 'tiny.onnx')), onnxRuntime());
  for (const { name, file, outputs } of pictures) {
    const input = normalise(square(await decodePicture(bytesOf(file), noBrowser), 224));
    const said = await network(input, 224);
    for (const [at, value] of outputs.entries()) expect(said[at], name).toBeCloseTo(value, 4);
    await expect(network(input, 224, [9, 9])).rejects.toThrow('another page');
  }
});
