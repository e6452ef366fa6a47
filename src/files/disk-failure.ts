import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';

const REMEDIES = new Map([
  ['ENOSPC', 'the disk is full. Free some space, or use a runner with a larger disk.'],
  ['EDQUOT', 'the disk quota of this user is used up. Free some space, or ask for a larger quota.'],
  ['EFBIG', 'the file system allows no file that large. Use another disk.'],
  ['ENOENT', 'there is no such file or folder.'],
  ['EEXIST', 'a file with that name is already there. Move it away, or choose another name.'],
  ['EISDIR', 'it is a folder.'],
  ['EACCES', 'this user has no permission.'],
  ['EPERM', 'this user has no permission.'],
  ['EROFS', 'the disk is read-only.'],
]);

/**
 * What a failure to read or write a file is to the user: a DiatomError `DISK` when the system reports it (the cause
 * keeps it), anything else as it is.
 */
export function diskFailure(action: 'read' | 'write', path: string, error: unknown): unknown {
  const code = systemCodeOf(error);
  if (error instanceof DiatomError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const reason = REMEDIES.get(code) ?? `${messageOf(error)}.`;
  const did = action === 'read' ? 'read' : 'written';
  return new DiatomError('DISK', `The file ${path} can’t be ${did}: ${reason} (${code})`, { cause: error });
}

/** Does a step that waits for the disk. @throws DiatomError as `diskFailure` makes it */
export function onDisk<T>(action: 'read' | 'write', path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw diskFailure(action, path, error);
  }
}

/** Does a step that goes on beside others. @throws DiatomError as `diskFailure` makes it */
export async function onDiskLater<T>(action: 'read' | 'write', path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw diskFailure(action, path, error);
  }
}
