import { describe, expect, test } from 'vitest';
import { DiatomError } from '../../src/errors.ts';
import { parseRetryAfter, type RetryNotice, type RetryVerdict, withRetries } from '../../src/http/retry.ts';

const POLICY = { tries: 4, firstDelayMs: 10, maxDelayMs: 15, maxRetryAfterMs: 1_000 };

/** Fails as often as there are verdicts, then returns how often it was called. */
function failing(verdicts: readonly RetryVerdict[]) {
  const notices: RetryNotice[] = [];
  let calls = 0;
  const options = {
    policy: POLICY,
    judge: () => verdicts[calls - 1] ?? ({ retry: false } as const),
    onRetry: (notice: RetryNotice) => void notices.push(notice),
    random: () => 1,
  };
  const attempt = async () => {
    calls++;
    if (calls <= verdicts.length) throw new Error(`failure ${calls}`);
    return calls;
  };
  return { attempt, options, notices, calls: () => calls };
}

const AGAIN: RetryVerdict = { retry: true };

describe('withRetries', () => {
  test('tries again after passing failures and returns the first success', async () => {
    const { attempt, options } = failing([AGAIN, AGAIN]);
    expect(await withRetries(attempt, options)).toBe(3);
  });

  test('throws the last failure when the tries are used up', async () => {
    const { attempt, options, calls } = failing([AGAIN, AGAIN, AGAIN, AGAIN, AGAIN]);
    await expect(withRetries(attempt, options)).rejects.toThrow('failure 4');
    expect(calls()).toBe(4);
  });

  test('ends at once at a final failure', async () => {
    const { attempt, options, calls } = failing([{ retry: false }]);
    await expect(withRetries(attempt, options)).rejects.toThrow('failure 1');
    expect(calls()).toBe(1);
  });

  test('draws waits from a range that doubles up to the longest', async () => {
    const { attempt, options, notices } = failing([AGAIN, AGAIN, AGAIN]);
    await withRetries(attempt, options);
    expect(notices.map(({ attempt, tries, waitMs }) => [attempt, tries, waitMs])).toEqual([
      [1, 4, 10],
      [2, 4, 15],
      [3, 4, 15],
    ]);
  });

  test('waits as long as the server asks, but not 0', async () => {
    const { attempt, options, notices } = failing([
      { retry: true, afterMs: 3 },
      { retry: true, afterMs: 0 },
    ]);
    await withRetries(attempt, options);
    expect(notices.map(({ waitMs }) => waitMs)).toEqual([3, 15]);
  });

  test('gives up when the server asks for more patience than is allowed', async () => {
    const { attempt, options, calls } = failing([{ retry: true, afterMs: 1_001 }]);
    await expect(withRetries(attempt, options)).rejects.toThrow('failure 1');
    expect(calls()).toBe(1);
  });

  test('counts tries and waits from the beginning after progress', async () => {
    const forward: RetryVerdict = { retry: true, progress: true };
    const { attempt, options, notices } = failing([AGAIN, AGAIN, forward, AGAIN, AGAIN]);
    expect(await withRetries(attempt, options)).toBe(6);
    expect(notices.map(({ attempt, waitMs }) => [attempt, waitMs])).toEqual([
      [1, 10],
      [2, 15],
      [1, 10],
      [2, 15],
      [3, 15],
    ]);
  });

  test('a cancelled run ends the wait and is CANCELLED, whatever the failure was', async () => {
    const cancel = new AbortController();
    const { attempt, options, calls } = failing([{ retry: true, afterMs: 900 }]);
    const run = withRetries(attempt, { ...options, signal: cancel.signal, onRetry: () => cancel.abort() });
    await expect(run).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
    await expect(run).rejects.toBeInstanceOf(DiatomError);
    expect(calls()).toBe(1);
  });
});

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['soon', undefined],
    ['0', 0],
    [' 120 ', 120_000],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
  ])('%j is %j milliseconds', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
