import { accessSync, constants, statSync, truncateSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';

/**
 * Appends to a file by which a step tells the runner something. What can be written by half only (a full disk) is taken
 * back: the runner would end the step over half a value.
 *
 * @returns why it could not be written; `undefined` when it was
 */
export function appending(path: string, append: () => void): string | undefined {
  let before: number | undefined;
  try {
    accessSync(path, constants.W_OK);
    before = statSync(path).size;
    append();
    return undefined;
  } catch (error) {
    if (before !== undefined) takeBack(path, before);
    return messageOf(diskFailure('write', path, error));
  }
}

function takeBack(path: string, bytes: number): void {
  try {
    truncateSync(path, bytes);
  } catch {
    // It is gone, or a device: nothing is left to take back.
  }
}
