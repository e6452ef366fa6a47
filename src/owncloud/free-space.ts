import { DiatomError } from '../errors.ts';
import { formatBytes } from '../format.ts';
import { lookUpIfThere } from './look-up.ts';
import { type RemoteOptions, retrying } from './options.ts';
import type { Remote } from './remote.ts';
import { folderParts, remoteFolder } from './remote-path.ts';

/**
 * How much may still be stored in a folder, or in the nearest one above it that is there: one that others share has their
 * quota. `undefined` where the server does not say.
 *
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `CANCELLED`
 */
export async function freeOnServer(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<number | undefined> {
  if (remote.access === 'upload-only') return undefined;
  const parts = folderParts(folder);
  for (let depth = parts.length; depth >= 0; depth--) {
    const path = remoteFolder(parts.slice(0, depth).join('/'));
    const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal)).catch(
      unlessRefused,
    );
    if (found) return found.freeBytes;
  }
  return undefined;
}

/** What can’t be used, such as a file in the place of a folder, is reported by what is to use it. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof DiatomError && error.code === 'OWNCLOUD')) throw error;
}

/**
 * Asks before the first byte is sent: servers that take a file in pieces refuse it after the last one.
 *
 * @param what for people, such as “the archive”
 * @returns how much is free there; `undefined` where the server does not say
 * @throws DiatomError `OWNCLOUD` when the server has not so much space for this account
 */
export async function requireSpaceOnServer(
  remote: Remote,
  { folder, bytes, what }: { readonly folder: string; readonly bytes: number; readonly what: string },
  options: RemoteOptions,
): Promise<number | undefined> {
  const free = await freeOnServer(remote, folder, options);
  if (free === undefined || bytes <= free) return free;
  throw new DiatomError(
    'OWNCLOUD',
    `${remote.description} has ${formatBytes(free)} left for this account (its quota), and ${what} takes about ${formatBytes(bytes)}: delete something there (the trash bin counts too), or ask the administrator for a larger quota.`,
  );
}
