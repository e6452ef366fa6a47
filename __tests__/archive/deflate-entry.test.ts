import { createCipheriv, createHash } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deflateInto } from '../../src/archive/deflate.ts';
import { deflateEntry } from '../../src/archive/deflate-entry.ts';

/** Bytes that nothing can compress, the same ones everywhere. */
const noise = (bytes: number, seed = 1) =>
  createCipheriv('aes-256-ctr', Buffer.alloc(32, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));

/** Grey values as a camera gives them: bright, with some noise. */
const pixels = (bytes: number) => noise(bytes).map((byte) => 180 + (byte & 31));

/** The deflated bytes, copied; `undefined` for what is to be stored. */
function deflated(name: string, data: Uint8Array): Buffer | undefined {
  const target = Buffer.alloc(data.length);
  const bytes = deflateEntry(name, data, target);
  return bytes === undefined ? undefined : Buffer.from(target.subarray(0, bytes));
}

describe('stored is', () => {
  test.each(['a.png', 'a.JPG', 'a.jpeg', 'slide-1__b.webp', 'a.gif', 'a.heic', 'a.jp2', 'a.jxl', 'downloads/a.zip'])(
    'what is compressed by its format, without a look at its bytes: %s',
    (name) => {
      expect(deflated(name, Buffer.alloc(100_000))).toBeUndefined();
    },
  );

  test.each([1_024, 100_000, 2_000_000])('a file of %i bytes that gains nothing, as a TIFF with LZW', (bytes) => {
    expect(deflated('a.tif', noise(bytes))).toBeUndefined();
  });

  test('what gains less than 5 %', () => {
    const data = (blank: number) => Buffer.concat([noise(100_000 - blank), Buffer.alloc(blank)]);
    expect(deflated('a.tif', data(4_900))).toBeUndefined();
    expect(deflated('a.tif', data(6_000))?.length).toBeLessThan(95_000);
  });

  test('a large file with a preview that gains, and an image that does not', () => {
    expect(deflated('a.tif', Buffer.concat([Buffer.alloc(300_000), noise(3_000_000)]))).toBeUndefined();
  });

  test('a large file whose middle gains, and the rest does not', () => {
    const data = Buffer.concat([noise(1_500_000), Buffer.alloc(70_000), noise(1_500_000)]);
    expect(deflated('a.tif', data)).toBeUndefined();
  });

  test('what is so small that nobody would notice', () => {
    expect(deflated('a.bmp', Buffer.alloc(1_023))).toBeUndefined();
    expect(deflated('a.bmp', Buffer.alloc(0))).toBeUndefined();
    expect(deflated('a.bmp', Buffer.alloc(1_024))).toBeDefined();
  });
});

describe('deflated is', () => {
  test.each(['a.bmp', 'a.tif', 'a.TIFF', 'a.raw', 'manifest.csv', 'no-extension', 'png'.repeat(2), 'folder.x/y'])(
    'whatever gets smaller, %s',
    (name) => {
      expect(deflated(name, pixels(50_000))?.length).toBeLessThan(40_000);
    },
  );
});

test('any bytes come back from zlib, whatever repeats in them and wherever the pieces end', () => {
  const part = fc.tuple(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.nat(70_000).map((bytes) => noise(bytes)),
    ),
    fc.integer({ min: 1, max: 2_000 }),
  );
  const data = fc
    .array(part, { maxLength: 8 })
    .map((parts) =>
      Buffer.concat(parts.map(([bytes, times]) => Buffer.alloc(Math.min(bytes.length * times, 600_000), bytes))),
    );
  fc.assert(
    fc.property(data, (bytes) => {
      const target = Buffer.alloc(bytes.length * 2 + 100);
      const end = deflateInto(bytes, target);
      if (end === undefined) throw new Error('There is room for it');
      return inflateRawSync(target.subarray(0, end)).equals(bytes);
    }),
    { numRuns: 150 },
  );
});

test.each([2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 ** 20 + 2 ** 15, 2 ** 20 + 2 ** 15 + 1, 2 ** 21 + 2 ** 15, 5_000_000])(
  '%i bytes come back',
  (bytes) => {
    const data = pixels(bytes);
    const packed = deflated('a.bmp', data);
    expect(packed && inflateRawSync(packed).equals(data)).toBe(true);
  },
);

test('what repeats from its first bytes on comes back too, in pieces', () => {
  for (let seed = 0; seed < 30; seed++) {
    const data = noise(1_100_000, seed).map((byte) => byte & 1);
    const packed = deflated('a.bmp', data);
    expect(packed && inflateRawSync(packed).equals(data)).toBe(true);
  }
});

test('nothing is written beyond what it may take', () => {
  const data = noise(2_000_000);
  for (const room of [0, 1, 1_000, 32_768, 32_773, 1_500_000, 1_999_999]) {
    const target = Buffer.alloc(2_000_000, 7);
    expect(deflateInto(data, target.subarray(0, room))).toBeUndefined();
    expect(target.subarray(room).every((byte) => byte === 7)).toBe(true);
  }
});

/**
 * Every machine and every version of Node must come to these sums: archives are byte-identical by them.
 */
test.each([
  ['noise on grey', pixels(1_500_000), '7eff9f7eb819a45e6e40f8268d2b3e2b2f52c217eda9092c06f0651630658d65'],
  [
    'rows that repeat',
    Buffer.alloc(1_500_000, pixels(4_099)),
    'f4252b199b3f37eee7882f94551534feeb7af3b3e2d64dd76076e0e268d60fe0',
  ],
  [
    'a text',
    Buffer.from(Array.from({ length: 20_000 }, (_, row) => `train/Hannaea arcus/${row}.png,${row * row}\n`).join('')),
    '05a1383380a2fed16fd9b97ce5b97add758c40d2e63d91fc597db5321471b8e1',
  ],
])('%s is deflated to the bytes that it has everywhere, each time', (_, data, sum) => {
  const [one, two] = [deflated('a', data), deflated('a', data)];
  expect(one && two?.equals(one)).toBe(true);
  expect(
    createHash('sha256')
      .update(one ?? '')
      .digest('hex'),
  ).toBe(sum);
});
