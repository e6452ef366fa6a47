import { describe, expect, test } from 'vitest';
import { drift, promotedShare, RETRAININGS } from '../helpers/retrainings.ts';

/** What docs/publish-model.md says: images, discordance, and of models 5 points worse and as good which share passes. */
const SHARES = [
  [30, 0.1, 0.28, 0.62],
  [30, 0.15, 0.32, 0.6],
  [30, 0.25, 0.36, 0.58],
  [60, 0.1, 0.15, 0.59],
  [60, 0.15, 0.2, 0.57],
  [60, 0.25, 0.26, 0.55],
  [120, 0.1, 0.05, 0.56],
  [120, 0.15, 0.1, 0.55],
  [120, 0.25, 0.16, 0.54],
  [500, 0.1, 0, 0.53],
  [500, 0.15, 0, 0.52],
  [500, 0.25, 0.01, 0.52],
] as const;

describe.each(SHARES)('with %d images and a discordance of %d', (images, discordance, worse, equal) => {
  test('as many worse and equal models pass as the documentation says', () => {
    expect(promotedShare({ images, discordance }, -0.05, 40_000)).toBeLessThanOrEqual(worse + 0.01);
    expect(promotedShare({ images, discordance }, 0, 40_000)).toBeGreaterThanOrEqual(equal - 0.01);
  });

  test.each([false, true])('production does not sink by a point in twenty retrainings (fresh images: %s)', (fresh) => {
    const setting = { images, discordance, ...RETRAININGS, freshImages: fresh, asksBest: true };
    expect(drift(setting, images > 200 ? 400 : 2_000).mean).toBeGreaterThan(-0.01);
  });
});
