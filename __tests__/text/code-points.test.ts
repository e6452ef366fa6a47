import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareCodePoints } from '../../src/text/code-points.ts';

test('the order is that of code points, also where UTF-16 has another', () => {
  const names = ['\u{1F600}', '\uFF5E', 'a', 'Z', 'é', 'z', ''];
  expect(names.toSorted(compareCodePoints)).toEqual(['', 'Z', 'a', 'z', 'é', '\uFF5E', '\u{1F600}']);
});

test('the order is that of UTF-8', () => {
  const between = (min: number, max: number) => fc.integer({ min, max }).map((code) => String.fromCodePoint(code));
  const unit = fc.oneof(between(0, 0x7f), between(0x80, 0xd7ff), between(0xe000, 0xffff), between(0x10000, 0x10ffff));
  const text = fc.string({ unit, maxLength: 5 });
  // With a beginning in common, the difference comes anywhere.
  fc.assert(
    fc.property(text, text, text, (start, one, other) => {
      const [a, b] = [start + one, start + other];
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 5_000 },
  );
});
