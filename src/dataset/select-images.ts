import { compareCodePoints } from '../text/code-points.ts';
import { type ClassFolder, classFolders } from './class-folders.ts';
import { takesEveryFolder } from './file-list.ts';
import type { FileListEntry } from './file-list-entry.ts';
import { findFolder, foldersOf } from './find-folder.ts';
import { isSystemFile } from './system-files.ts';

/** What is known of a file in a zip from the zip's directory alone. */
export interface ZippedFile {
  /** Path inside the zip, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** Why files of a zip are not in the data set. */
export type LeftOutReason =
  | 'system file'
  | 'not an image'
  | 'empty'
  | 'outside the folder'
  | 'duplicate'
  | 'broken image';

export interface LeftOut {
  readonly reason: LeftOutReason;
  readonly zipName: string;
  readonly path: string;
  /** What is wrong with it, as the rest of “it …”. */
  readonly detail?: string;
}

/** What is asked for of a zip. */
export type WantedFolder = Pick<
  FileListEntry,
  'explodedFolderName' | 'speciesLabel' | 'classes' | 'nTest' | 'umPerPixel'
>;

/** The images of one label in one zip: those of a folder that an entry of the file list asks for. */
export interface SelectedFolder<File extends ZippedFile> {
  readonly entry: WantedFolder;
  readonly label: string;
  /** As the zip spells it, `''` for the whole zip. */
  readonly folder: string;
  /** In code-point order of their paths. */
  readonly images: File[];
  /** What lies in the folder and is no image by its ending. */
  readonly others: LeftOut[];
}

/** What the entries of one zip ask for. */
export interface Selection<File extends ZippedFile> {
  /** In the order of the entries; of one that takes every folder, in code-point order. */
  readonly folders: readonly SelectedFolder<File>[];
  /** Each file once. */
  readonly leftOut: LeftOut[];
  readonly warnings: string[];
}

/** Whether a path ends like an image; `extensions` are lower-case, without the dot. */
export function isImagePath(path: string, extensions: ReadonlySet<string>): boolean {
  return !isSystemFile(path) && extensions.has(extensionOf(path));
}

/** The part after the last dot of a path's last name, lower-case; `''` without one. */
export function extensionOf(path: string): string {
  return /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
}

/**
 * Chooses the images of all entries of one zip: the files below their folders whose names end like images. Everything
 * else is counted with a reason.
 *
 * @throws DiatomError `FILE_LIST` when a folder is not in the zip, or can't be a class
 */
export function selectImages<File extends ZippedFile>(
  files: readonly File[],
  entries: readonly WantedFolder[],
  { zipName, extensions }: { readonly zipName: string; readonly extensions: ReadonlySet<string> },
): Selection<File> {
  const { folders, warnings } = findFolders(files, entries, { zipName, extensions });
  const byFolder = Map.groupBy(folders, ({ folder }) => folder);
  const leftOut: LeftOut[] = [];
  for (const file of files) {
    const one = (reason: LeftOutReason): LeftOut => ({ reason, zipName, path: file.path });
    if (isSystemFile(file.path)) {
      leftOut.push(one('system file'));
      continue;
    }
    const holding = foldersAbove(file.path).flatMap((folder) => byFolder.get(folder) ?? []);
    if (!extensions.has(extensionOf(file.path))) {
      const other = one('not an image');
      leftOut.push(other);
      for (const { others } of holding) others.push(other);
    } else if (holding.length === 0) leftOut.push(one('outside the folder'));
    else if (file.bytes === 0) leftOut.push(one('empty'));
    else for (const { images } of holding) images.push(file);
  }
  for (const { folder, images } of folders) {
    images.sort((a, b) => compareCodePoints(a.path, b.path));
    if (images.length > 0) continue;
    const place = folder === '' ? 'the zip' : `the folder “${folder}”`;
    warnings.push(`${zipName}: no image was found in ${place}.`);
  }
  return { folders, leftOut, warnings };
}

function findFolders<File extends ZippedFile>(
  files: readonly File[],
  entries: readonly WantedFolder[],
  { zipName, extensions }: { readonly zipName: string; readonly extensions: ReadonlySet<string> },
) {
  const candidates = files.filter(({ path }) => !isSystemFile(path));
  const folders = foldersOf(candidates.map(({ path }) => path));
  const warnings: string[] = [];
  const found = entries.map((entry): ClassFolder[] => {
    if (takesEveryFolder(entry)) return [];
    const { folder, warning } = findFolder(entry.explodedFolderName, folders, zipName);
    if (warning !== undefined) warnings.push(warning);
    return [{ folder, label: entry.speciesLabel }];
  });
  const taken = new Set(found.flatMap((own) => own.map(({ folder }) => folder)));
  for (const [index, entry] of entries.entries()) {
    if (!takesEveryFolder(entry)) continue;
    const contents = {
      zipName,
      folders,
      files: candidates.map(({ path }) => ({
        path,
        ending: extensionOf(path),
        isImage: isImagePath(path, extensions),
      })),
    };
    const classes = classFolders(entry, contents, taken);
    found[index] = classes.found;
    warnings.push(...classes.warnings);
    for (const { folder } of classes.found) taken.add(folder);
  }
  const selected = entries.flatMap((entry, index) =>
    (found[index] ?? []).map((own): SelectedFolder<File> => ({ ...own, entry, images: [], others: [] })),
  );
  return { folders: selected, warnings };
}

/** Those that a file lies in, `''` among them. */
function foldersAbove(path: string): string[] {
  const above = [''];
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) above.push(path.slice(0, end));
  return above;
}
