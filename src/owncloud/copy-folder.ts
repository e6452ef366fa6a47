import { removeTemporary } from './confirmed-writes.ts';
import { listFolder } from './list-folder.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { remoteFolder } from './remote-path.ts';

/**
 * Copies a folder on the server with all that is in it (COPY, Depth infinity), without its bytes coming along here. What
 * the copy holds has still to be compared: servers differ in what they do when a copy goes wrong in the middle.
 *
 * @param newName a name for the copy, another one at each call: a failed attempt may have left, or may still be writing,
 *   some of it under the name before
 * @returns the name of the copy
 * @throws DiatomError `OWNCLOUD` when the server refuses
 */
export async function copyFolder(
  remote: Remote,
  from: string,
  newName: () => string,
  options: RemoteOptions,
): Promise<string> {
  let begun: string | undefined;
  try {
    return await retrying(options, async () => {
      if (begun !== undefined) {
        // A proxy may have given up on the answer while the server went on copying.
        if (await haveSameFiles(remote, from, begun, options)) return begun;
        await removeTemporary(remote, remoteFolder(begun), options);
      }
      begun = newName();
      await remote.client.copyFile(remoteFolder(from), remoteFolder(begun), {
        overwrite: false,
        ...withSignal(options),
      });
      return begun;
    });
  } catch (error) {
    if (begun !== undefined) await removeTemporary(remote, remoteFolder(begun), options);
    throw error;
  }
}

async function haveSameFiles(remote: Remote, left: string, right: string, options: RemoteOptions): Promise<boolean> {
  const [one, other] = await Promise.all(
    [left, right].map(async (folder) => {
      const entries = await listFolder(remote, folder, options);
      return entries?.map(({ name, type, size }) => `${type} ${size} ${name}`).sort();
    }),
  );
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
