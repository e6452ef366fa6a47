import { expect, test } from 'vitest';
import { isPassingStatus } from '../../src/http/passing-status.ts';

test('every answer of 500 and more passes but those that stay, and of the others those about time and number', () => {
  const statuses = Array.from({ length: 500 }, (_, index) => 100 + index);
  const lasting = statuses.filter((status) => status >= 500 && !isPassingStatus(status));
  const passing = statuses.filter((status) => status < 500 && isPassingStatus(status));
  expect({ lasting, passing }).toEqual({ lasting: [501, 505, 507, 508], passing: [408, 425, 429] });
});
