import { randomBytes } from 'node:crypto';
import type { Remote } from './connect.ts';
import { ensureFolder, requireUsableFolder } from './folder.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import { remotePath } from './remote-path.ts';
import { moveIntoPlace, putVerified, removeTemporary, temporaryPath, textContent } from './store.ts';

/**
 * Tries out in seconds what an upload needs: creates the folder, then stores, reads back, renames and deletes a tiny file
 * with an unmistakable name. Does nothing where a public link would not let the file be deleted, and says so.
 *
 * @throws DiatomError as `uploadFile` would
 */
export async function checkWriteAccess(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  requireUsableFolder(remote, folder);
  if (remote.access !== 'full') {
    options.onWarning?.(
      'The public link allows uploads; it was not tried, because the link does not allow deleting the trial file.',
    );
    return;
  }
  await ensureFolder(remote, folder, options);
  const path = remotePath(folder, `diatom-actions-write-check-${randomBytes(4).toString('hex')}.txt`);
  const temporary = temporaryPath(path);
  const content = textContent('A trial upload of diatom-actions. It should have been deleted: you may do so.\n');
  let left = temporary;
  try {
    await putVerified(remote, temporary, content, options);
    left = path;
    await moveIntoPlace(remote, { from: temporary, to: path, content }, options);
    await retrying(options, () => remote.client.deleteFile(path, withSignal(options)));
  } catch (error) {
    if (left === path) await removeTemporary(remote, path, {});
    await removeTemporary(remote, temporary, options);
    throw error;
  }
}
