import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nearGroups, nearPairs } from '../../src/dataset/near-duplicates.ts';
import { MAX_DISTANCE, positionsOf } from '../../src/dataset/near-index.ts';
import { HASH_WORDS, SQUARE } from '../../src/image/perceptual-hash.ts';
import { image, plan, source } from '../helpers/plan-sources.ts';

/** Of each number another hash, far from all others. */
function hash(number: number, shape = SQUARE): number[] {
  let state = number + 1;
  const words = Array.from({ length: HASH_WORDS - 1 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state ^ (state >>> 13)) >>> 0;
  });
  return [((words[0] ?? 0) & ~1) >>> 0, ...words.slice(1), shape];
}

/** The same except for so many signs. */
function altered(words: readonly number[], signs: Iterable<number>): number[] {
  const result = [...words];
  for (const sign of signs) result[sign >>> 5] = ((result[sign >>> 5] ?? 0) ^ (1 << (sign & 31))) >>> 0;
  return result;
}

const signs = (most: number) => fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 0, maxLength: most });

describe('pairs across train and test', () => {
  test('are found in every position, with few signs that differ, and with the nearest of train', () => {
    fc.assert(
      fc.property(signs(12), fc.nat(7), (differing, position) => {
        const words = positionsOf(Uint32Array.from(hash(7, SQUARE + 300)))[position] ?? [];
        const train = altered([...words], differing);
        const hashes = Uint32Array.from([...hash(7, SQUARE + 300), ...hash(8), ...train, ...hash(9)]);
        expect(nearPairs(hashes, Uint8Array.from([1, 0, 0, 0]))).toEqual([
          { test: 0, train: 2, distance: differing.length },
        ]);
      }),
    );
  });

  test('are not found beyond the largest distance, with another shape, on one side, or of what can’t be compared', () => {
    const far = altered(
      hash(1),
      Array.from({ length: MAX_DISTANCE + 1 }, (_, sign) => sign * 7 + 1),
    );
    const other = hash(1, SQUARE + 60);
    const nothing = new Array<number>(HASH_WORDS).fill(0);
    for (const second of [far, other]) {
      expect(nearPairs(Uint32Array.from([...hash(1), ...second]), Uint8Array.from([1, 0]))).toEqual([]);
    }
    const same = Uint32Array.from([...hash(1), ...hash(1)]);
    expect(nearPairs(same, Uint8Array.from([0, 0]))).toEqual([]);
    expect(nearPairs(same, Uint8Array.from([1, 1]))).toEqual([]);
    expect(nearPairs(Uint32Array.from([...nothing, ...nothing]), Uint8Array.from([1, 0]))).toEqual([]);
  });

  test('are one for each test image, the nearest first', () => {
    const hashes = Uint32Array.from([
      ...altered(hash(1), [3, 90]),
      ...hash(1),
      ...altered(hash(1), [3]),
      ...altered(hash(2), [9, 44, 180]),
      ...hash(2),
    ]);
    expect(nearPairs(hashes, Uint8Array.from([0, 1, 0, 0, 1]))).toEqual([
      { test: 1, train: 2, distance: 1 },
      { test: 4, train: 3, distance: 3 },
    ]);
  });
});

test('of two images of train that are as near, the first is told', () => {
  for (const [first, second] of [
    [[3], [200]],
    [[200], [3]],
  ] as const) {
    const hashes = Uint32Array.from([...altered(hash(1), first), ...hash(1), ...altered(hash(1), second)]);
    expect(nearPairs(hashes, Uint8Array.from([0, 1, 0]))).toEqual([{ test: 1, train: 0, distance: 1 }]);
  }
});

test('a copy is found among many images that agree in some signs, as photographs of one kind do', () => {
  const count = 21_000;
  const alike = hash(1);
  const others = Array.from({ length: count }, (_, number) => {
    const other = hash(number + 2);
    // The signs of the first place where candidates are looked up.
    return [(((other[0] ?? 0) & ~0xfff) | ((alike[0] ?? 0) & 0xfff)) >>> 0, ...other.slice(1)];
  });
  const hashes = Uint32Array.from([...others, alike, alike].flat());
  const isTest = new Uint8Array(count + 2);
  isTest[count + 1] = 1;
  expect(nearPairs(hashes, isTest)).toEqual([{ test: count + 1, train: count, distance: 0 }]);
});

test('images that look alike by way of others are one group, and two known ones are never brought together', () => {
  const step = (count: number) =>
    altered(
      hash(1),
      Array.from({ length: count }, (_, sign) => 5 * sign + 2),
    );
  const hashes = Uint32Array.from([...hash(1), ...hash(2), ...step(20), ...step(40)]);
  expect([...nearGroups(hashes, Uint8Array.from([0, 0, 0, 0]))]).toEqual([0, 1, 0, 0]);
  expect([...nearGroups(hashes, Uint8Array.from([1, 0, 1, 0]))]).toEqual([0, 1, 2, 2]);
});

describe('near-duplicates: together', () => {
  const near = (path: string, content: number, group?: number) => ({ ...image(path, content), near: group });

  test('keeps images that look alike on one side, across zips and labels', () => {
    for (const seed of ['1', '2', '3', '4', '5', '6']) {
      const many = Array.from({ length: 12 }, (_, at) => near(`a${at}.png`, at, at % 3 === 0 ? 7 : undefined));
      const other = Array.from({ length: 12 }, (_, at) => near(`b${at}.png`, 100 + at, at < 2 ? 7 : undefined));
      const { images } = plan([source('a.zip', 'A', many), source('b.zip', 'B', other)], {
        seed,
        nearDuplicates: 'together',
      });
      const sides = new Set(images.filter((one) => one.image.near === 7).map(({ split }) => split));
      expect(sides.size).toBe(1);
      expect(images.some(({ split }) => split === 'test')).toBe(true);
    }
  });

  test('with split: keep, new images go to the side of known ones that they look like, to test before train', () => {
    const known = (content: number, side: 'train' | 'test') => {
      return { sha256: String(content), crc32: content, bytes: 100, side, group: undefined, label: 'A' } as const;
    };
    const images = [
      near('known-train.png', 1, 50),
      near('known-test.png', 2, 60),
      near('both-train.png', 3, 70),
      near('both-test.png', 4, 70),
      near('new-like-train.png', 11, 50),
      near('new-like-test.png', 12, 60),
      near('new-like-both.png', 13, 70),
    ];
    const base = [known(1, 'train'), known(2, 'test'), known(3, 'train'), known(4, 'test')];
    for (const seed of ['1', '2', '3', '4', '5', '6']) {
      const planned = plan([source('a.zip', 'A', images)], { split: 'keep', seed, nearDuplicates: 'together' }, base);
      expect(Object.fromEntries(planned.images.map(({ fileName, split }) => [fileName, split]))).toEqual({
        'known-train.png': 'train',
        'known-test.png': 'test',
        'both-train.png': 'train',
        'both-test.png': 'test',
        'new-like-train.png': 'train',
        'new-like-test.png': 'test',
        'new-like-both.png': 'test',
      });
    }
  });
});
