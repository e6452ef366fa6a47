import { createHash } from 'node:crypto';
import { isCompressedFormat } from '../archive/compressed-formats.ts';
import { openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import { addEndings, type Ending, endingWarnings, requireImages } from '../dataset/endings.ts';
import type { FileListEntry } from '../dataset/file-list.ts';
import { createGallery, type Gallery } from '../dataset/gallery.ts';
import { isIncompleteNote, MAX_NOTE_BYTES, requireComplete } from '../dataset/incomplete-notes.ts';
import type { NTest } from '../dataset/n-test.ts';
import type { PlanSource } from '../dataset/plan.ts';
import { extensionOf, isImagePath, type LeftOut, type Selection, selectImages } from '../dataset/select-images.ts';
import { DiatomError } from '../errors.ts';
import type { DownloadingZip } from './download-zips.ts';
import type { Line } from './line.ts';

/** A zip whose images were selected; the zip itself may still be on its way. */
export interface Source extends PlanSource {
  /** Of the zip, where known before it is here. */
  readonly zipBytes: number | undefined;
  /** Of its images, unpacked. */
  readonly imageBytes: number;
  /** Of those of its images that their format does not compress already, as far as names tell. */
  readonly looseBytes: number;
  /**
   * The zip once it is here; begins its download where that waits for it.
   *
   * @throws DiatomError what its download fails with
   */
  readonly downloaded: () => Promise<DownloadedZip>;
  /**
   * The zip and its images: where possible while it still comes, else once all of it is here.
   *
   * @param whole whether all of it has to be here
   * @throws DiatomError as `downloaded`; `DOWNLOAD` when it is not the zip that was selected from
   */
  readonly open: (options: { readonly whole: boolean }) => Promise<OpenSource>;
}

export interface DownloadedZip {
  readonly path: string;
  /** Of the zip, in hexadecimal. */
  readonly sha256: string;
}

/** A zip that can be read, as far as it is here. What is read before it is whole may be wrong. */
export interface OpenSource {
  /** In code-point order of their paths. */
  readonly images: readonly ZipEntry[];
  /** Of the file as far as it is here. */
  path(): string;
  /** Waits until so many bytes are here. @throws DiatomError as `downloaded` */
  reach(bytes: number): Promise<void>;
  /**
   * Waits for all of it.
   *
   * @throws DiatomError as `downloaded`; `DOWNLOAD` when it is not the zip that was selected from
   */
  whole(): Promise<DownloadedZip>;
}

/** A smaller zip is waited for: it is here soon. */
const LARGE_BYTES = 32 * 2 ** 20;

/**
 * What the directories tell. Of single images only what is needed is kept, a few bytes each: a list may have a million.
 */
export interface Selections {
  readonly sources: readonly Source[];
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  /** Whether another image of the list agrees with this one in CRC-32 and size. */
  readonly isAlike: (image: ZipEntry) => boolean;
  readonly gallery: Gallery;
  /** The images of each source, where they were to be kept. */
  readonly images: readonly (readonly ZipEntry[])[] | undefined;
}

/**
 * Selects the images of all zips by their directories alone: those on the servers where they can be read, so that a zip
 * can be worked on as soon as it is here, whatever is still on its way.
 *
 * @throws DiatomError `ZIP` for one that is damaged or unsafe, `FILE_LIST` for one without the folder asked for,
 *   `DATA_SET` for a label without an image; what a download fails with
 */
export async function selectSources(
  fileList: readonly FileListEntry[],
  zips: readonly DownloadingZip[],
  options: {
    readonly imageExtensions: readonly string[];
    readonly nTest: NTest;
    readonly keepImages: boolean;
    /** What the data set goes on with, where sides are kept. */
    readonly line?: Line | undefined;
  },
): Promise<Selections> {
  const extensions = new Set(options.imageExtensions);
  const [leftOut, warnings]: [LeftOut[], string[]] = [[], []];
  const gallery = createGallery(fileList.map(({ speciesLabel }) => speciesLabel));
  const kept: (readonly ZipEntry[])[] = [];
  const found: (Omit<Source, 'alikeCount'> & { readonly prints: Float64Array })[] = [];
  const others = new Map<string, Map<string, Ending>>();
  for (const [index, entry] of fileList.entries()) {
    const zip = zips[index];
    if (!zip) throw new Error('A file list entry without a download');
    const { downloadedFileName: zipName, speciesLabel: label, explodedFolderName: folder } = entry;
    const select = (entries: readonly ZipEntry[]) => selectImages(entries, { zipName, folder, extensions });
    const open = { name: zipName, accept: (path: string) => isImagePath(path, extensions) };
    const { selection, zipBytes, ...later } = await selectAhead(zip, {
      open,
      select,
      keepImages: options.keepImages,
      isPinned: entry.sha256 !== undefined,
    });
    leftOut.push(...selection.leftOut);
    warnings.push(...selection.warnings);
    const endings = others.get(label) ?? new Map<string, Ending>();
    others.set(label, endings);
    addEndings(
      endings,
      selection.others.map(({ path }) => ({ ending: extensionOf(path), place: `${zipName}: ${path}` })),
    );
    const { images } = selection;
    options.line?.comparison?.see(label, images);
    if (options.keepImages) kept.push(images);
    found.push({
      ...later,
      zipBytes,
      zipName,
      label,
      folder: selection.folder,
      nTest: entry.nTest ?? options.nTest,
      imageCount: images.length,
      knownCount: options.line?.known.count(images),
      imageBytes: sumOf(images),
      looseBytes: sumOf(images.filter(({ path }) => !isCompressedFormat(path))),
      prints: Float64Array.from(images, printOf),
    });
  }
  const labels = [...others].map(([label, endings]) => {
    const own = found.filter((source) => source.label === label);
    const images = own.reduce((sum, { imageCount }) => sum + imageCount, 0);
    return { label, images, others: [...endings.values()], zipNames: own.map(({ zipName }) => zipName) };
  });
  requireImages(labels, options.imageExtensions);
  warnings.push(...endingWarnings(labels, options.imageExtensions));
  const alike = severalTimes(found.map(({ prints }) => prints));
  return {
    sources: found.map(({ prints, ...source }) => ({
      ...source,
      alikeCount: prints.reduce((count, print) => count + (alike.has(print) ? 1 : 0), 0),
    })),
    leftOut,
    warnings,
    gallery,
    isAlike: (image) => alike.has(printOf(image)),
    images: options.keepImages ? kept : undefined,
  };
}

function sumOf(images: readonly ZipEntry[]): number {
  return images.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** CRC-32 and size in one exact number: 32 and 21 bits. That two others meet there costs a look, no more. */
function printOf({ crc32, bytes }: ZipEntry): number {
  return crc32 * 2 ** 21 + (bytes % 2 ** 21);
}

/** The numbers that occur more than once. */
function severalTimes(lists: readonly Float64Array[]): Set<number> {
  const all = new Float64Array(lists.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const list of lists) {
    all.set(list, end);
    end += list.length;
  }
  all.sort();
  return new Set(all.filter((print, index) => all[index - 1] === print));
}

interface SelectedAhead extends Pick<Source, 'zipBytes' | 'downloaded' | 'open'> {
  readonly selection: Selection<ZipEntry>;
}

/** From the server or from the file, whichever comes first. What is wrong with a zip is said of the file. */
async function selectAhead(
  { begin, file, remote, part, reach }: DownloadingZip,
  {
    open: options,
    select,
    keepImages,
    isPinned,
  }: {
    readonly open: Parameters<typeof openZip>[1];
    readonly select: (entries: readonly ZipEntry[]) => Selection<ZipEntry>;
    readonly keepImages: boolean;
    /** Whether the list says what the zip's SHA-256 is. */
    readonly isPinned: boolean;
  },
): Promise<SelectedAhead> {
  const downloaded = async () => {
    begin();
    const { path, sha256 } = await file;
    return { path, sha256 };
  };
  let here: string | undefined;
  file.then(
    ({ path }) => {
      here = path;
    },
    () => undefined,
  );
  const readEntries = async () => {
    const zip = await openZip((await downloaded()).path, options);
    await zip.close();
    return zip.entries;
  };
  const readAhead = () => Promise.race([readRemote(remote, options), file.then(() => undefined)]);
  const ahead = await readAhead();
  const entries = ahead?.entries ?? (await readEntries());
  await readNotes(entries, options, downloaded);
  const zipBytes = ahead?.zipBytes ?? (await file).bytes;
  const selection = select(entries);
  const directory = digestOf(entries);
  // The images themselves are kept only where they have to be the same objects.
  const keep = keepImages ? selection.images : undefined;
  const imagesOf = (now: readonly ZipEntry[]) => keep ?? select(now).images;
  /** All entries once the zip is here. */
  const check = async () => {
    const now = await readEntries();
    if (digestOf(now) !== directory) throw hasChanged(options.name);
    return now;
  };
  // What was read of a download that then began anew agrees with what came in the end by CRC-32 and size: whoever gives a
  // SHA-256 asks for more.
  const isEarly = !isPinned && ahead !== undefined && zipBytes >= LARGE_BYTES;

  async function open({ whole }: { readonly whole: boolean }): Promise<OpenSource> {
    begin();
    const early = isEarly && !whole && here === undefined ? await readAhead() : undefined;
    if (early && digestOf(early.entries) === directory) {
      let checked: Promise<DownloadedZip> | undefined;
      return {
        images: imagesOf(early.entries),
        path: () => here ?? part,
        reach,
        whole: () => (checked ??= check().then(downloaded)),
      };
    }
    const images = imagesOf(await check());
    const { path } = await downloaded();
    return { images, path: () => path, reach: async () => undefined, whole: downloaded };
  }
  return { selection, zipBytes, downloaded, open };
}

/** Looks into the files in which some servers say what they left out: for them, the zip is waited for. */
async function readNotes(
  entries: readonly ZipEntry[],
  { name }: Parameters<typeof openZip>[1],
  downloaded: () => Promise<DownloadedZip>,
): Promise<void> {
  const notes = entries.filter(({ path, bytes }) => isIncompleteNote(path) && bytes <= MAX_NOTE_BYTES);
  if (notes.length === 0) return;
  const zip = await openZip((await downloaded()).path, { name, accept: isIncompleteNote });
  try {
    for (const note of notes) requireComplete(name, note.path, (await zip.read(note)).toString('utf8'));
  } finally {
    await zip.close();
  }
}

/** @returns `undefined` for a zip that can't be read on its server */
async function readRemote(remote: DownloadingZip['remote'], open: Parameters<typeof openZip>[1]) {
  const content = await remote;
  const entries = content && (await readZipEntries(content, open).catch(() => undefined));
  return entries && { entries, zipBytes: content.length };
}

/** So many characters are digested at a time. */
const DIGESTED_LENGTH = 2 ** 16;

/** The same for two directories that describe the same files at the same places. */
function digestOf(entries: readonly ZipEntry[]): string {
  const hash = createHash('sha256');
  let text = '';
  for (const { path, crc32, bytes, headerOffset } of entries) {
    // In paths, control characters were replaced.
    text += `${path}\n${crc32} ${bytes} ${headerOffset}\n`;
    if (text.length < DIGESTED_LENGTH) continue;
    hash.update(text);
    text = '';
  }
  return hash.update(text).digest('hex');
}

function hasChanged(zipName: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `${zipName} was changed on its server while it was downloaded: run again, when nobody works on it any more.`,
  );
}
