import { expect, test } from 'vitest';
import { liveThroughMany } from '../helpers/histories.ts';

test('over 3,000 random histories no image goes from test to train, sizes are exact, and only what has to moves', () => {
  const seen = liveThroughMany(3_000);
  expect(seen.months).toBeGreaterThan(12_000);
  expect(seen.moved).toBeGreaterThan(100);
});
