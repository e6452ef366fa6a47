import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { invalidInput } from '../runner/inputs.ts';
import { requireInsideWorkspace } from '../runner/inside-workspace.ts';
import { type FolderLock, LOCK, type LockOptions, takeFolder } from './folder-lock.ts';
import { keptNames } from './kept-downloads.ts';

/** Marks a folder as made by this action: only such a folder is ever emptied. */
const MARKER = '.diatom-actions';
const MARKER_TEXT =
  'This folder was made by the action “Prepare a diatom data set”. The next run deletes what is in downloads and results.\n';

const OWN_FOLDERS = ['downloads', 'results'];

const isOwnFile = (name: string) => name === MARKER || name === LOCK || name.startsWith(`${LOCK}.`);

export interface DataDir {
  readonly path: string;
  readonly downloads: string;
  readonly results: string;
}

/**
 * Checks that a run may use the data folder, and changes nothing.
 *
 * @param path absolute
 * @throws DiatomError `INPUT` when it lies outside the workspace, is the workspace, or holds files of somebody else
 */
export async function checkDataDir(path: string, workspace: string): Promise<void> {
  await requireInsideWorkspace('data-dir', path, workspace);
  const found = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw invalidInput('data-dir', path, 'a folder', { cause: error });
  });
  const isOwn = found.some((entry) => entry.name === MARKER && entry.isFile());
  // A link of one of our names leads to what is somebody else's.
  const foreign = found
    .filter((entry) => !isOwn || !(OWN_FOLDERS.includes(entry.name) ? entry.isDirectory() : isOwnFile(entry.name)))
    .map(({ name }) => name);
  if (foreign.length > 0) {
    throw new DiatomError(
      'INPUT',
      `Input data-dir: the folder ${path} holds files that this action did not make (${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? ' …' : ''}), and a run would have to empty it. Choose another folder, or move them away.`,
    );
  }
}

/**
 * Takes the data folder for a run, and creates it where it is missing.
 *
 * @throws DiatomError as `checkDataDir` does, `INPUT` when another run uses it, and `DISK` when it can't be written
 */
export async function lockDataDir(path: string, workspace: string, options: LockOptions): Promise<FolderLock> {
  await checkDataDir(path, workspace);
  try {
    await markFolder(path);
    return await takeFolder(path, options);
  } catch (error) {
    throw diskFailure('write', path, error);
  }
}

/** The marker comes first: a run that ends right after it must not leave a folder that the next one refuses. */
async function markFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, MARKER), MARKER_TEXT);
}

/**
 * Makes the data folder ready for a run: creates it, or empties it when an earlier run made it. Downloads of a run that did
 * not come to its end stay, so that they can be taken up.
 *
 * @param keepDownloads leaves those that are whole, too
 * @param keepResults leaves the results of an earlier run, for one that makes none
 * @throws DiatomError as `checkDataDir` does, and `DISK` when it can't be written
 */
export async function openDataDir(
  path: string,
  workspace: string,
  {
    keepResults = false,
    keepDownloads = true,
  }: { readonly keepResults?: boolean; readonly keepDownloads?: boolean } = {},
): Promise<DataDir> {
  await checkDataDir(path, workspace);
  const dataDir = { path, downloads: join(path, 'downloads'), results: join(path, 'results') };
  try {
    await markFolder(path);
    if (!keepResults) await rm(dataDir.results, { recursive: true, force: true });
    await mkdir(dataDir.downloads, { recursive: true });
    await mkdir(dataDir.results, { recursive: true });
    const kept = keepDownloads ? await keptNames(dataDir.downloads) : new Set();
    for (const name of await readdir(dataDir.downloads)) {
      if (!/\.part(\.json)?$/.test(name) && !kept.has(name))
        await rm(join(dataDir.downloads, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw diskFailure('write', path, error);
  }
  return dataDir;
}
