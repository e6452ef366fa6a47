import { DiatomError } from '../errors.ts';
import type { Remote } from './connect.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import { lookUp } from './remote-file.ts';
import { folderParts, remoteFolder } from './remote-path.ts';
import { judgeWebdav, statusOf } from './webdav-error.ts';

/**
 * Makes sure that a folder exists, creating it and those above it where they are missing.
 *
 * @throws DiatomError `OWNCLOUD` when a file has the name of one of them, or the server refuses
 */
export async function ensureFolder(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  if ((await typeOf(remote, remoteFolder(folder), options)) === 'directory') return;
  const parts = folderParts(folder);
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = remoteFolder(parts.slice(0, depth).join('/'));
    await retrying(options, () => createFolder(remote, path, options));
  }
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
 * MKCOL answers 405 for what exists (RFC 4918, 9.3.1), some servers 403, 409 or a redirect, and another run may create
 * the same folder at the same moment: whatever the refusal, only the absence of the folder makes it an error.
 */
async function createFolder(remote: Remote, path: string, options: RemoteOptions): Promise<void> {
  try {
    await remote.client.createDirectory(path, withSignal(options));
  } catch (error) {
    if (judgeWebdav(error).retry || statusOf(error) === undefined) throw error;
    if ((await typeOf(remote, path, options)) === 'directory') return;
    // A file's address is the one without the last “/”: Apache knows it by that only.
    const asFile = path.slice(0, -1);
    if ((await typeOf(remote, asFile, options)) !== 'file') throw error;
    throw new DiatomError(
      'OWNCLOUD',
      `At ${remote.rootUrl.host} a folder “${asFile}” is needed, but a file has that name: choose another folder, or rename the file.`,
    );
  }
}

/** What is there; `undefined` when the server does not show it, for whatever reason: creating it then tells the reason. */
async function typeOf(remote: Remote, path: string, options: RemoteOptions) {
  try {
    return (await retrying(options, () => lookUp(remote.client, path, options.signal))).type;
  } catch (error) {
    if (judgeWebdav(error).retry || statusOf(error) === undefined) throw error;
    return undefined;
  }
}
