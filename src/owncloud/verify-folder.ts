import { DiatomError } from '../errors.ts';
import { mapAllEnded } from '../parallel/all-ended.ts';
import { faultOf, trustsSums, verifiedBy } from './confirmed-writes.ts';
import { listFolder } from './list-folder.ts';
import { type RemoteOptions, SIDE_BY_SIDE } from './options.ts';
import { digestRemote } from './read-file.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';
import { statusOf } from './webdav-error.ts';

/** A file that a folder should hold. Digests are hexadecimal, lower case. */
export interface ExpectedFile {
  readonly name: string;
  readonly sha256: string;
  /** Known for what was uploaded in this run, where the server makes sums: then its own spares reading the file back. */
  readonly stored?: { readonly bytes: number; readonly uploadSum: string } | undefined;
}

/**
 * Compares a folder with what it should hold, by content: with the server's own checksum where there is one that can be
 * trusted, else by reading the file back. Further files are not looked at.
 *
 * @throws DiatomError `OWNCLOUD` naming every file that is missing or differs
 */
export async function verifyFolder(
  remote: Remote,
  folder: string,
  files: readonly ExpectedFile[],
  options: RemoteOptions,
): Promise<void> {
  const isAsked = trustsSums(remote) && files.some(({ stored }) => stored);
  const entries = isAsked ? ((await listFolder(remote, folder, options)) ?? []) : [];
  const found = new Map(entries.map((entry) => [entry.name, entry]));
  const read = await mapAllEnded(files, SIDE_BY_SIDE, async ({ name, sha256, stored }) => {
    if (isAsked && stored) {
      const entry = found.get(name);
      if (entry?.type !== 'file') return `${name} is missing`;
      const fault = faultOf(entry, stored, remote);
      if (fault !== undefined) return `${name}: ${fault}`;
      if (verifiedBy(entry, remote) === 'checksum') return undefined;
    }
    const sum = await sumOf(remotePath(folder, name));
    if (sum === undefined) return `${name} is missing`;
    return sum === sha256 ? undefined : `${name} has the SHA-256 ${sum}, expected is ${sha256}`;
  });
  const faults = read.filter((fault) => fault !== undefined);
  if (faults.length === 0) return;
  throw new DiatomError(
    'OWNCLOUD',
    `The folder “${folder}” at ${remote.rootUrl.host} does not hold what it should: ${faults.join('; ')}.`,
  );

  async function sumOf(path: string): Promise<string | undefined> {
    try {
      return (await digestRemote(remote, path, options)).sha256;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}
