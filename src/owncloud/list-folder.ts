import { DiatomError } from '../errors.ts';
import type { Endpoint } from './endpoint.ts';
import { PROPERTIES, type RemoteFile, remoteFileOf } from './look-up.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import { remoteFolder } from './remote-path.ts';
import { statusOf } from './webdav-error.ts';

/** A file or folder in a folder. */
export interface RemoteEntry extends RemoteFile {
  readonly name: string;
}

/**
 * What lies in a folder (PROPFIND, Depth 1), in no particular order.
 *
 * @returns `undefined` when there is no such folder
 * @throws DiatomError `OWNCLOUD` when the server refuses or its answer is not WebDAV
 */
export async function listFolder(
  remote: Endpoint,
  folder: string,
  options: RemoteOptions,
): Promise<RemoteEntry[] | undefined> {
  try {
    return await retrying(options, async () => {
      const answer = await remote.client.getDirectoryContents(remoteFolder(folder), {
        details: true,
        data: PROPERTIES,
        headers: { 'content-type': 'application/xml; charset=utf-8' },
        ...withSignal(options),
      });
      const entries = 'data' in answer ? answer.data : answer;
      return entries.map((entry) => ({ name: entry.basename, ...remoteFileOf(entry) }));
    });
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    if (error instanceof DiatomError) throw error;
    throw new DiatomError(
      'OWNCLOUD',
      `The server’s list of the folder “${folder}” is not WebDAV: check whether a proxy or a sign-in page answers in its place.`,
      { cause: error },
    );
  }
}
