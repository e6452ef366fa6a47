import { createHash } from 'node:crypto';
import { type OpenZip, openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import type { FileListEntry } from '../dataset/file-list.ts';
import type { NTest } from '../dataset/n-test.ts';
import { fingerprintOf, type PlanSource } from '../dataset/plan.ts';
import { isImagePath, type LeftOut, selectImages } from '../dataset/select-images.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import type { DownloadingZip } from './download-zips.ts';

/** A zip whose images were selected; the zip itself may still be on its way. */
export interface Source extends PlanSource<ZipEntry> {
  /** Of the zip, where known before it is here. */
  readonly zipBytes: number | undefined;
  /**
   * The zip once it is here; begins its download where that waits for it.
   *
   * @throws DiatomError what its download fails with; `DOWNLOAD` when it is not the zip that was planned with
   */
  readonly downloaded: () => Promise<DownloadedZip>;
}

export interface DownloadedZip {
  readonly path: string;
  /** Of the zip, in hexadecimal. */
  readonly sha256: string;
}

export interface Selections {
  readonly sources: readonly Source[];
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
}

/** An entry larger than this is not held in memory. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

/**
 * Selects the images of all zips by their directories alone: those on the servers where they can be read, so that a zip
 * can be worked on as soon as it is here, whatever is still on its way.
 *
 * @throws DiatomError `ZIP` for one that is damaged or unsafe, `FILE_LIST` for one without the folder asked for; what a
 *   download fails with
 */
export async function selectSources(
  fileList: readonly FileListEntry[],
  zips: readonly DownloadingZip[],
  options: { readonly imageExtensions: readonly string[]; readonly nTest: NTest },
): Promise<Selections> {
  const extensions = new Set(options.imageExtensions);
  const [sources, leftOut, warnings]: [Source[], LeftOut[], string[]] = [[], [], []];
  for (const [index, entry] of fileList.entries()) {
    const zip = zips[index];
    if (!zip) throw new Error('A file list entry without a download');
    const zipName = entry.downloadedFileName;
    const open = { name: zipName, accept: (path: string) => isImagePath(path, extensions) };
    const { entries, downloaded, zipBytes } = await readEntries(zip, open);
    const { images, folder, ...selection } = selectImages(entries, {
      zipName,
      folder: entry.explodedFolderName,
      extensions,
    });
    leftOut.push(...selection.leftOut);
    warnings.push(...selection.warnings);
    const nTest = entry.nTest ?? options.nTest;
    sources.push({ downloaded, zipBytes, zipName, label: entry.speciesLabel, folder, nTest, images });
  }
  return { sources, leftOut, warnings };
}

interface ReadEntries {
  readonly zipBytes: number | undefined;
  readonly entries: readonly ZipEntry[];
  readonly downloaded: () => Promise<DownloadedZip>;
}

/** From the server or from the file, whichever comes first. What is wrong with a zip is said of the file. */
async function readEntries(
  { begin, file, remote }: DownloadingZip,
  open: Parameters<typeof openZip>[1],
): Promise<ReadEntries> {
  const read = async () => {
    begin();
    const { path, sha256, bytes } = await file;
    const zip = await openZip(path, open);
    await zip.close();
    return { entries: zip.entries, zipBytes: bytes, zip: { path, sha256 } };
  };
  const ahead = await Promise.race([readAhead(remote, open), file.then(() => undefined)]);
  if (!ahead) {
    const { zip, ...found } = await read();
    return { ...found, downloaded: async () => zip };
  }
  const check = async () => {
    const { entries, zip } = await read();
    if (!isSame(ahead.entries, entries)) throw hasChanged(open.name);
    return zip;
  };
  let checked: Promise<DownloadedZip> | undefined;
  const downloaded = () => {
    checked ??= check();
    return checked;
  };
  return { ...ahead, downloaded };
}

/** @returns `undefined` for a zip that can't be read on its server */
async function readAhead(
  remote: DownloadingZip['remote'],
  open: Parameters<typeof openZip>[1],
): Promise<Omit<ReadEntries, 'downloaded'> | undefined> {
  const content = await remote;
  const entries = content && (await readZipEntries(content, open).catch(() => undefined));
  return entries && { entries, zipBytes: content.length };
}

function isSame(planned: readonly ZipEntry[], found: readonly ZipEntry[]): boolean {
  if (planned.length !== found.length) return false;
  return planned.every((entry, index) => {
    const other = found[index];
    return (
      other?.path === entry.path &&
      other.crc32 === entry.crc32 &&
      other.bytes === entry.bytes &&
      other.headerOffset === entry.headerOffset
    );
  });
}

function hasChanged(zipName: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `${zipName} was changed on its server while it was downloaded: run again, when nobody works on it any more.`,
  );
}

/**
 * Finds out which images are identical. Only those that agree in CRC-32 and size can be, so only those are read, as soon
 * as their zip is here.
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
  for (const { downloaded, zipName, images } of sources) {
    const candidates = images.filter((image) => alike.has(fingerprintOf(image)));
    if (candidates.length === 0) continue;
    const zip = await openZip((await downloaded()).path, { name: zipName, accept: () => false });
    try {
      for (const image of candidates) {
        throwIfCancelled(signal);
        contents.set(image, await hashEntry(zip, image));
      }
    } finally {
      await zip.close();
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
