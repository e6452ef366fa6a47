import { DiatomError } from '../errors.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { EVERY } from './file-list.ts';
import type { FileListEntry } from './file-list-entry.ts';
import { findFolder } from './find-folder.ts';
import { isCompanion } from './other-files.ts';
import { foldName, toSafeName, whyUnsafeName } from './safe-name.ts';

/** A folder whose images have one label. */
export interface ClassFolder {
  /** As the zip spells it, `''` for the whole zip. */
  readonly folder: string;
  readonly label: string;
}

/** What a zip holds, system files left aside. */
export interface ZipContents {
  readonly zipName: string;
  readonly folders: readonly string[];
  /** All files, by path, with their endings. */
  readonly files: readonly { readonly path: string; readonly ending: string; readonly isImage: boolean }[];
}

/** Folders of these names are parts of a split, and no classes. */
const SPLIT_NAMES = new Set(['train', 'training', 'test', 'testing', 'val', 'valid', 'validation', 'dev', 'eval']);

/** How many names an error lists. */
const LISTED = 20;

/**
 * The folders that an entry with a star takes, each a class: those at the top of the zip, or where there is but one, below
 * it; with `folder/*` those right below that folder. Folders that hold only what accompanies images are no classes.
 *
 * @param taken the folders of other entries of the zip, which this one leaves to them
 * @throws DiatomError `FILE_LIST` when there are none, when a name can't be a label, or when `classes` names another folder
 */
export function classFolders(
  entry: Pick<FileListEntry, 'explodedFolderName' | 'classes'>,
  contents: ZipContents,
  taken: ReadonlySet<string>,
): { readonly found: ClassFolder[]; readonly warnings: string[] } {
  const { zipName } = contents;
  const { top, children, warnings } = placeOfClasses(entry.explodedFolderName, contents);
  if (children.length === 0) throw noFolders(top, contents);
  const named = nameClasses(entry.classes ?? new Map(), children, zipName);
  if (!named.some(({ isGiven }) => isGiven)) requireNoSplit(zipName, children);
  requireLabels(zipName, named);
  const beside = contents.files.filter(({ path, isImage }) => isImage && parentOf(path) === top);
  if (beside.length > 0) {
    const shown = beside.slice(0, 3).map(({ path }) => path);
    warnings.push(
      `${zipName}: images beside the folders of classes are left out: ${beside.length} (${shown.join(', ')}${beside.length > shown.length ? ', …' : ''}).`,
    );
  }
  return { found: named.filter(({ folder }) => !taken.has(folder)), warnings };
}

/** The folder whose children are classes, and these. */
function placeOfClasses(wanted: string, { zipName, folders, files }: ZipContents) {
  const parents = new Map<string, Set<string>>();
  const withImages = new Set<string>();
  for (const { path, ending, isImage } of files) {
    if (isCompanion(ending)) continue;
    if (isImage) withImages.add(parentOf(path));
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      const siblings = parents.get(parentOf(folder)) ?? new Set();
      parents.set(parentOf(folder), siblings);
      siblings.add(folder);
    }
  }
  const below = (folder: string) => [...(parents.get(folder) ?? [])].sort(compareCodePoints);
  if (wanted !== EVERY) {
    const { folder: top, warning } = findFolder(wanted.slice(0, -`/${EVERY}`.length), folders, zipName);
    return { top, children: below(top), warnings: warning === undefined ? [] : [warning] };
  }
  let top = '';
  for (;;) {
    const children = below(top);
    const [only = ''] = children;
    const inner = below(only).length;
    // A class may have folders of its own, beside its images.
    const isClass = inner === 0 || (withImages.has(only) && inner < 2);
    if (children.length !== 1 || isClass) return { top, children, warnings: [] };
    top = only;
  }
}

/** Labels of folders: those that were given, or their names. */
function nameClasses(
  given: ReadonlyMap<string, string>,
  folders: readonly string[],
  zipName: string,
): (ClassFolder & { readonly isGiven: boolean })[] {
  const labels = new Map([...given].map(([folder, label]) => [foldName(folder.replace(/\/$/, '')), label]));
  const unused = new Map([...given].map(([folder]) => [foldName(folder.replace(/\/$/, '')), folder]));
  const named = folders.map((folder) => {
    const keys = [foldName(folder), foldName(nameOf(folder))];
    const key = keys.find((one) => labels.has(one)) ?? '';
    unused.delete(key);
    const label = (labels.get(key) ?? nameOf(folder)).normalize('NFC');
    return { folder, label, isGiven: labels.has(key) };
  });
  if (unused.size === 0) return named;
  throw new DiatomError(
    'FILE_LIST',
    `${zipName}: “classes” names ${list([...unused.values()])}, and no folder that “*” takes has that name. It takes ${list(folders)}.`,
  );
}

function requireLabels(zipName: string, named: readonly (ClassFolder & { readonly isGiven: boolean })[]): void {
  const unsafe = named.filter(({ label, isGiven }) => !isGiven && whyUnsafeName(label) !== undefined);
  if (unsafe.length === 0) return;
  const told = unsafe.slice(0, LISTED).map(({ label }) => `- “${label}” ${whyUnsafeName(label)}`);
  const proposed = Object.fromEntries(
    unsafe.map(({ label }) => [label, toSafeName(label.replace(/[\s.]+$/, '').slice(0, 100))]),
  );
  throw new DiatomError(
    'FILE_LIST',
    [
      `${zipName}: ${unsafe.length === 1 ? 'a folder has a name that is' : `${unsafe.length} folders have names that are`} not safe for a class:`,
      ...told,
      `Write into the entry which labels you want, such as "classes": ${JSON.stringify(proposed)}. In a CSV list, add a line for each with the same file_url, the folder as exploded_folder_name and its species_label.`,
    ].join('\n'),
  );
}

function requireNoSplit(zipName: string, folders: readonly string[]): void {
  if (!folders.every((folder) => SPLIT_NAMES.has(foldName(nameOf(folder))))) return;
  const each = folders.map((folder) => `“${folder}/*”`).join(' and ');
  throw new DiatomError(
    'FILE_LIST',
    `${zipName}: the folders that “*” takes are ${list(folders)}: parts of a split, and no classes. If the classes are the folders below, write an entry for each of them, with exploded_folder_name ${each}.`,
  );
}

function noFolders(top: string, { zipName, files }: ZipContents): DiatomError {
  const where = top === '' ? 'the zip' : `its folder “${top}”`;
  const has = files.length === 0 ? 'nothing' : list(files.map(({ path }) => path));
  const zips = files.some(({ ending }) => ending === 'zip')
    ? ' Zips inside a zip are not unpacked: give each an entry of its own in the file list, or zip the folders themselves.'
    : '';
  return new DiatomError(
    'FILE_LIST',
    `${zipName}: exploded_folder_name “*” takes every folder as a class, and ${where} has no folder with images. It has ${has}.${zips}`,
  );
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('/') + 1);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => `“${name}”`);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
