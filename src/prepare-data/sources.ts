import { createHash } from 'node:crypto';
import { type OpenZip, openZip, type ZipEntry } from '../archive/open-zip.ts';
import type { FileListEntry } from '../dataset/file-list.ts';
import type { NTest } from '../dataset/n-test.ts';
import { fingerprintOf, type PlanSource } from '../dataset/plan.ts';
import { isImagePath, type LeftOut, selectImages } from '../dataset/select-images.ts';
import { throwIfCancelled } from '../errors.ts';

/** A downloaded zip whose images were selected. */
export interface Source extends PlanSource<ZipEntry> {
  readonly zip: OpenZip;
  /** Path of the downloaded file. */
  readonly path: string;
  /** Of the zip, in hexadecimal. */
  readonly sha256: string;
}

export interface OpenSources {
  readonly sources: readonly Source[];
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/** What is known of a zip once it is downloaded. */
export interface DownloadedZip {
  readonly entry: FileListEntry;
  readonly path: string;
  readonly sha256: string;
}

/** An entry larger than this is not held in memory. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

/**
 * Opens the downloaded zips and selects their images, by their directories alone.
 *
 * @throws DiatomError `ZIP` for one that is damaged or unsafe, `FILE_LIST` for one without the folder asked for
 */
export async function openSources(
  zips: readonly DownloadedZip[],
  options: { readonly imageExtensions: readonly string[]; readonly nTest: NTest },
): Promise<OpenSources> {
  const extensions = new Set(options.imageExtensions);
  const opened: OpenZip[] = [];
  const close = async () => {
    await Promise.all(opened.map((zip) => zip.close()));
  };
  const [sources, leftOut, warnings]: [Source[], LeftOut[], string[]] = [[], [], []];
  try {
    for (const { entry, path, sha256 } of zips) {
      const zipName = entry.downloadedFileName;
      const zip = await openZip(path, { name: zipName, accept: (file) => isImagePath(file, extensions) });
      opened.push(zip);
      const selection = selectImages(zip.entries, { zipName, folder: entry.explodedFolderName, extensions });
      leftOut.push(...selection.leftOut);
      warnings.push(...selection.warnings);
      const { images, folder } = selection;
      const nTest = entry.nTest ?? options.nTest;
      sources.push({ zip, path, sha256, zipName, label: entry.speciesLabel, folder, nTest, images });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { sources, leftOut, warnings, close };
}

/**
 * Finds out which images are identical. Only those that agree in CRC-32 and size can be, so only those are read.
 *
 * @returns for an image that was read, a text that is equal for identical images and for no others
 */
export async function identifyContents(
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<(image: ZipEntry) => string | undefined> {
  const [seen, alike] = [new Set<string>(), new Set<string>()];
  for (const image of sources.flatMap(({ images }) => images)) {
    const fingerprint = fingerprintOf(image);
    if (seen.has(fingerprint)) alike.add(fingerprint);
    else seen.add(fingerprint);
  }
  const contents = new Map<ZipEntry, string>();
  for (const { zip, images } of sources) {
    for (const image of images) {
      if (!alike.has(fingerprintOf(image))) continue;
      throwIfCancelled(signal);
      contents.set(image, await hashEntry(zip, image));
    }
  }
  return (image) => contents.get(image);
}

async function hashEntry(zip: OpenZip, entry: ZipEntry): Promise<string> {
  const hash = createHash('sha256');
  if (entry.bytes <= MAX_BUFFERED_BYTES) hash.update(await zip.read(entry));
  else for await (const piece of zip.stream(entry)) hash.update(piece);
  return hash.digest('hex');
}
