import { throwIfCancelled } from '../errors.ts';
import type { Remote } from './connect.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
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
 * Deletes older archives from a folder. Only files whose whole name is the prefix and a time (as in
 * `diatom_set-2026-11-22-17-45-00.zip`) and that are older than `current` are looked at, so anything else in the folder
 * stays, and so does the archive of another run that finished later.
 *
 * What can't be deleted is a warning, not an error: the new archive is safe.
 *
 * @returns the names of the deleted files, oldest first
 * @throws DiatomError when the folder can't be listed
 */
export async function removeOldArchives(remote: Remote, which: KeepLast, options: RemoteOptions): Promise<string[]> {
  const { folder, prefix, keepLast, current } = which;
  const { client, rootUrl, access } = remote;
  if (access !== 'full') {
    options.onWarning?.('keep-last has no effect: the public link does not allow deleting.');
    return [];
  }
  const entries = await retrying(options, () =>
    client.getDirectoryContents(remoteFolder(folder), { details: false, ...withSignal(options) }),
  );
  const earlier = entries
    .filter(({ type, basename }) => type === 'file' && isArchiveName(basename, prefix) && basename < current)
    .map(({ basename }) => basename)
    .sort();
  const removed: string[] = [];
  for (const name of earlier.slice(0, Math.max(0, earlier.length - keepLast))) {
    try {
      await retrying(options, () => client.deleteFile(remotePath(folder, name), withSignal(options)));
      removed.push(name);
    } catch (error) {
      throwIfCancelled(options.signal);
      if (statusOf(error) === 404) continue;
      const reason = error instanceof Error ? error.message : String(error);
      options.onWarning?.(`The older archive “${name}” stays at ${rootUrl.host}: ${reason}`);
    }
  }
  return removed;
}

function isArchiveName(name: string, prefix: string): boolean {
  return name.startsWith(`${prefix}-`) && /^\d{4}(?:-\d\d){5}\.zip$/.test(name.slice(prefix.length + 1));
}
