import { archiveOf, isArchiveName, runNameOf, sidesNameOf } from '../dataset/archive-names.ts';
import { DiatomError } from '../errors.ts';
import { requireUsableFolder } from './ensure-folder.ts';
import { listFolder, type RemoteEntry } from './list-folder.ts';
import type { RemoteOptions } from './options.ts';
import type { Remote } from './remote.ts';
import { folderParts, remotePath } from './remote-path.ts';

/** An archive and the files beside it, as the server lists them. */
export interface ListedArchive {
  readonly name: string;
  /** From the remote's root, beginning with `/`. */
  readonly path: string;
  /** `undefined` when the server does not say. */
  readonly bytes: number | undefined;
  readonly sides: RemoteEntry | undefined;
  readonly run: RemoteEntry | undefined;
}

/** The archives of one prefix in a folder. */
export interface ArchiveFolder {
  /** The newest first. */
  readonly archives: readonly ListedArchive[];
  /** Names of archives that are not there, though files beside them are: unfinished, or deleted except for these. */
  readonly missing: readonly string[];
  /** Paths of those of them that were finished, as both files beside them are there; the newest first. */
  readonly deleted: readonly string[];
}

/**
 * Lists the archives of a prefix. A folder that does not exist has none, where its absence is certain: the folder above
 * it can be listed and has none of that name.
 *
 * @throws DiatomError `OWNCLOUD` when the folder can't be listed; `INPUT` for a public link that shows nothing
 */
export async function listArchives(
  remote: Remote,
  { folder, prefix }: { readonly folder: string; readonly prefix: string },
  options: RemoteOptions,
): Promise<ArchiveFolder> {
  requireUsableFolder(remote, folder);
  if (remote.access === 'upload-only') {
    throw new DiatomError(
      'INPUT',
      'The public link in owncloud-url only takes files and does not show them: share the folder with permission to view, too.',
    );
  }
  const entries = await listFolder(remote, folder, options);
  if (entries === undefined) await requireAbsence(remote, folder, options);
  const files = new Map(entries?.flatMap((entry) => (entry.type === 'file' ? [[entry.name, entry]] : [])));
  const archives = [...files.values()]
    .filter(({ name }) => isArchiveName(name, prefix))
    .map(({ name, size }) => ({
      name,
      path: remotePath(folder, name),
      bytes: size,
      sides: files.get(sidesNameOf(name)),
      run: files.get(runNameOf(name)),
    }))
    .sort((a, b) => (a.name < b.name ? 1 : -1));
  const besides = [...files.keys()].flatMap((name) => archiveOf(name) ?? []);
  const missing = [...new Set(besides)].filter((name) => isArchiveName(name, prefix) && !files.has(name));
  const deleted = missing
    .filter((name) => files.has(sidesNameOf(name)) && files.has(runNameOf(name)))
    .sort()
    .reverse()
    .map((name) => remotePath(folder, name));
  return { archives, missing, deleted };
}

/** Some servers answer 404 for what one may not see, so the folder above has to be seen. */
async function requireAbsence(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  const parts = folderParts(folder);
  for (let depth = parts.length - 1; depth >= 0; depth--) {
    const above = await listFolder(remote, parts.slice(0, depth).join('/'), options);
    if (above === undefined) continue;
    const name = parts[depth];
    if (!above.some((entry) => entry.name === name)) return;
    throw new DiatomError(
      'OWNCLOUD',
      `The server ${remote.rootUrl.host} lists “${name}”, but says that it does not exist when asked what is in it: check whether the account may read that folder.`,
    );
  }
  throw new DiatomError(
    'OWNCLOUD',
    `At ${remote.rootUrl.host} neither the folder “${folder}” nor one above it can be listed: check owncloud-url.`,
  );
}
