import { DiatomError } from '../errors.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { foldName } from './safe-name.ts';

export interface FoundFolder {
  /** The folder as the zip spells it, `''` for the whole zip. */
  readonly folder: string;
  /** Set when the zip does not hold exactly the folder that was asked for. */
  readonly warning: string | undefined;
}

/** How many folders an error lists before it says how many more there are. */
const LISTED_FOLDERS = 20;

/**
 * Finds the folder of a file list entry among the folders of its zip: as it is written; else in another case or Unicode
 * form; else below other folders (`Hannaea` is found as `export/Hannaea`). The whole zip is asked for with `.`.
 *
 * @throws DiatomError `FILE_LIST` when there is none, or more than one that fits equally well; it lists the folders
 */
export function findFolder(wanted: string, folders: readonly string[], zipName: string): FoundFolder {
  if (wanted === '.') return { folder: '', warning: undefined };
  if (folders.includes(wanted)) return { folder: wanted, warning: undefined };

  const folded = foldName(wanted);
  const tests: ((folder: string) => boolean)[] = [
    (folder) => foldName(folder) === folded,
    (folder) => folder.endsWith(`/${wanted}`),
    (folder) => foldName(folder).endsWith(`/${folded}`),
  ];
  for (const test of tests) {
    const fitting = folders.filter(test);
    const [only] = fitting;
    if (only !== undefined && fitting.length === 1) {
      return { folder: only, warning: `${zipName}: the folder “${wanted}” was found as “${only}”.` };
    }
    if (fitting.length > 1) {
      throw new DiatomError(
        'FILE_LIST',
        `${zipName}: the folder “${wanted}” fits more than one folder of the zip: ${list(fitting)}. Write the one you mean as exploded_folder_name, in full.`,
      );
    }
  }
  const has =
    folders.length === 0
      ? 'The zip has no folders; if its files at the top are meant, write “.”'
      : `The zip has: ${list(folders)}`;
  throw new DiatomError('FILE_LIST', `${zipName}: the zip has no folder “${wanted}” (exploded_folder_name). ${has}.`);
}

/** Every folder on the way to one of the paths. */
export function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      folders.add(path.slice(0, end));
  }
  return [...folders].sort(compareCodePoints);
}

function list(folders: readonly string[]): string {
  const shown = folders.slice(0, LISTED_FOLDERS).map((folder) => `“${folder}”`);
  const more = folders.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
