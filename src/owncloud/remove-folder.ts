import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { remoteFolder } from './remote-path.ts';
import { statusOf } from './webdav-error.ts';

/**
 * Deletes a folder with all that is in it; one that is not there is fine.
 *
 * @throws DiatomError `OWNCLOUD` when the server refuses
 */
export async function removeFolder(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  try {
    await retrying(options, () => remote.client.deleteFile(remoteFolder(folder), withSignal(options)));
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
