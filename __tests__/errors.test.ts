import { stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { DiatomError, messageOf, systemCodeOf, throwIfCancelled } from '../src/errors.ts';

test('an error of ours has a code, a name and its cause', () => {
  const cause = new Error('below');
  const error = new DiatomError('ZIP', 'The zip is damaged.', { cause });
  expect(error).toMatchObject({ name: 'DiatomError', code: 'ZIP', message: 'The zip is damaged.', cause });
  expect(error).toBeInstanceOf(Error);
});

test('anything that is thrown has a message', () => {
  expect([new Error('a'), 'b', 5, undefined, null].map(messageOf)).toEqual(['a', 'b', '5', 'undefined', 'null']);
});

describe('the system’s code', () => {
  test('is found on a real error, and below errors of ours', async () => {
    const error = await stat('/nowhere/at/all').catch((thrown: unknown) => thrown);
    expect(systemCodeOf(error)).toBe('ENOENT');
    expect(systemCodeOf(new DiatomError('DISK', 'No.', { cause: error }))).toBe('ENOENT');
    expect(systemCodeOf(new Error('a', { cause: new Error('b', { cause: error }) }))).toBe('ENOENT');
  });

  test('is found among several, as a connection over IPv4 and IPv6 fails', () => {
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    expect(systemCodeOf(new AggregateError([new Error('other'), refused]))).toBe('ECONNREFUSED');
  });

  test('is not our own code, nor what is no text', () => {
    expect(systemCodeOf(new DiatomError('NETWORK', 'No.'))).toBeUndefined();
    expect(systemCodeOf(Object.assign(new Error('x'), { code: 5 }))).toBeUndefined();
    expect(systemCodeOf('ENOENT')).toBeUndefined();
  });
});

test('a cancelled run throws the one error that stands for it, and keeps the reason', () => {
  const controller = new AbortController();
  throwIfCancelled(undefined);
  throwIfCancelled(controller.signal);
  const reason = new Error('SIGINT');
  controller.abort(reason);
  expect(() => throwIfCancelled(controller.signal)).toThrow(
    expect.objectContaining({ code: 'CANCELLED', message: 'The run was cancelled.', cause: reason }),
  );
});
