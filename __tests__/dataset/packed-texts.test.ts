import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPackedTexts } from '../../src/dataset/packed-texts.ts';

test('every text comes back as it was put in, however many and however long', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 1_500, size: 'max' });
  fc.assert(
    fc.property(texts, (given) => {
      const packed = createPackedTexts();
      const places = given.map((text) => packed.add(text));
      expect(places.map((place) => packed.at(place))).toEqual(given);
    }),
    { numRuns: 30 },
  );
});

test('a text may be longer than all before it', () => {
  const packed = createPackedTexts();
  const place = packed.add('ö'.repeat(100_000));
  expect(packed.at(place)).toBe('ö'.repeat(100_000));
});
