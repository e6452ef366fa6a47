import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatBytes, formatDuration } from '../src/format.ts';

test.each([
  [0, '0 B'],
  [512, '512 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [99_949, '99.9 kB'],
  [99_950, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [1_440_000, '1.4 MB'],
  [50_000_000_000, '50.0 GB'],
  [12_345_000_000_000_000, '12345 TB'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0 s'],
  [-3, '0 s'],
  [0.6, '1 s'],
  [59.4, '59 s'],
  [59.5, '1 min 0 s'],
  [200, '3 min 20 s'],
  [3_599.6, '1 h 0 min'],
  [7_500, '2 h 5 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('a size is never shown with four digits before its unit, except for the last', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (bytes) => {
      expect(formatBytes(bytes)).toMatch(/^(\d{1,3}|\d{1,2}\.\d) (B|kB|MB|GB)$/);
    }),
  );
});
