import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNoise } from '../../scripts/bench/images.ts';
import { unpackLzw } from '../../src/image/lzw.ts';
import { packLzw } from '../helpers/lzw.ts';

test('what was packed comes back', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3_000 }),
    // Few values: long strings, and codes that are used in the moment in which they are made.
    fc.uint8Array({ max: 2, maxLength: 3_000 }),
    fc.nat(5_000).map((length) => new Uint8Array(length).fill(7)),
  );
  fc.assert(
    fc.property(bytes, (data) => {
      expect(Buffer.from(unpackLzw(packLzw(data), data.length)).equals(data)).toBe(true);
    }),
  );
});

test.each([
  ['that begin again', true],
  ['that stay full', false],
])('codes of all lengths, and tables %s, come back', (_, clears) => {
  const data = createNoise('lzw')(40_000);
  expect(Buffer.from(unpackLzw(packLzw(data, clears), data.length)).equals(data)).toBe(true);
});

test('no more bytes than are asked for, and fewer where the data end', () => {
  const data = createNoise('end')(500);
  const packed = packLzw(data);
  expect(Buffer.from(unpackLzw(packed, 123))).toEqual(data.subarray(0, 123));
  const cut = unpackLzw(packed.subarray(0, 200), 500);
  expect(cut.length).toBeLessThan(200);
  expect(Buffer.from(cut)).toEqual(data.subarray(0, cut.length));
  expect(unpackLzw(new Uint8Array(0), 500)).toHaveLength(0);
});

test('a code that nobody made is an error', () => {
  // Clear, 65, and 300, in 9 bits each.
  const bits = [256, 65, 300].map((code) => code.toString(2).padStart(9, '0')).join('');
  const data = Uint8Array.from(bits.padEnd(32, '0').match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
  expect(() => unpackLzw(data, 10)).toThrow('not known yet');
});
