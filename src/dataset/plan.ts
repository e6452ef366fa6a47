import { DiatomError } from '../errors.ts';
import { type Group, groupImages, groupOf } from './groups.ts';
import { createNamer } from './layout.ts';
import type { LeftOut } from './select-images.ts';
import { type Split, type SplitSource, splitByHash, splitByShuffle } from './split.ts';

export interface PlanOptions {
  readonly split: 'shuffle' | 'stable';
  readonly seed: string;
  readonly groupBy: RegExp | undefined;
  readonly duplicates: 'keep-together' | 'drop' | 'error';
  readonly labelConflicts: 'error' | 'warn';
}

/** One file list entry with its images, as its zip's directory tells them. */
export interface PlanSource<Image extends PlanImage = PlanImage> extends SplitSource {
  readonly label: string;
  /** The images' folder inside the zip, `''` for the whole zip. */
  readonly folder: string;
  /** In code-point order of their paths. */
  readonly images: readonly Image[];
}

export interface PlanImage {
  /** Path inside the zip. */
  readonly path: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** Where one image goes. */
export interface PlannedImage<Image extends PlanImage = PlanImage> {
  readonly image: Image;
  /** The place of its source in the list. */
  readonly source: number;
  readonly label: string;
  readonly split: Split;
  /** Unique under its label, in train and test together. */
  readonly fileName: string;
  /** What `group-by` keeps it together with, as `groupOf` names it; `undefined` for none. */
  readonly group: string | undefined;
}

export interface Plan<Image extends PlanImage = PlanImage> {
  /** In list order, and code-point order inside a source. */
  readonly images: readonly PlannedImage<Image>[];
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
}

/** How many places an error or warning lists before it says how many more there are. */
const LISTED_PLACES = 10;

/** CRC-32 and size, which a zip's directory tells: only images that agree in both can be identical. */
export function fingerprintOf(image: PlanImage): string {
  return `${image.crc32.toString(16).padStart(8, '0')}:${image.bytes}`;
}

/**
 * Decides for every image which side it goes to and under which name, from the zips' directories alone.
 *
 * @param contentOf equal for two images exactly when their bytes are equal; `undefined` for an image whose fingerprint no
 *   other has
 * @throws DiatomError `DATA_SET` when identical images lie under two labels or are forbidden, or when a label is left
 *   without a training image; `INPUT` when `groupBy` matches nothing or `n-test` does not fit the kind of split
 */
export function planDataset<Image extends PlanImage>(
  sources: readonly PlanSource<Image>[],
  contentOf: (image: Image) => string | undefined,
  options: PlanOptions,
): Plan<Image> {
  const all = sources.flatMap(({ images, label, zipName }, source) =>
    images.map((image) => {
      const fingerprint = fingerprintOf(image);
      const content = contentOf(image) ?? fingerprint;
      return { image, source, label, zipName, path: image.path, content, fingerprint };
    }),
  );
  const conflicts = findLabelConflicts(all, options.labelConflicts);
  // Groups are made before copies are dropped: what a dropped copy ties together stays together.
  const groups = groupImages(all, options.groupBy);
  const copies = findCopies(all, options.duplicates);
  const kept = groups
    .map((group): Group<(typeof all)[number]> => ({ ...group, images: group.images.filter((it) => !copies.has(it)) }))
    .filter(({ images }) => images.length > 0);

  // The stable split looks at dropped copies too: which of several is dropped changes when a data set grows.
  const { test, notes } =
    options.split === 'stable'
      ? splitByHash(groups, sources, options.seed)
      : splitByShuffle(kept, sources, options.seed);

  const namers = new Map(sources.map(({ label }) => [label, createNamer()]));
  const images = all
    .filter((it) => !copies.has(it))
    .map((it): PlannedImage<Image> => {
      const folder = sources[it.source]?.folder ?? '';
      const name = namers.get(it.label)?.(folder === '' ? it.path : it.path.slice(folder.length + 1));
      return {
        image: it.image,
        source: it.source,
        label: it.label,
        split: test.has(it) ? 'test' : 'train',
        fileName: name ?? it.path,
        group: groupOf(it, options.groupBy),
      };
    });
  requireTraining(images, sources);
  return {
    images,
    leftOut: [...copies].map(({ zipName, path }) => ({ reason: 'duplicate', zipName, path })),
    warnings: [...conflicts, ...notes],
  };
}

interface PlacedImage {
  readonly label: string;
  readonly zipName: string;
  readonly path: string;
  readonly content: string;
}

function placeOf({ zipName, path, label }: PlacedImage): string {
  return `${zipName}: ${path} (label “${label}”)`;
}

/** Sentences about images that lie under two labels, or an error with them. */
function findLabelConflicts(images: readonly PlacedImage[], mode: PlanOptions['labelConflicts']): string[] {
  const first = new Map<string, PlacedImage>();
  const conflicts: string[] = [];
  for (const image of images) {
    const earlier = first.get(image.content);
    if (earlier === undefined) first.set(image.content, image);
    else if (earlier.label !== image.label) {
      conflicts.push(`The same image lies under two labels: ${placeOf(earlier)} and ${placeOf(image)}.`);
    }
  }
  if (conflicts.length === 0) return [];
  if (mode === 'warn') return shorten(conflicts);
  throw new DiatomError(
    'DATA_SET',
    `${shorten(conflicts).join('\n')}\nTake the image out of one of the zips, or set label-conflicts: warn to keep both.`,
  );
}

/** The images that `duplicates: drop` leaves out: those identical to an earlier one under the same label. */
function findCopies<Image extends PlacedImage>(images: readonly Image[], mode: PlanOptions['duplicates']): Set<Image> {
  if (mode === 'keep-together') return new Set();
  const first = new Map<string, Image>();
  const copies = new Set<Image>();
  const sentences: string[] = [];
  for (const image of images) {
    const key = JSON.stringify([image.label, image.content]);
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, image);
    else {
      copies.add(image);
      sentences.push(`The same image is there twice: ${placeOf(earlier)} and ${placeOf(image)}.`);
    }
  }
  if (mode === 'drop' || copies.size === 0) return copies;
  throw new DiatomError(
    'DATA_SET',
    `${shorten(sentences).join('\n')}\nTake the copies out, or set duplicates: drop (the first stays) or keep-together (all stay, on one side).`,
  );
}

function shorten(sentences: readonly string[]): string[] {
  const more = sentences.length - LISTED_PLACES;
  return [...sentences.slice(0, LISTED_PLACES), ...(more > 0 ? [`… and ${more} more of the kind.`] : [])];
}

function requireTraining(images: readonly PlannedImage[], sources: readonly PlanSource[]): void {
  const trained = new Set(images.filter(({ split }) => split === 'train').map(({ label }) => label));
  const faults = [...new Set(sources.map(({ label }) => label))]
    .filter((label) => !trained.has(label))
    .map((label) => {
      const count = images.filter((image) => image.label === label).length;
      const zips = sources.filter((source) => source.label === label).map(({ zipName }) => zipName);
      const have = count === 0 ? 'has no images' : `has ${count} image${count === 1 ? '' : 's'}, and all go to test`;
      return `The label “${label}” (${zips.join(', ')}) ${have}: none is left for training.`;
    });
  if (faults.length === 0) return;
  throw new DiatomError(
    'DATA_SET',
    `${faults.join('\n')}\nAdd images, take the label out of the file list, or lower n-test (n_test for one entry).`,
  );
}
