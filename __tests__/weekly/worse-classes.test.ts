import { describe, expect, test } from 'vitest';
import { falseRefusals, lostClassesThatPass, SETTINGS } from '../helpers/two-models.ts';

describe.each(SETTINGS)('with $classes classes of $images images, discordance $discordance', (models) => {
  test('at most 5 % of equally good models are refused', () => {
    expect(falseRefusals(models, 10_000)).toBeLessThanOrEqual(0.05);
  });

  test('of 1,000 models that lost a class, none passes', () => {
    expect(lostClassesThatPass(models, 1_000)).toBe(0);
  });
});
