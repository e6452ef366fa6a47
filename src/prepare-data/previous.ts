import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { archiveOf, runNameOf, sidesNameOf } from '../dataset/archive-names.ts';
import { type KnownImage, parseSides, sidesOfEntries, sidesOfManifest } from '../dataset/sides.ts';
import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import type { ArchiveFolder, ListedArchive } from '../owncloud/archive-folder.ts';
import type { PreviousInput } from './inputs.ts';
import type { PreviousPlace } from './previous-place.ts';
import { parseRecord, type RunRecord } from './run-record.ts';

/** The data set before, whose images keep their sides. */
export interface Base {
  /** The archive's file name, or the path that was given. */
  readonly name: string;
  /** The path of the archive that the sides belong to; `undefined` for a manifest. */
  readonly archive: string | undefined;
  readonly images: readonly KnownImage[];
  /** From what that archive was made, where that is known. */
  readonly record: RunRecord | undefined;
  readonly warnings: readonly string[];
}

export interface PreviousOptions {
  readonly previous: PreviousInput;
  readonly place: PreviousPlace;
  /** What the folder of the archives holds; `undefined` where there is none. */
  readonly folder: ArchiveFolder | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds the data set before and reads the sides of its images. What can't be read is never treated as empty: images that
 * models were tested on could come into training.
 *
 * @returns `undefined` for the first data set of its line
 * @throws DiatomError `INPUT` when there is nothing at the path given; what reading throws, with what to do
 */
export async function resolvePrevious(options: PreviousOptions): Promise<Base | undefined> {
  const { previous, place, folder, signal } = options;
  if (previous === 'none') return undefined;
  if (previous !== 'auto') {
    const path = place.pathOf(previous.path);
    return explaining(previous.path, signal, () => readBase(place, path, { name: previous.path }));
  }
  const base = folder && newestOf(folder);
  const deleted = folder?.deleted.find((path) => !base || posix.basename(path) > base.name);
  if (deleted !== undefined) return baseOfDeleted(place, deleted, signal);
  if (!base) return undefined;
  const { name, path, sides } = base;
  const withoutSides = folder.archives.filter((archive) => archive.name >= name && !archive.sides);
  await explaining(name, signal, () => requireNoneLost(place, withoutSides));
  const newer = folder.archives.filter((archive) => archive.name > name).map((archive) => archive.name);
  const warnings = newer.map(
    (other) => `“${other}” is newer than “${name}”, but was not made with split: keep: its sides are not followed.`,
  );
  return explaining(name, signal, async () => ({
    ...(await readBase(place, path, { name, hasSides: sides !== undefined })),
    warnings,
  }));
}

/** Somebody has deleted an archive, as to save space, whose images have been drawn already. */
async function baseOfDeleted(place: PreviousPlace, path: string, signal: AbortSignal): Promise<Base> {
  const name = sidesNameOf(posix.basename(path));
  const base = await explaining(name, signal, () => readBase(place, sidesNameOf(path), { name }));
  return {
    ...base,
    warnings: [`The archive of “${name}” is not there any more. Its images keep their sides anyway.`],
  };
}

/** The archive of a folder that the next one follows on, when nobody names another. */
export function newestOf({ archives }: ArchiveFolder): ListedArchive | undefined {
  return archives.find(({ sides }) => sides) ?? archives[0];
}

/** @throws DiatomError `DATA_SET` when an archive was stored with its sides, and they are not there any more */
async function requireNoneLost(place: PreviousPlace, withoutSides: readonly ListedArchive[]): Promise<void> {
  for (const { name, path, run } of withoutSides) {
    const record = run && (await readRecord(place, path));
    if (!record?.sides) continue;
    throw new DiatomError(
      'DATA_SET',
      `“${name}” was made with split: keep, but its file ${sidesNameOf(name)} is not there any more. Bring it back, as from the server’s trash bin. When it is lost, give the archive’s path ${path} as input previous for one run: what is in it keeps its side, but images that are gone are forgotten.`,
    );
  }
}

/**
 * @param name for people
 * @param hasSides whether a sides file is known to lie beside the archive; otherwise one is looked for
 */
async function readBase(
  place: PreviousPlace,
  path: string,
  { name, hasSides }: { readonly name: string; readonly hasSides?: boolean },
): Promise<Base> {
  const isArchive = path.endsWith('.zip');
  const archive = isArchive ? path : archiveOf(path);
  const record = archive === undefined ? undefined : await readRecord(place, archive);
  const sidesPath = isArchive ? sidesNameOf(path) : path;
  const text = hasSides === false ? undefined : await place.readText(sidesPath);
  if (text === undefined && (hasSides || !isArchive)) throw nothingThere(place, sidesPath);
  const images = text === undefined ? await imagesOfArchive(place, path) : imagesOf(text, sidesPath, record);
  if (images.length === 0) throw new DiatomError('DATA_SET', `${sidesPath} names no image: it is damaged.`);
  return { name, archive, images, record, warnings: [] };
}

async function imagesOfArchive(place: PreviousPlace, path: string): Promise<KnownImage[]> {
  const entries = await place.readEntries(path);
  if (!entries) throw nothingThere(place, path);
  return sidesOfEntries(
    entries.map((entry) => ({ ...entry, isFolder: false })),
    path,
  );
}

function imagesOf(text: string, path: string, record: RunRecord | undefined): KnownImage[] {
  if (!/^\uFEFF?sha256,/.test(text)) return sidesOfManifest(text, path);
  const images = parseSides(text, path);
  const expected = record?.sides?.sha256;
  if (expected === undefined || expected === createHash('sha256').update(text).digest('hex')) return images;
  throw new DiatomError('DATA_SET', `${path} is not what was stored: its SHA-256 is another than ${expected}.`);
}

/** @returns `undefined` for a record that is missing or of no use: then everything counts as new */
async function readRecord(place: PreviousPlace, archive: string): Promise<RunRecord | undefined> {
  const path = runNameOf(archive);
  const text = await place.readText(path);
  if (text === undefined) return undefined;
  try {
    return parseRecord(text, path);
  } catch {
    return undefined;
  }
}

function nothingThere({ where }: PreviousPlace, path: string): DiatomError {
  return new DiatomError('INPUT', `There is no file ${path} ${where}.`);
}

/** Says for any failure what it means for the run. */
export async function explaining<T>(what: string, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throwIfCancelled(signal);
    if (!(error instanceof DiatomError)) throw error;
    throw new DiatomError(
      error.code,
      `The sides of the images before (split: keep) can’t be read from “${what}”: ${messageOf(error)}\nNothing was downloaded: without them, images that models were tested on could come into training. Run again when they can be read, or name another archive, sides file or manifest as input previous. Only previous: none begins a new line of data sets.`,
      { cause: error },
    );
  }
}
