import { DiatomError } from '../errors.ts';
import { removeLeftover, temporaryPath } from '../owncloud/confirmed-writes.ts';
import { ensureFolder, isAddOnly } from '../owncloud/ensure-folder.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { removeFolder } from '../owncloud/remove-folder.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { uploadGrowing } from '../owncloud/upload-growing.ts';
import { type CheckpointPlace, NOTE_FILE } from './checkpoint-place.ts';

/** A folder in ownCloud that keeps a checkpoint. Files go there in pieces where the server takes pieces. */
export function owncloudCheckpoints(remote: Remote, folder: string, options: RemoteOptions): CheckpointPlace {
  const notePath = remotePath(folder, NOTE_FILE);
  const remove = async (name: string) => void (await removeLeftover(remote, remotePath(folder, name)));
  return {
    name: `the folder “${folder}” at ${remote.rootUrl.host}`,
    remove,
    list: async () => ((await listFolder(remote, folder, options)) ?? []).map(({ name }) => name),
    async store({ path, bytes, uploadSum, sha256 }) {
      if (isAddOnly(remote, await ensureFolder(remote, folder, options))) {
        throw new DiatomError(
          'OWNCLOUD',
          `In “${folder}” at ${remote.rootUrl.host} this account may add files and not delete them, so that checkpoints would pile up there. Use an account that may, or set checkpoint-minutes: 0.`,
        );
      }
      const source = { path, reach: async () => bytes, complete: Promise.resolve({ bytes, uploadSum, sha256 }) };
      await uploadGrowing(remote, { source, folder, name: sha256 }, options);
    },
    fetch: (sha256, target) => saveRemote(remote, remotePath(folder, sha256), target, options),
    readNote: () => readText(remote, notePath, options),
    writeNote: (text) =>
      replaceText(remote, { path: notePath, temporary: temporaryPath(notePath, remote.mark), text }, options),
    async removeAll() {
      await remove(NOTE_FILE);
      await removeFolder(remote, folder, options);
    },
  };
}
