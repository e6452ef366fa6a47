import { inspect } from 'node:util';
import { expect } from 'vitest';
import { DiatomError } from '../../src/errors.ts';

/** The error that `run` throws. Fails the test when it throws none, or one that is not meant for users. */
export async function failureOf(run: Promise<unknown> | (() => unknown)): Promise<DiatomError> {
  try {
    await (typeof run === 'function' ? run() : run);
  } catch (error) {
    if (error instanceof DiatomError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}

/** Looks for a text in all that a log could show of an error: message, causes, stack, properties. */
export function expectNowhere(error: unknown, text: string): void {
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(text);
}
