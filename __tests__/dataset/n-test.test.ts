import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatNTest, parseNTest, testQuota } from '../../src/dataset/n-test.ts';

describe('n-test', () => {
  test.each([
    ['10', { kind: 'count', count: 10 }],
    ['0', { kind: 'count', count: 0 }],
    ['007', { kind: 'count', count: 7 }],
    ['20%', { kind: 'percentage', percentage: 20 }],
    ['20 %', { kind: 'percentage', percentage: 20 }],
    ['12.5%', { kind: 'percentage', percentage: 12.5 }],
    ['100%', { kind: 'percentage', percentage: 100 }],
  ])('%s is understood', (text, nTest) => {
    expect(parseNTest(text)).toEqual(nTest);
  });

  test.each(['-1', 'abc', '1.5', '', ' ', '1e3', '0x10', '+1', '101%', '-5%', '%', '20%%', '1,5%', '10 images', '٣'])(
    '%j is refused',
    (text) => {
      expect(parseNTest(text)).toBeUndefined();
    },
  );

  test('is written as it is read', () => {
    for (const text of ['0', '10', '20%', '12.5%']) {
      const nTest = parseNTest(text);
      expect(nTest && formatNTest(nTest)).toBe(text);
    }
  });
});

describe('the number of test images', () => {
  test.each([
    ['20%', 100, 20],
    ['20%', 7, 1],
    ['20%', 8, 2],
    ['10%', 3, 1],
    ['1%', 2, 1],
    ['1%', 1, 0],
    ['20%', 0, 0],
    ['0%', 100, 0],
    ['100%', 5, 5],
    ['10', 3, 10],
  ])('%s of %i images are %i', (text, images, quota) => {
    const nTest = parseNTest(text);
    expect(nTest && testQuota(nTest, images)).toBe(quota);
  });

  test('is within half an image of the percentage, and at least one in folders of two or more', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.integer({ min: 2, max: 100_000 }),
        (percentage, images) => {
          const quota = testQuota({ kind: 'percentage', percentage }, images);
          const exact = (images * percentage) / 100;
          expect(quota).toBeGreaterThanOrEqual(1);
          expect(quota).toBeLessThanOrEqual(images);
          expect(quota === 1 || Math.abs(quota - exact) <= 0.5).toBe(true);
        },
      ),
    );
  });
});
