import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FillImage, packImages, unpackImages } from '../../src/prepare-data/packed-images.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const split = fc.constantFrom('train', 'test');
const imageOf = fc
  .record({
    path: text,
    rawName: fc.option(text, { nil: undefined }),
    // Mostly beyond 32 bits.
    headerOffset: fc.maxSafeNat(),
    limit: fc.maxSafeNat(),
    compressedBytes: fc.maxSafeNat(),
    bytes: fc.maxSafeNat(),
    crc32: fc.nat(0xffffffff),
    method: fc.constantFrom(0, 8),
    isFolder: fc.constant(false),
    fault: fc.constant(undefined),
  })
  .map(({ rawName, ...image }) => ({ ...image, rawName: rawName ?? image.path }));
const images: fc.Arbitrary<FillImage[]> = fc.array(
  fc.record({
    image: imageOf,
    split,
    fileName: text,
    group: fc.option(text, { nil: undefined }),
    wanted: fc.boolean(),
  }),
  { maxLength: 20 },
);

test('images come out of a message to a thread as they went in', () => {
  fc.assert(
    fc.property(images, (given) => {
      expect([...unpackImages(structuredClone(packImages(given)))]).toEqual(given);
    }),
    { numRuns: 500 },
  );
});
