import { describe, expect, test } from 'vitest';
import { falseRefusals, lostClassesThatPass, SETTINGS } from '../helpers/two-models.ts';

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
    expect(falseRefusals({ classes, images, discordance: 0.05, hardClasses: 0.2 }, 5_000)).toBeLessThanOrEqual(0.25);
  },
);

describe.each(SETTINGS)('with $classes classes of $images images, discordance $discordance', (models) => {
  test('at most 5 % of equally good models are refused', () => {
    expect(falseRefusals(models, 10_000)).toBeLessThanOrEqual(0.05);
  });

  test('of 1,000 models that lost a class, none passes', () => {
    expect(lostClassesThatPass(models, 1_000)).toBe(0);
  });
});
