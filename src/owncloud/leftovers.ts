import { messageOf, throwIfCancelled } from '../errors.ts';
import { allEnded } from '../parallel/all-ended.ts';
import { removeLeftover } from './confirmed-writes.ts';
import type { Endpoint } from './endpoint.ts';
import { listFolder, type RemoteEntry } from './list-folder.ts';
import type { RemoteOptions } from './options.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';

/** Whoever still works on something that is older has run for longer than an upload takes. */
const LEAST_AGE_MS = 24 * 3_600_000;

/** What names of unfinished uploads hold: the repository, as far as names allow, and the run. `undefined` outside of GitHub. */
export function markOf(repository: string | undefined, run: string | undefined): string | undefined {
  return repository && run && /^\d+$/.test(run) ? `${ownerMark(repository)}${run}` : undefined;
}

function ownerMark(repository: string): string {
  return `${repository.replaceAll(/[^A-Za-z0-9.]+/g, '-').slice(0, 40)}-`;
}

/** The folder in which a server collects the pieces of an upload. */
export function chunkFolder(mark: string | undefined, random: string): string {
  return `diatom-actions-${mark === undefined ? '' : `${mark}-`}${random}`;
}

/** What tries out whether a folder can be written to. */
export function trialName(mark: string | undefined, random: string): string {
  return `diatom-actions-write-check-${mark === undefined ? '' : `${mark}-`}${random}.txt`;
}

export interface LeftoverSearch {
  /** Below the remote's root. One that does not exist is empty. */
  readonly folders: readonly string[];
  readonly repository: string | undefined;
  readonly now: Date;
}

/**
 * Deletes what killed runs of a repository have left on the server: pieces of uploads, and in `folders` files under
 * temporary names and trial files. Nothing younger than 24 hours, nothing whose age the server does not tell. What fails is no reason to fail.
 *
 * @returns names of what was deleted
 */
export async function removeLeftovers(
  remote: Remote,
  { folders, repository, now }: LeftoverSearch,
  options: RemoteOptions,
): Promise<string[]> {
  if (!repository || remote.access !== 'full') return [];
  const own = ownerMark(repository).replaceAll('.', '\\.');
  const pieces = new RegExp(`^diatom-actions-${own}\\d+-[0-9a-f]{32}$`);
  const random = '\\d+-[0-9a-f]{8}';
  const files = new RegExp(`\\.uploading-${own}${random}$|^diatom-actions-write-check-${own}${random}\\.txt$`);
  const isOld = ({ modified }: RemoteEntry) =>
    modified !== undefined && now.getTime() - modified.getTime() > LEAST_AGE_MS;
  const [removed, removedPieces]: [string[], string[]] = [[], []];
  const clean = async (place: Endpoint, below: string, isOurs: (entry: RemoteEntry) => boolean, done: string[]) => {
    for (const entry of (await listFolder(place, below, options)) ?? []) {
      if (!isOurs(entry) || !isOld(entry)) continue;
      if (await removeLeftover(place, remotePath(below, entry.name))) done.push(entry.name);
    }
  };
  const isFile = ({ name, type }: RemoteEntry) => type === 'file' && files.test(name);
  const isPieces = ({ name, type }: RemoteEntry) => type === 'directory' && pieces.test(name);
  const cleanUploads = async () => {
    const { chunking } = await remote.ways();
    if (chunking) await clean(chunking.uploads, '', isPieces, removedPieces);
  };
  try {
    await allEnded([...folders.map((folder) => clean(remote, folder, isFile, removed)), cleanUploads()]);
  } catch (error) {
    throwIfCancelled(options.signal);
    options.onWarning?.(
      `What earlier runs may have left at ${remote.rootUrl.host} was not looked for: ${messageOf(error)}`,
    );
  }
  return [...removed, ...removedPieces];
}
