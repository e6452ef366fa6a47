import { describe, expect, test } from 'vitest';
import { pairedInterval } from '../../src/model/paired-tests.ts';
import { comparePairs, points } from '../../src/model/paired-verdict.ts';
import { comparedImages } from '../helpers/model.ts';
import { coverage, drift, promotedShare, RETRAININGS } from '../helpers/retrainings.ts';

describe('the interval of the difference', () => {
  test('is the one of Bonett and Price, calculated by hand', () => {
    // (7 + 1 − 12 − 1) / 62 = −0.0806; 1.96 · √((8/62 + 13/62 − 0.0806²) / 62) = 0.1435.
    const [low, high] = pairedInterval(12, 7, 60);
    expect(low).toBeCloseTo(-0.0806 - 0.1435, 3);
    expect(high).toBeCloseTo(-0.0806 + 0.1435, 3);
  });

  test('has a width where no image tells the models apart, and stays within what can be', () => {
    const [low, high] = pairedInterval(0, 0, 60);
    expect(low).toBeCloseTo(-high, 12);
    expect(high).toBeCloseTo((1.96 * Math.SQRT2) / 62, 3);
    expect(pairedInterval(3, 0, 3)[0]).toBeGreaterThanOrEqual(-1);
    expect(pairedInterval(0, 0, 0)).toEqual([-1, 1]);
  });

  test.each([10, 20, 30, 60])('holds the true difference in 94 % of all cases or more with %d images', (images) => {
    for (const discordance of [0.05, 0.1, 0.15, 0.25, 0.4]) {
      for (const difference of [0, 0.02, -0.05, 0.1, -0.2].filter((one) => Math.abs(one) <= discordance)) {
        expect(coverage({ images, discordance }, difference)).toBeGreaterThan(0.94);
      }
    }
  });
});

test('both counts, both accuracies and the difference are one sentence', () => {
  const images = comparedImages([
    { label: 'a', images: 20, production: 20, candidate: 8 },
    { label: 'b', images: 40, production: 30, candidate: 37 },
  ]);
  expect(comparePairs(images)).toMatchObject({
    verdict: 'unsure',
    figures:
      '7 newly right, 12 newly wrong; accuracy 75.0 % beside 83.3 %, a difference of −8.3 points (95 % interval −22.4 to +6.3)',
  });
  expect([0.0004, -0.0004, 0.0006, -0.021].map(points)).toEqual(['0.0', '0.0', '+0.1', '−2.1']);
});

describe.each([
  [0.1, 0.25],
  [0.15, 0.25],
  [0.25, 0.27],
])('simulated with 60 images and a discordance of %d, the default', (discordance, limit) => {
  const setting = { images: 60, discordance };

  test('promotes few models that are five points worse, and more than half of those that are as good', () => {
    expect(promotedShare(setting, -0.05, 4_000)).toBeLessThanOrEqual(limit);
    expect(promotedShare(setting, 0, 4_000)).toBeGreaterThanOrEqual(0.5);
    expect(promotedShare(setting, 0.05, 4_000)).toBeGreaterThanOrEqual(0.8);
  });

  test.each([
    ['the same images', false],
    ['other images each time', true],
  ])('does not let production sink by a point in twenty retrainings, tested on %s', (_, freshImages) => {
    const { mean } = drift({ ...setting, ...RETRAININGS, freshImages, asksBest: true }, 200);
    expect(mean).toBeGreaterThan(-0.01);
  });
});

test('the best version that was in production holds production where images are few and others each time', () => {
  const setting = { images: 30, discordance: 0.25, ...RETRAININGS, freshImages: true };
  const [alone, both] = [false, true].map((asksBest) => drift({ ...setting, asksBest }, 400).mean);
  expect(alone).toBeLessThan(-0.01);
  expect(both).toBeGreaterThan(-0.01);
});
