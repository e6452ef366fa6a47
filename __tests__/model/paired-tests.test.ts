import { expect, test } from 'vitest';
import { holmRejects, mcNemarP, netLossP, nothingLeftP } from '../../src/model/paired-tests.ts';

test('the exact McNemar test counts the ways in which so many could be lost', () => {
  expect(mcNemarP(0, 0)).toBeCloseTo(1, 12);
  expect(mcNemarP(0, 7)).toBeCloseTo(1, 12);
  expect(mcNemarP(5, 0)).toBeCloseTo(1 / 32, 12);
  // 1 way to lose nine of nine, and 9 to lose eight.
  expect(mcNemarP(8, 1)).toBeCloseTo(10 / 512, 12);
  expect(mcNemarP(3, 3)).toBeCloseTo(42 / 64, 12);
});

test('it stands numbers that no factorial fits into', () => {
  expect(mcNemarP(10_000, 10_000)).toBeCloseTo(0.5, 2);
  // By the normal distribution with continuity correction: z = (200 − 1) / √20,200 = 1.400.
  expect(mcNemarP(10_200, 10_000)).toBeCloseTo(0.0807, 3);
  expect(mcNemarP(2_000, 0)).toBe(0);
});

test('Holm’s correction stops at the first hypothesis that is kept', () => {
  expect(holmRejects([0.01, 0.04, 0.03, 0.005], 0.05)).toEqual([true, false, false, true]);
  // 0.04 would be small enough by itself.
  expect(holmRejects([0.03, 0.04], 0.05)).toEqual([false, false]);
  expect(holmRejects([0.02, 0.04], 0.05)).toEqual([true, true]);
  expect(holmRejects([], 0.05)).toEqual([]);
});

/** By going through every way in which the images could turn out. */
function byCounting(images: number, difference: number, rate: number): number {
  const walk = (left: number, net: number, probability: number): number => {
    if (left === 0) return net >= difference ? probability : 0;
    const same = walk(left - 1, net, probability * (1 - 2 * rate));
    return same + walk(left - 1, net + 1, probability * rate) + walk(left - 1, net - 1, probability * rate);
  };
  return walk(images, 0, 1);
}

test.each([
  [5, 3, 0.05],
  [5, 5, 0.5],
  [7, 1, 0.2],
  [9, -2, 0.3],
])('of %d images, a net loss of %d at a rate of %d is as probable as counting says', (images, difference, rate) => {
  expect(netLossP(images, difference, rate)).toBeCloseTo(byCounting(images, difference, rate), 12);
});

test('more cannot be lost than there is', () => {
  expect(netLossP(5, 6, 0.3)).toBe(0);
  expect(netLossP(100_000, 2_000, 0.01)).toBeLessThan(1e-9);
});

test('that nothing is left of so many images is as probable as the trinomial distribution says', () => {
  // Of 3 images, 2 lost and 1 wrong for both in three orders, or all 3 lost.
  expect(nothingLeftP(3, 2, 0.2, 0.1)).toBeCloseTo(3 * 0.2 ** 2 * 0.1 + 0.2 ** 3, 12);
  expect(nothingLeftP(5, 0, 0.2, 0.1)).toBeCloseTo(0.3 ** 5, 12);
  expect(nothingLeftP(2_000, 1_500, 0.2, 0.1)).toBeLessThan(1e-100);
});
