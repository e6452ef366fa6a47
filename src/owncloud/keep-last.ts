import { archiveOf, isArchiveName, runNameOf, sidesNameOf } from '../dataset/archive-names.ts';
import { messageOf, throwIfCancelled } from '../errors.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { remoteFolder, remotePath } from './remote-path.ts';
import { statusOf } from './webdav-error.ts';

export interface KeepLast {
  readonly folder: string;
  /** What the archives' names begin with, such as `diatom_set`. */
  readonly prefix: string;
  /** How many earlier archives stay besides `current`. */
  readonly keepLast: number;
  /** The name of the archive that was just uploaded. */
  readonly current: string;
}

/**
 * Deletes older archives from a folder, each with the files beside it. Only files whose whole name is the prefix and a time
 * (as in `diatom_set-2026-11-22-17-45-00.zip`) and that are older than `current` are looked at, so anything else in the
 * folder stays, and so does the archive of another run that finished later. Files beside archives that are gone go too,
 * where they are older than all that stay.
 *
 * What can't be deleted is a warning, not an error: the new archive is safe.
 *
 * @returns the names of the deleted archives, oldest first
 * @throws DiatomError when the folder can't be listed
 */
export async function removeOldArchives(remote: Remote, which: KeepLast, options: RemoteOptions): Promise<string[]> {
  const { folder, prefix, keepLast, current } = which;
  const { client, access } = remote;
  if (access !== 'full') {
    options.onWarning?.('keep-last has no effect: the public link does not allow deleting.');
    return [];
  }
  const entries = await retrying(options, () =>
    client.getDirectoryContents(remoteFolder(folder), { details: false, ...withSignal(options) }),
  );
  const names = new Set(entries.flatMap(({ type, basename }) => (type === 'file' ? [basename] : [])));
  const earlier = [...names].filter((name) => isArchiveName(name, prefix) && name < current).sort();
  const old = earlier.slice(0, Math.max(0, earlier.length - keepLast));
  const removed: string[] = [];
  for (const name of old) if (await remove(remote, folder, name, options)) removed.push(name);
  const oldest = earlier[old.length] ?? current;
  const gone = [...new Set([...names].flatMap((name) => archiveOf(name) ?? []))].filter(
    (name) => isArchiveName(name, prefix) && name < oldest && (removed.includes(name) || !names.has(name)),
  );
  // After the archives: one without its sides would look like one of another kind.
  for (const beside of gone.flatMap((name) => [sidesNameOf(name), runNameOf(name)])) {
    if (names.has(beside)) await remove(remote, folder, beside, options);
  }
  return removed;
}

/** @returns whether it was there and is gone */
async function remove(remote: Remote, folder: string, name: string, options: RemoteOptions): Promise<boolean> {
  try {
    await retrying(options, () => remote.client.deleteFile(remotePath(folder, name), withSignal(options)));
    return true;
  } catch (error) {
    throwIfCancelled(options.signal);
    if (statusOf(error) !== 404) {
      options.onWarning?.(`The older file “${name}” stays at ${remote.rootUrl.host}: ${messageOf(error)}`);
    }
    return false;
  }
}
