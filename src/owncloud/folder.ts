import { DiatomError } from '../errors.ts';
import type { Remote } from './connect.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import { lookUpIfThere } from './remote-file.ts';
import { folderParts, remoteFolder } from './remote-path.ts';
import { judgeWebdav } from './webdav-error.ts';

/**
 * Makes sure that a folder exists, creating it and those above it where they are missing.
 *
 * @throws DiatomError `OWNCLOUD` when a file has the name of one of them, or the server refuses
 */
export async function ensureFolder(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  if (await isFolder(remote, folder, options)) return;
  const parts = folderParts(folder);
  for (let depth = 1; depth <= parts.length; depth++) {
    await createFolder(remote, parts.slice(0, depth).join('/'), options);
  }
}

/**
 * MKCOL answers 405 for what exists (RFC 4918, 9.3.1), some servers 403, 409 or a redirect, and another run may create
 * the same folder at the same moment: whatever the refusal, only the absence of the folder makes it an error.
 */
async function createFolder(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  await retrying(options, async () => {
    try {
      await remote.client.createDirectory(remoteFolder(folder), withSignal(options));
    } catch (error) {
      if (judgeWebdav(error).retry || !(await isFolder(remote, folder, options))) throw error;
    }
  });
}

async function isFolder(remote: Remote, folder: string, options: RemoteOptions): Promise<boolean> {
  const found = await retrying(options, async () => {
    const path = remoteFolder(folder);
    // As a file, its address is the one without the last “/”, and Apache knows it by that only.
    return (
      (await lookUpIfThere(remote.client, path, options.signal)) ??
      (await lookUpIfThere(remote.client, path.slice(0, -1), options.signal))
    );
  });
  if (found?.type === 'file') {
    throw new DiatomError(
      'OWNCLOUD',
      `owncloud-folder needs a folder “/${folderParts(folder).join('/')}” at ${remote.rootUrl.host}, but a file has that name: choose another folder, or rename the file.`,
    );
  }
  return found !== undefined;
}
