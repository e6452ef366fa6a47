import { compareCodePoints } from '../code-points.ts';
import { findFolder } from './find-folder.ts';
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

export interface Selection<File extends ZippedFile> {
  /** In code-point order of their paths. */
  readonly images: File[];
  readonly leftOut: LeftOut[];
  /** Those of them that lie in the folder and are no image by their ending. */
  readonly others: readonly LeftOut[];
  readonly warnings: string[];
  /** The folder as the zip spells it, `''` for the whole zip. */
  readonly folder: string;
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
 * Chooses the images of one file list entry: the files below its folder whose names end like images. Everything else
 * is counted with a reason.
 *
 * @throws DiatomError `FILE_LIST` when the folder is not in the zip
 */
export function selectImages<File extends ZippedFile>(
  files: readonly File[],
  options: { readonly zipName: string; readonly folder: string; readonly extensions: ReadonlySet<string> },
): Selection<File> {
  const { zipName, extensions } = options;
  const candidates = files.filter(({ path }) => !isSystemFile(path));
  const { folder, warning } = findFolder(
    options.folder,
    candidates.map(({ path }) => path),
    zipName,
  );
  const images: File[] = [];
  const leftOut: LeftOut[] = [];
  for (const file of files) {
    const reason = whyLeftOut(file, folder, extensions);
    if (reason === undefined) images.push(file);
    else leftOut.push({ reason, zipName, path: file.path });
  }
  images.sort((a, b) => compareCodePoints(a.path, b.path));
  const warnings = warning === undefined ? [] : [warning];
  if (images.length === 0) {
    const place = folder === '' ? 'the zip' : `the folder “${folder}”`;
    warnings.push(`${zipName}: no image was found in ${place}.`);
  }
  const others = leftOut.filter(({ reason, path }) => reason === 'not an image' && isInFolder(path, folder));
  return { images, leftOut, others, warnings, folder };
}

function isInFolder(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

function whyLeftOut(file: ZippedFile, folder: string, extensions: ReadonlySet<string>): LeftOutReason | undefined {
  if (isSystemFile(file.path)) return 'system file';
  if (!extensions.has(extensionOf(file.path))) return 'not an image';
  if (!isInFolder(file.path, folder)) return 'outside the folder';
  if (file.bytes === 0) return 'empty';
  return undefined;
}
