import { DiatomError, throwIfCancelled } from '../errors.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from '../http/retry.ts';
import { lookUpIfThere } from './look-up.ts';
import { moveFolder } from './move-folder.ts';
import { type RemoteOptions, retrying } from './options.ts';
import type { Remote } from './remote.ts';
import { remoteFolder } from './remote-path.ts';

/** Paths of folders below the remote's root. `next` and `previous` are names that nobody else uses. */
export interface Replacement {
  readonly folder: string;
  /** What takes the folder's place. */
  readonly next: string;
  /** The name that the replaced folder gets and keeps. */
  readonly previous: string;
  /** Whether `folder` is there, when somebody has just looked. */
  readonly isThere?: boolean | undefined;
}

/**
 * Puts one folder in the place of another by two renames, so that whoever reads it sees the old one or the new one and
 * never a mixture; between the two renames there is none. When the second fails, the first is undone.
 *
 * Once begun it does not stop for a cancelled run, and it waits between tries only briefly: the folder is missing then.
 *
 * @returns whether there was something to replace
 * @throws DiatomError `OWNCLOUD` or `NETWORK`: the old folder is in its place, or the message says how to put it back;
 *   `CANCELLED` before anything is renamed
 */
export async function replaceFolder(
  remote: Remote,
  { folder, next, previous, isThere: known }: Replacement,
  options: RemoteOptions,
): Promise<boolean> {
  const { signal, policy = DEFAULT_RETRY_POLICY, onRetry, onWarning } = options;
  const unstoppable = { policy, onRetry, onWarning };
  const swift = { ...unstoppable, policy: withoutPatience(policy) };
  const replaces = known ?? (await isFolderThere(remote, folder, options));
  throwIfCancelled(signal);
  try {
    if (replaces) await moveFolder(remote, folder, previous, swift);
    await moveFolder(remote, next, folder, swift);
  } catch (error) {
    if (!replaces || (await restored())) throw error;
  }
  return replaces;

  /** @returns whether the old folder is in its place; `false`: the new one is, although the server said otherwise */
  async function restored(): Promise<boolean> {
    try {
      if (await isFolderThere(remote, folder, unstoppable)) return await isFolderThere(remote, next, unstoppable);
      await moveFolder(remote, previous, folder, unstoppable);
      return true;
    } catch (cause) {
      throw new DiatomError(
        'OWNCLOUD',
        `The server ${remote.rootUrl.host} failed in the middle of replacing “${folder}”: there may be no such folder now. What was in it is kept as “${previous}”. Run again, which puts it back first, or rename “${previous}” to “${folder}” by hand.`,
        { cause },
      );
    }
  }
}

/** @throws DiatomError `OWNCLOUD`, `NETWORK`, `CANCELLED` */
export async function isFolderThere(remote: Remote, folder: string, options: RemoteOptions): Promise<boolean> {
  const look = () => lookUpIfThere(remote.client, remoteFolder(folder), options.signal);
  return (await retrying(options, look)) !== undefined;
}

function withoutPatience(policy: RetryPolicy): RetryPolicy {
  return {
    tries: Math.min(policy.tries, 3),
    firstDelayMs: Math.min(policy.firstDelayMs, 500),
    maxDelayMs: Math.min(policy.maxDelayMs, 2_000),
    maxRetryAfterMs: Math.min(policy.maxRetryAfterMs, 5_000),
  };
}
