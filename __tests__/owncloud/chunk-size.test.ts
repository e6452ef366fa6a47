import { describe, expect, test } from 'vitest';
import { CHUNK_SIZES, leastChunkBytes, nextChunkBytes } from '../../src/owncloud/chunk-size.ts';

const MB = 1_000_000;

/** The sizes of twenty pieces on a line of `rate` bytes a second. */
function onALineOf(rate: number): number[] {
  const sizes = [CHUNK_SIZES.start];
  while (sizes.length < 20) {
    const bytes = sizes.at(-1) ?? 0;
    sizes.push(nextChunkBytes(bytes, { bytes, ms: (bytes / rate) * 1_000 }, CHUNK_SIZES));
  }
  return sizes;
}

describe('the size of the pieces', () => {
  test('begins with 10 MB and settles at what takes three seconds', () => {
    expect(onALineOf(10 * MB).at(0)).toBe(10 * MB);
    expect(onALineOf(10 * MB).at(-1)).toBeCloseTo(30 * MB, -3);
    expect(onALineOf(MB).at(-1)).toBeCloseTo(3 * MB, -3);
  });

  test('grows where each request costs seconds, however fast the line is, so that most of the time goes into sending', () => {
    const [rate, waitMs] = [40 * MB, 4_000];
    let bytes = CHUNK_SIZES.start;
    let pieces = 0;
    for (let left = 150 * MB; left > 0; left -= bytes) {
      pieces++;
      bytes = nextChunkBytes(bytes, { bytes, ms: waitMs + (bytes / rate) * 1_000, waitMs }, CHUNK_SIZES);
    }
    expect(pieces).toBeLessThanOrEqual(3);
  });

  test('never leaves 1 to 100 MB', () => {
    for (const rate of [1, 1_000, 100_000, 300 * MB, 1e12]) {
      for (const bytes of onALineOf(rate)) {
        expect(bytes).toBeGreaterThanOrEqual(MB);
        expect(bytes).toBeLessThanOrEqual(100 * MB);
      }
    }
    expect(onALineOf(1e12).at(-1)).toBeCloseTo(100 * MB, -3);
    expect(onALineOf(1_000).at(-1)).toBeCloseTo(MB, -3);
  });

  test('a single measurement moves it half way only', () => {
    expect(nextChunkBytes(20 * MB, { bytes: 20 * MB, ms: 0 }, CHUNK_SIZES)).toBe(60 * MB);
    expect(nextChunkBytes(20 * MB, { bytes: 1, ms: 60_000 }, CHUNK_SIZES)).toBe(10.5 * MB);
  });

  test('ten thousand pieces hold 400 GB, however slow the line is', () => {
    let bytes = 0;
    for (let number = 1; number <= 10_000; number++) {
      const least = leastChunkBytes(number, CHUNK_SIZES);
      expect(least).toBeLessThanOrEqual(CHUNK_SIZES.max);
      bytes += least;
    }
    expect(leastChunkBytes(1_000, CHUNK_SIZES)).toBe(MB);
    expect(leastChunkBytes(1_001, CHUNK_SIZES)).toBe(2 * MB);
    expect(bytes).toBeGreaterThan(400e9);
  });
});
