import { describe, expect, test } from 'vitest';
import { bestPossible, falseRefusals, lossesRefused, lostClassesThatPass, SETTINGS } from '../helpers/two-models.ts';

test.each([
  [6, 5],
  [20, 5],
  [100, 5],
  [20, 10],
  [100, 10],
  [100, 30],
])(
  'where a fifth of %d classes of %d images is hard, no more is refused than the documentation says',
  (classes, images) => {
    expect(falseRefusals({ classes, images, discordance: 0.05, hardClasses: 0.2 }, 5_000)).toBeLessThanOrEqual(0.37);
  },
);

test.each([
  [6, 0.1, 0.89],
  [6, 0.25, 0.84],
  [20, 0.1, 0.9],
  [20, 0.25, 0.69],
  [100, 0.1, 0.82],
  [100, 0.25, 0.38],
])(
  'of %d classes at a discordance of %d, one of five images is refused as often as said',
  (classes, discordance, share) => {
    // Production has 60 % of it right.
    expect(lossesRefused({ classes, images: 5, discordance }, 0.6, 4_000)).toBeGreaterThan(share);
  },
);

test.each([
  [20, 0.6, 0.34],
  [20, 0.7, 1],
  [100, 0.6, 0.17],
  [100, 0.7, 0.32],
])('where all of %d classes of five images are right to %d, no rule could do much better', (classes, recall, best) => {
  const models = { classes, images: 5, discordance: 0, hardClasses: 1, hardRecall: recall };
  expect(bestPossible(classes, 5, recall)).toBeCloseTo(best, 1);
  expect(falseRefusals(models, 4_000)).toBeLessThanOrEqual(0.08);
  expect(lossesRefused(models, recall, 4_000)).toBeGreaterThan(0.6 * best);
});

describe.each(SETTINGS)('with $classes classes of $images images, discordance $discordance', (models) => {
  test('at most 5 % of equally good models are refused', () => {
    expect(falseRefusals(models, 10_000)).toBeLessThanOrEqual(0.05);
  });

  test('of 1,000 models that lost a class, none passes', () => {
    expect(lostClassesThatPass(models, 1_000)).toBe(0);
  });
});
