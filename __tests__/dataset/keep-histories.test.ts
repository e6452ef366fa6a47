import { expect, test } from 'vitest';
import { liveThroughMany } from '../helpers/histories.ts';

test('over random histories no image goes from test to train, sizes are exact, and only what has to moves', () => {
  const seen = liveThroughMany(300);
  // That there was something to be seen: about 1,900 months with 5,000 zips, of which 180 images move and 70 return.
  expect(seen.months).toBeGreaterThan(1_200);
  expect(seen.exact).toBeGreaterThan(1_500);
  expect(seen.moved).toBeGreaterThan(10);
  expect(seen.returned).toBeGreaterThan(10);
  expect(seen.refused).toBeLessThan(seen.months / 4);
});
