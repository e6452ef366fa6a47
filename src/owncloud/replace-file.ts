import { isStored, moveUntilThere, putVerified, removeTemporary, textContent } from './confirmed-writes.ts';
import { lookUpIfThere } from './look-up.ts';
import { type RemoteOptions, withSignal } from './options.ts';
import type { Remote } from './remote.ts';

export interface FileReplacement {
  /** From the remote's root, beginning with `/`. */
  readonly path: string;
  /** A path that nobody else uses, on which the text is stored first. */
  readonly temporary: string;
  readonly text: string;
}

/**
 * Stores a text in place of a file, or where there is none yet: under a temporary name, compared there, and then moved
 * over the old one, so that whoever reads it sees the one or the other whole.
 *
 * @throws DiatomError `OWNCLOUD` or `NETWORK`: the file is as it was, or is the new one
 */
export async function replaceText(
  remote: Remote,
  { path, temporary, text }: FileReplacement,
  options: RemoteOptions,
): Promise<void> {
  const content = textContent(text);
  const { client } = remote;
  const hasMoved = async () =>
    (await isStored(remote, path, content, options)) &&
    (await lookUpIfThere(client, temporary, options.signal)) === undefined;
  const move = () => client.moveFile(temporary, path, { overwrite: true, ...withSignal(options) });
  try {
    await putVerified(remote, temporary, content, options);
    await moveUntilThere(remote, { to: path, move, hasMoved, patienceMs: 0 }, options);
  } catch (error) {
    await removeTemporary(remote, temporary, options);
    throw error;
  }
}
