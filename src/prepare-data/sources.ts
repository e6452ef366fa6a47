import type { ZipEntry } from '../archive/open-zip.ts';
import type { FileListEntry } from '../dataset/file-list-entry.ts';
import { createGallery, type Gallery } from '../dataset/gallery.ts';
import type { NTest } from '../dataset/n-test.ts';
import { oncePerZip } from '../dataset/one-zip.ts';
import { addEndings, type Ending, endingWarnings, requireImages } from '../dataset/other-files.ts';
import type { PlanSource } from '../dataset/plan-types.ts';
import { foldName } from '../dataset/safe-name.ts';
import { extensionOf, type LeftOut, selectImages } from '../dataset/select-images.ts';
import { DiatomError } from '../errors.ts';
import { isCompressedImage } from '../image/formats.ts';
import type { DownloadingZip } from './download-zips.ts';
import type { Line } from './line.ts';
import { type OpenSource, type SelectedZip, selectZip } from './selected-zip.ts';

/** A folder of a zip whose images were selected; the zip itself may still be on its way. */
export interface Source
  extends PlanSource,
    Pick<FileListEntry, 'umPerPixel'>,
    Pick<SelectedZip, 'zipBytes' | 'downloaded'> {
  /** Of its images, unpacked. */
  readonly imageBytes: number;
  /** Of those of its images that their format does not compress already, as far as names tell. */
  readonly looseBytes: number;
  /** Whether it is the last one of its zip in the list: those of one zip follow each other. */
  readonly isLastOfZip: boolean;
  /** As `SelectedZip` opens its folders. */
  readonly open: (options: { readonly whole: boolean }) => Promise<OpenSource>;
}

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
  const kept: (readonly ZipEntry[])[] = [];
  const found: (Omit<Source, 'alikeCount'> & { readonly prints: Float64Array })[] = [];
  const others = new Map<string, Map<string, Ending>>();
  for (const { downloadedFileName: zipName, sha256 } of oncePerZip(fileList, nameOfZip)) {
    const zip = zips[fileList.findIndex((entry) => nameOfZip(entry) === zipName)];
    if (!zip) throw new Error('A file list entry without a download');
    const entries = fileList.filter((entry) => nameOfZip(entry) === zipName);
    const { selection, open, ...later } = await selectZip(zip, {
      // Which entries are wanted, the selection tells.
      open: { name: zipName, accept: () => false },
      select: (files) => selectImages(files, entries, { zipName, extensions }),
      keepImages: options.keepImages,
      isPinned: sha256 !== undefined,
    });
    leftOut.push(...selection.leftOut);
    warnings.push(...selection.warnings);
    for (const [index, { entry, label, folder, images, others: besides }] of selection.folders.entries()) {
      const endings = others.get(label) ?? new Map<string, Ending>();
      others.set(label, endings);
      addEndings(
        endings,
        besides.map(({ path }) => ({ ending: extensionOf(path), place: `${zipName}: ${path}` })),
      );
      options.line?.comparison?.see(label, images);
      if (options.keepImages) kept.push(images);
      found.push({
        ...later,
        zipName,
        label,
        folder,
        nTest: entry.nTest ?? options.nTest,
        umPerPixel: entry.umPerPixel,
        isLastOfZip: index === selection.folders.length - 1,
        open: (how) => open(index, how),
        imageCount: images.length,
        knownCount: options.line?.known.count(images),
        imageBytes: sumOf(images),
        looseBytes: sumOf(images.filter(({ path }) => !isCompressedImage(path))),
        prints: Float64Array.from(images, printOf),
      });
    }
  }
  requireOneSpelling(found);
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
    gallery: createGallery(found.map(({ label }) => label)),
    isAlike: (image) => alike.has(printOf(image)),
    images: options.keepImages ? kept : undefined,
  };
}

function nameOfZip({ downloadedFileName }: FileListEntry): string {
  return downloadedFileName;
}

/** Labels that differ only in case would be one folder on some machines; the list's own were compared when it was read. */
function requireOneSpelling(sources: readonly Pick<Source, 'label' | 'zipName'>[]): void {
  const first = new Map<string, Pick<Source, 'label' | 'zipName'>>();
  for (const source of sources) {
    const earlier = first.get(foldName(source.label)) ?? source;
    first.set(foldName(source.label), earlier);
    if (earlier.label === source.label) continue;
    throw new DiatomError(
      'FILE_LIST',
      `The labels “${earlier.label}” (${earlier.zipName}) and “${source.label}” (${source.zipName}) differ only in upper and lower case: give the folder its label in “classes”.`,
    );
  }
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
