import { lchown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';

/**
 * Gives a folder and all in it to a user. Links are changed themselves and never followed: what was written by a
 * container may point anywhere.
 *
 * @throws DiatomError `DISK`
 */
export async function giveTo(
  folder: string,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  try {
    await lchown(folder, uid, gid);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await giveTo(path, { uid, gid });
      else await lchown(path, uid, gid);
    }
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw diskFailure('write', folder, error);
  }
}
