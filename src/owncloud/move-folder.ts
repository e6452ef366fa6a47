import { DiatomError } from '../errors.ts';
import { lookUpIfThere } from './look-up.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { remoteFolder } from './remote-path.ts';
import { judgeWebdav, statusOf } from './webdav-error.ts';

/**
 * Renames a folder on the server, in one request. Nothing is ever overwritten. A move may have worked although its answer
 * got lost: what counts is that `to` is there and `from` is not, so `from` should be a name that nobody else uses.
 *
 * @throws DiatomError `OWNCLOUD` when `to` exists already or the server refuses
 */
export async function moveFolder(remote: Remote, from: string, to: string, options: RemoteOptions): Promise<void> {
  const [source, target] = [remoteFolder(from), remoteFolder(to)];
  const isThere = async (path: string) => (await lookUpIfThere(remote.client, path, options.signal)) !== undefined;
  const hasMoved = async () => (await isThere(target)) && !(await isThere(source));
  await retrying(options, async (number) => {
    if (number > 1 && (await hasMoved())) return;
    try {
      await remote.client.moveFile(source, target, { overwrite: false, ...withSignal(options) });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      if (!judgeWebdav(error).retry && (await hasMoved())) return;
      if (statusOf(error) !== 412) throw error;
      throw new DiatomError(
        'OWNCLOUD',
        `“${from}” at ${remote.rootUrl.host} could not be renamed to “${to}”: something with that name is already there.`,
        { cause: error },
      );
    }
  });
}
