import { DiatomError } from '../errors.ts';
import { faultOf, verifiedBy } from './confirmed-writes.ts';
import { listFolder } from './list-folder.ts';
import type { RemoteOptions } from './options.ts';
import { digestRemote } from './read-file.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';

/** A file that a folder should hold. Digests are hexadecimal, lower case. */
export interface ExpectedFile {
  readonly name: string;
  readonly sha256: string;
  /** Known for what was uploaded in this run: then a sum that the server made itself spares reading it back. */
  readonly stored?: { readonly bytes: number; readonly sha1: string } | undefined;
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
  const found = new Map((await listFolder(remote, folder, options))?.map((entry) => [entry.name, entry]));
  const faults: string[] = [];
  for (const { name, sha256, stored } of files) {
    const entry = found.get(name);
    if (entry?.type !== 'file') {
      faults.push(`${name} is missing`);
      continue;
    }
    const fault = stored && faultOf(entry, stored, remote);
    if (fault !== undefined) faults.push(`${name}: ${fault}`);
    else if (!stored || verifiedBy(entry, remote) !== 'checksum') {
      const { sha256: sum } = await digestRemote(remote, remotePath(folder, name), options);
      if (sum !== sha256) faults.push(`${name} has the SHA-256 ${sum}, expected is ${sha256}`);
    }
  }
  if (faults.length === 0) return;
  throw new DiatomError(
    'OWNCLOUD',
    `The folder “${folder}” at ${remote.rootUrl.host} does not hold what it should: ${faults.join('; ')}.`,
  );
}
