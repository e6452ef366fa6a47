import { DiatomError } from '../errors.ts';
import { lookUp, type RemoteFile } from './look-up.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { folderParts, remoteFolder } from './remote-path.ts';
import { judgeWebdav, statusOf } from './webdav-error.ts';

/**
 * Makes sure that a folder exists, creating it and those above it where they are missing.
 *
 * @returns what the server says about it; `undefined` where it does not show it
 * @throws DiatomError `OWNCLOUD` when a file has the name of one of them, or the server refuses
 */
export async function ensureFolder(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<RemoteFile | undefined> {
  const found = await shown(remote, remoteFolder(folder), options);
  if (found?.type === 'directory') return found;
  await createFolders(remote, folder, options);
  return shown(remote, remoteFolder(folder), options);
}

/**
 * Creates a folder that is missing, and those above it where they are.
 *
 * @throws DiatomError as `ensureFolder`
 */
export async function createFolders(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  const parts = folderParts(folder);
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = remoteFolder(parts.slice(0, depth).join('/'));
    await createFolder(remote, path, options);
  }
}

/**
 * Whether files may be added to a folder, but neither renamed nor deleted: shares of ownCloud and Nextcloud can be so. A
 * folder's letter for renaming is missing then; its letter for deleting may be there, as whoever got a share may drop it.
 */
export function isAddOnly({ product }: Remote, folder: RemoteFile | undefined): boolean {
  if (product !== 'owncloud' && product !== 'nextcloud') return false;
  const { permissions = '' } = folder ?? {};
  return permissions.includes('C') && !/[NV]/.test(permissions);
}

/**
 * Refuses a folder that the remote can't take, without asking the server: a file drop takes files at its top only.
 *
 * @throws DiatomError `INPUT`
 */
export function requireUsableFolder(remote: Remote, folder: string): void {
  if (remote.access !== 'upload-only' || folderParts(folder).length === 0) return;
  throw new DiatomError(
    'INPUT',
    `owncloud-folder is “${folder}”, but the public link only takes uploads, at its top: leave owncloud-folder empty.`,
  );
}

/**
 * Creates a folder below one that is there.
 *
 * @param path from the remote's root, with a `/` at both ends
 * @throws DiatomError as `ensureFolder`
 */
export function createFolder(remote: Remote, path: string, options: RemoteOptions): Promise<void> {
  return retrying(options, () => tryToCreate(remote, path, options));
}

/**
 * MKCOL answers 405 for what exists (RFC 4918, 9.3.1), some servers 403, 409 or a redirect, and another run may create
 * the same folder at the same moment: whatever the refusal, only the absence of the folder makes it an error.
 */
async function tryToCreate(remote: Remote, path: string, options: RemoteOptions): Promise<void> {
  try {
    await remote.client.createDirectory(path, withSignal(options));
  } catch (error) {
    if (judgeWebdav(error).retry || statusOf(error) === undefined) throw error;
    if ((await shown(remote, path, options))?.type === 'directory') return;
    // A file's address is the one without the last “/”: Apache knows it by that only.
    const asFile = path.slice(0, -1);
    if ((await shown(remote, asFile, options))?.type !== 'file') throw error;
    throw new DiatomError(
      'OWNCLOUD',
      `At ${remote.rootUrl.host} a folder “${asFile}” is needed, but a file has that name: choose another folder, or rename the file.`,
    );
  }
}

/** What is there; `undefined` when the server does not show it, for whatever reason: creating it then tells the reason. */
async function shown(remote: Remote, path: string, options: RemoteOptions): Promise<RemoteFile | undefined> {
  try {
    return await retrying(options, () => lookUp(remote.client, path, options.signal));
  } catch (error) {
    if (judgeWebdav(error).retry || statusOf(error) === undefined) throw error;
    return undefined;
  }
}
