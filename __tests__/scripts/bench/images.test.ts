import { expect, test } from 'vitest';
import { createNoise, pngOf, tiffOf } from '../../../scripts/bench/images.ts';
import { bytesInMemory } from '../../../src/image/image-bytes.ts';
import { imageFault } from '../../../src/image/image-fault.ts';

test.each([4_000, 14_000, 100_000])(
  'a PNG of %i bytes, as the bench makes it, is whole and about as large',
  (bytes) => {
    const png = pngOf(createNoise('test'), bytes);
    expect(imageFault(bytesInMemory(png), '.png')).toBeUndefined();
    expect(Math.abs(png.length - bytes)).toBeLessThan(500);
  },
);

test('a TIFF, as the bench makes it, is whole', () => {
  expect(imageFault(bytesInMemory(tiffOf(createNoise('test'), 400_000)), '.tif')).toBeUndefined();
});
