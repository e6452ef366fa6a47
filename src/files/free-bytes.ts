import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '../errors.ts';

/** Free bytes of the disk that a path is on, or will be. */
export async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return freeBytes(dirname(path));
  }
}
