import { messageOf, throwIfCancelled } from '../errors.ts';
import { deletingName, SUMS_FILE, sortOut, VERSION_FILE, WEIGHTS_FILE } from '../model/model-folder.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import { type RemoteOptions, SIDE_BY_SIDE } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { removeFolder } from '../owncloud/remove-folder.ts';
import { mapAllEnded } from '../parallel/all-ended.ts';

/** Deletes what runs that were cut short left behind. What can't be deleted is a warning. */
export async function removeUnfinished(
  remote: Remote,
  folder: string,
  names: readonly string[],
  options: RemoteOptions,
): Promise<void> {
  await mapAllEnded(names, SIDE_BY_SIDE, (name) => removeOrWarn(remote, `${folder}/${name}`, options));
}

/**
 * Deletes copies of what was in production before. A copy whose version is not there as a version of its own stays: it may be
 * the only one.
 *
 * @param versions those that are there
 */
export async function removeOlderCopies(
  remote: Remote,
  {
    folder,
    copies,
    versions,
  }: { readonly folder: string; readonly copies: readonly string[]; readonly versions: readonly string[] },
  options: RemoteOptions,
): Promise<void> {
  const remove = async (copy: string) => {
    const version = (await readText(remote, remotePath(`${folder}/${copy}`, VERSION_FILE), options))?.trim();
    if (version === undefined || !versions.includes(version)) return;
    if ((await publishedAt(remote, `${folder}/${version}`, options)) === undefined) return;
    await removeOrWarn(remote, `${folder}/${copy}`, options);
  };
  await mapAllEnded(copies, SIDE_BY_SIDE, remove);
}

/**
 * Deletes the oldest versions. Only whole versions are looked at, so that anything else in the folder stays.
 *
 * @param keep how many of the newest stay
 * @param spared versions that stay in any case: production's, the one before it, the best that was there, this run's
 * @returns the deleted versions, oldest first
 */
export async function removeOldVersions(
  remote: Remote,
  { folder, keep, spared }: { readonly folder: string; readonly keep: number; readonly spared: readonly string[] },
  options: RemoteOptions,
): Promise<string[]> {
  const { versions } = sortOut((await listFolder(remote, folder, options)) ?? []);
  const dated: { readonly name: string; readonly time: number }[] = [];
  let undated = 0;
  const times = await mapAllEnded(versions, SIDE_BY_SIDE, (name) => publishedAt(remote, `${folder}/${name}`, options));
  for (const [index, name] of versions.entries()) {
    const time = times[index];
    if (time instanceof Date) dated.push({ name, time: time.getTime() });
    else if (time === 'no time') undated += 1;
  }
  if (undated > 0) {
    options.onWarning?.(
      `${remote.description} does not say when ${undated} of the versions were stored: keep-versions deletes none of those.`,
    );
  }
  dated.sort((a, b) => b.time - a.time || (a.name < b.name ? 1 : -1));
  const removed: string[] = [];
  for (const { name } of dated.slice(keep).reverse()) {
    if (spared.includes(name)) continue;
    const doomed = `${folder}/${deletingName(name)}`;
    try {
      await moveFolder(remote, `${folder}/${name}`, doomed, options);
    } catch (error) {
      throwIfCancelled(options.signal);
      options.onWarning?.(`The older version ${name} stays: ${messageOf(error)}`);
      continue;
    }
    removed.push(name);
    await removeOrWarn(remote, doomed, options);
  }
  return removed;
}

/** When a version was published; `undefined` for a folder that is not a whole version. */
async function publishedAt(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<Date | 'no time' | undefined> {
  const entries = (await listFolder(remote, folder, options)) ?? [];
  const hasWeights = entries.some(({ name, type }) => name === WEIGHTS_FILE && type === 'file');
  const sums = entries.find(({ name, type }) => name === SUMS_FILE && type === 'file');
  return hasWeights && sums ? (sums.modified ?? 'no time') : undefined;
}

async function removeOrWarn(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  try {
    await removeFolder(remote, folder, options);
  } catch (error) {
    throwIfCancelled(options.signal);
    options.onWarning?.(`The folder “${folder}” is not needed any more and could not be deleted: ${messageOf(error)}`);
  }
}
