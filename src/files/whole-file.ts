import { renameSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { diskFailure } from './disk-failure.ts';
import type { GrowingFile } from './growing-file.ts';

/** What a file is called until it is whole: whatever ends its writer, half of it never has the name. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/**
 * Writes a file in place of whatever has its name. A link there is replaced, and not followed.
 *
 * @throws DiatomError `DISK`; nothing unfinished stays
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = partOf(path);
  try {
    await rm(part, { recursive: true, force: true });
    const file = await open(part, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw diskFailure('write', path, error);
  }
}

/** A growing file, called `partOf(path)`, that gets its name when it is complete. */
export function namedWhenWhole(file: GrowingFile, path: string): GrowingFile {
  let current = file.path;
  const complete = file.complete.then((facts) => {
    try {
      // At one stroke, as whoever opens it has to know under which name it is.
      renameSync(file.path, path);
    } catch (error) {
      throw diskFailure('write', path, error);
    }
    current = path;
    return facts;
  });
  complete.catch(() => undefined); // whoever waits for it has the rejection
  return {
    get path() {
      return current;
    },
    complete,
    reach: (bytes) => file.reach(bytes),
  };
}
