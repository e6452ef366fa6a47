import { randomBytes } from 'node:crypto';
import { moveIntoPlace, putVerified, removeTemporary, temporaryPath, textContent } from './confirmed-writes.ts';
import { ensureFolder, isAddOnly, requireUsableFolder } from './ensure-folder.ts';
import { trialName } from './leftovers.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';

/**
 * Tries out in seconds what an upload needs: creates the folder, then stores, reads back, renames and deletes a tiny file
 * with an unmistakable name. Does nothing where a public link or the folder would not let the file be deleted, and says so.
 *
 * @throws DiatomError as `uploadFile` would
 */
export async function checkWriteAccess(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<'tried' | 'not tried'> {
  requireUsableFolder(remote, folder);
  if (remote.access !== 'full') {
    options.onWarning?.(
      'The public link allows uploads; it was not tried, because the link does not allow deleting the trial file.',
    );
    return 'not tried';
  }
  if (isAddOnly(remote, await ensureFolder(remote, folder, options))) {
    options.onWarning?.(
      `In ${folder === '' ? 'the top folder' : `“${folder}”`} this account may add files, and neither rename nor delete them. Uploads are possible, and get their names at once; it was not tried, because the trial file would stay. Nothing there is ever deleted, with keep-last either.`,
    );
    return 'not tried';
  }
  const path = remotePath(folder, trialName(remote.mark, randomBytes(4).toString('hex')));
  const temporary = temporaryPath(path, remote.mark);
  const content = textContent('A trial upload of diatom-actions. It should have been deleted: you may do so.\n');
  let left = temporary;
  try {
    await putVerified(remote, temporary, content, options);
    left = path;
    await moveIntoPlace(remote, { from: temporary, to: path, content }, options);
    await retrying(options, () => remote.client.deleteFile(path, withSignal(options)));
    return 'tried';
  } catch (error) {
    if (left === path) await removeTemporary(remote, path, {});
    await removeTemporary(remote, temporary, options);
    throw error;
  }
}
