import { archiveName } from '../dataset/archive-names.ts';
import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { type ArchiveFolder, listArchives } from '../owncloud/archive-folder.ts';
import type { Remote } from '../owncloud/remote.ts';
import { info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';
import { type Base, explaining, resolvePrevious } from './previous.ts';
import { localPlace, remotePlace } from './previous-place.ts';

/** What was made before. */
export interface Previous {
  /** Whose sides are kept; `undefined` for the first data set of a line, and for a split that keeps none. */
  readonly base: Base | undefined;
  /** The archives on the server; `undefined` where there is no server, or it need not be listed and can't. */
  readonly folder: ArchiveFolder | undefined;
  readonly warnings: readonly string[];
}

const NEW_LINE =
  'previous is none: a new line of data sets begins. The sides of all images are drawn again, so what models were tested on before may be trained on now: they can hardly be compared.';
const NO_SERVER =
  'split is keep, but nothing is uploaded, so there is no folder with the data set before: all images count as new. Give the path of an archive, its sides file or a manifest in the workspace as input previous to keep their sides.';

/**
 * Finds the data set before, on the server or in the workspace. Nothing is downloaded before that is known.
 *
 * @param remote `undefined` where the run has no server
 * @throws DiatomError what `resolvePrevious` and listing throw, where sides are to be kept
 */
export async function findPrevious(
  inputs: Pick<Inputs, 'plan' | 'previous' | 'server' | 'archivePrefix' | 'workspace'>,
  remote: Remote | undefined,
  { signal, now }: { readonly signal: AbortSignal; readonly now: Date },
): Promise<Previous> {
  const { previous, server, archivePrefix: prefix, workspace } = inputs;
  const keeps = inputs.plan.split === 'keep';
  if (!keeps && (!remote || remote.access === 'upload-only'))
    return { base: undefined, folder: undefined, warnings: [] };
  const folder = remote && server && (await list(remote, server.folder, { prefix, keeps, previous, signal }));
  if (!keeps) return { base: undefined, folder, warnings: [] };
  if (folder) requireOlder(folder, archiveName(prefix, now));
  const place = remote ? remotePlace(remote, { signal }) : localPlace(workspace);
  const base = await resolvePrevious({ previous, place, folder, signal });
  const warnings = [
    ...(previous === 'none' ? [NEW_LINE] : []),
    ...(previous === 'auto' && !remote ? [NO_SERVER] : []),
    ...(base?.warnings ?? []),
  ];
  // As warnings of the whole run, they come at its end.
  for (const warning of warnings) info(warning);
  if (base) info(`Sides are kept of ${base.images.length} images that “${base.name}” lists.`);
  else info('There is no data set before: every image is new.');
  return { base, folder, warnings };
}

/**
 * The next run looks for the newest archive by the time in its name: one that is stored under an earlier name than
 * another would never be followed, and its test images could come into training.
 *
 * @param name of the archive that is to be made
 */
function requireOlder({ archives }: ArchiveFolder, name: string): void {
  const [newest] = archives;
  // Of the same second is no clock's fault.
  if (!newest || newest.name <= name) return;
  throw new DiatomError(
    'OWNCLOUD',
    `The folder on the server holds “${newest.name}”, but by this machine’s clock the archive of this run would be “${name}”, which is not newer: later runs would not follow on it. Nothing was downloaded. Look whether the clock of this machine is right and run again; when another machine’s clock was wrong, move that archive and the files beside it to another folder, and give its path there as input previous for one run.`,
  );
}

async function list(
  remote: Remote,
  folder: string,
  {
    prefix,
    keeps,
    previous,
    signal,
  }: Pick<Inputs, 'previous'> & { readonly prefix: string; readonly keeps: boolean; readonly signal: AbortSignal },
): Promise<ArchiveFolder | undefined> {
  const listing = () => listArchives(remote, { folder, prefix }, { signal });
  // Other splits need it to find out whether anything is new, and no more.
  if (!keeps) return listing().catch(() => undefined);
  const name = folder === '' ? 'the top folder' : folder;
  if (previous !== 'none') return explaining(name, signal, listing);
  return listing().catch((error: unknown) => {
    throwIfCancelled(signal);
    if (!(error instanceof DiatomError)) throw error;
    throw new DiatomError(
      error.code,
      `With split: keep, “${name}” has to be listed, also where a new line begins (previous: none): the next run has to find what this one stores. ${messageOf(error)}`,
      { cause: error },
    );
  });
}
