import { expect, test } from 'vitest';
import { DiatomError } from '../../src/errors.ts';
import { diskFailure } from '../../src/files/disk-failure.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it, write`), { code });
}

test('a full disk is said in words that name the file and the remedy', () => {
  const cause = systemError('ENOSPC');
  expect(diskFailure('write', '/data/set.zip', cause)).toMatchObject({
    code: 'DISK',
    message:
      'The file /data/set.zip can’t be written: the disk is full. Free some space, or use a runner with a larger disk. (ENOSPC)',
    cause,
  });
});

test('an error of the system without words of ours keeps its own', () => {
  expect(diskFailure('read', 'set.zip', systemError('EIO'))).toMatchObject({
    code: 'DISK',
    message: 'The file set.zip can’t be read: EIO: as the system says it, write. (EIO)',
  });
});

test('what is not the system’s stays as it is', () => {
  const ours = new DiatomError('ZIP', 'damaged', { cause: systemError('EIO') });
  const bug = new TypeError('x is not a function');
  const nodes = systemError('ERR_INVALID_ARG_TYPE');
  for (const error of [ours, bug, nodes, 'text', undefined]) expect(diskFailure('write', 'set.zip', error)).toBe(error);
});
