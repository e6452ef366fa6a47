import { takesEveryFolder } from '../dataset/file-list.ts';
import { oncePerZip } from '../dataset/one-zip.ts';
import { askedAtOnce, probeDownload } from '../download/probe.ts';
import { formatBytes, formatCount } from '../format.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { type Finding, find } from '../runner/findings.ts';
import type { Inputs } from './inputs.ts';
import { type FoundLabel, labelsOfZip } from './labels-of-zip.ts';
import type { LastArchive } from './last-archive.ts';
import type { RunContext } from './run-context.ts';

/** How many labels of a zip a sentence names. */
const SHOWN_LABELS = 20;

/** What zips tell before they are downloaded. */
export interface SeenZips {
  readonly findings: readonly Finding[];
  /** Of each zip; `undefined` where its server does not tell. */
  readonly sizes: readonly (number | undefined)[];
  readonly labels: ReadonlySet<string>;
  /** How many images of a label zips hold whose directories were seen. */
  readonly images: ReadonlyMap<string, number>;
  /** Whether there are zips whose directories were not seen, so that labels may have more images. */
  readonly isPartly: boolean;
  /** The number of those among them whose folders are labels, so that there may be more labels. */
  readonly open: number;
}

/** Looks at every address by its first bytes, at folders and labels by the zips' directories where servers show these. */
export async function checkZips(inputs: Inputs, context: Pick<RunContext, 'http' | 'signal'>): Promise<SeenZips> {
  const fileList = oncePerZip(inputs.fileList, ({ downloadedFileName }) => downloadedFileName);
  const named = inputs.fileList.filter((entry) => !takesEveryFolder(entry));
  const labels = new Set(named.map(({ speciesLabel }) => speciesLabel));
  const sizes = new Map<string, number>();
  const images = new Map<string, number>();
  const unseen = new Set(fileList.map(({ downloadedFileName }) => downloadedFileName));
  const open = new Set(inputs.fileList.filter(takesEveryFolder).map(({ downloadedFileName }) => downloadedFileName));
  const zips = await mapParallel(fileList, askedAtOnce(inputs.concurrency), (entry) =>
    find(entry.downloadedFileName, context.signal, async () => {
      const { bytes } = await probeDownload(entry.fileUrl, context);
      if (bytes !== undefined) sizes.set(entry.downloadedFileName, bytes);
      const had =
        bytes === undefined
          ? 'can be downloaded; the server does not tell its size'
          : `can be downloaded, ${formatBytes(bytes)}`;
      const found = await labelsOfZip(entry, inputs, context);
      if (!found) return had;
      unseen.delete(entry.downloadedFileName);
      for (const one of found) {
        labels.add(one.label);
        images.set(one.label, (images.get(one.label) ?? 0) + one.images);
      }
      return open.delete(entry.downloadedFileName) ? `${had}. Its folders: ${labelsWithImages(found)}` : had;
    }),
  );
  const isPartly = unseen.size > 0;
  const empty = isPartly ? [] : [...labels].filter((label) => !images.get(label));
  const sentence = `${formatCount(fileList.length, 'zip')}, ${labelsSentence(labels.size, open.size)}`;
  const list = {
    subject: 'File list',
    ok: empty.length === 0,
    sentence:
      empty.length === 0 ? sentence : `${sentence}; no image of ${empty.map((label) => `“${label}”`).join(', ')}`,
  };
  return {
    findings: [list, ...zips],
    sizes: fileList.map(({ downloadedFileName }) => sizes.get(downloadedFileName)),
    labels,
    images,
    isPartly,
    open: open.size,
  };
}

/** The same of zips that are those of the last archive, of which nothing need be read. */
export function standingZips({ record }: LastArchive): SeenZips {
  const zips = oncePerZip(record.entries, ({ zip }) => zip);
  const classes = Object.entries(record.classes);
  const sentence = `${formatCount(zips.length, 'zip')}, ${formatCount(classes.length, 'label')}: nothing is new, all zips and options are those of “${record.archive.name}”`;
  return {
    findings: [{ subject: 'File list', ok: true, sentence }],
    sizes: zips.map(({ bytes }) => bytes),
    labels: new Set(classes.map(([label]) => label)),
    images: new Map(classes.map(([label, { train, test }]) => [label, train + test])),
    isPartly: false,
    open: 0,
  };
}

/** Labels and their numbers of images, of a zip that takes every folder. */
function labelsWithImages(found: readonly FoundLabel[]): string {
  const shown = found.slice(0, SHOWN_LABELS).map(({ label, images }) => `${label} (${formatCount(images, 'image')})`);
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  return `${shown.join(', ')}${more}`;
}

/** What every folder of a zip is named, only the zip tells, and not every server shows it without the whole zip. */
function labelsSentence(labels: number, open: number): string {
  const folders = `the folders of ${formatCount(open, 'zip')}`;
  if (open === 0) return formatCount(labels, 'label');
  return labels === 0 ? `a label for each of ${folders}` : `${formatCount(labels, 'label')} and ${folders}`;
}
