import { DiatomError } from '../errors.ts';
import { groupImages, groupOf } from './groups.ts';
import { createNamer } from './layout.ts';
import { testQuota } from './n-test.ts';
import { createPackedTexts } from './packed-texts.ts';
import type { LeftOut } from './select-images.ts';
import { createSplitter, type Split, type SplitGroup, type SplitSource } from './split.ts';

export interface PlanOptions {
  readonly split: 'shuffle' | 'stable' | 'keep';
  readonly seed: string;
  readonly groupBy: RegExp | undefined;
  readonly duplicates: 'keep-together' | 'drop' | 'error';
  readonly labelConflicts: 'error' | 'warn';
}

/** One file list entry, as far as its zip's directory tells. */
export interface PlanSource extends SplitSource {
  readonly label: string;
  /** The images' folder inside the zip, `''` for the whole zip. */
  readonly folder: string;
  /** How many images it has. */
  readonly imageCount: number;
  /** How many of them share their fingerprint with another image of the list, so that they may be identical to it. */
  readonly alikeCount: number;
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

export interface PlannedSource<Image extends PlanImage = PlanImage> {
  /** In code-point order of their paths. */
  readonly images: readonly PlannedImage<Image>[];
  readonly leftOut: readonly LeftOut[];
}

/** A number that is equal for two images of the list exactly when their bytes are; `undefined` for an image like no other. */
export type ContentOf<Image> = (image: Image) => number | undefined;

/** All images of the list, in code-point order inside a source. */
export interface AllImages<Image extends PlanImage> {
  readonly images: readonly (readonly Image[])[];
  readonly contentOf: ContentOf<Image>;
}

/**
 * Decides for every image which side it goes to and under which name: source after source, in list order, so that the
 * images of one can be put to their places while later zips are still on their way.
 */
export interface Planner<Image extends PlanImage> {
  /**
   * Plans the next source of the list.
   *
   * @param images in code-point order of their paths
   * @throws DiatomError `DATA_SET` when identical images lie under two labels or are forbidden, or when a label is left
   *   without a training image
   */
  plan(images: readonly Image[], contentOf: ContentOf<Image>): PlannedSource<Image>;
  /** Sentences about what was planned so far. */
  warnings(): string[];
}

/** How many places an error or warning lists before it says how many more there are. */
const LISTED_PLACES = 10;

/** CRC-32 and size, which a zip's directory tells: only images that agree in both can be identical. */
export function fingerprintOf(image: Pick<PlanImage, 'bytes' | 'crc32'>): string {
  return `${image.crc32.toString(16).padStart(8, '0')}:${image.bytes}`;
}

/**
 * Whether the planner has to see all images at once, with what is identical among them: groups of `group-by` go through
 * zips, and identical images tie them together; and where percentages differ, a stable split takes the largest of all
 * zips that a group lies in.
 */
export function plansAllAtOnce(sources: readonly SplitSource[], options: PlanOptions): boolean {
  if (options.groupBy) return true;
  const percentages = new Set(sources.map(({ nTest }) => (nTest.kind === 'percentage' ? nTest.percentage : undefined)));
  return options.split === 'stable' && percentages.size > 1;
}

/**
 * @param all needed when `plansAllAtOnce`
 * @throws DiatomError `DATA_SET` when it is certain that a label is left without a training image; `INPUT` when
 *   `groupBy` matches nothing or `n-test` does not fit the kind of split
 */
export function createPlanner<Image extends PlanImage>(
  sources: readonly PlanSource[],
  options: PlanOptions,
  all?: AllImages<Image>,
): Planner<Image> {
  requirePossibleTraining(sources, options);
  const everything = all && groupEverything(sources, all, options);
  const splitter = createSplitter(sources, { ...options, totals: everything?.totals });
  const sightings = createSightings(sources);
  const conflicts = createList();
  const namers = new Map<string, ReturnType<typeof createNamer>>();
  const trained = new Set<string>();
  const planned = new Map<string, number>();
  let next = 0;

  function requireTraining(label: string, upTo: number): void {
    if (trained.has(label) || sources.some((other, index) => index > upTo && other.label === label)) return;
    throw noTraining([[label, planned.get(label) ?? 0]], sources);
  }

  return {
    plan(images, contentOf) {
      const at = next++;
      const source = sources[at];
      if (!source) throw new Error('More sources than the list has');
      const { label, zipName, folder } = source;
      const [conflicting, copies] = [createList(), createList()];
      const leftOut: LeftOut[] = [];
      const kept: Image[] = [];
      for (const image of images) {
        const content = contentOf(image);
        const seen = content === undefined ? undefined : sightings.see(content, at, image.path);
        const here = placeOf(zipName, image.path, label);
        if (seen?.otherLabel !== undefined) {
          conflicting.add(`The same image lies under two labels: ${seen.otherLabel} and ${here}.`);
        }
        if (seen?.copyOf === undefined || options.duplicates === 'keep-together') {
          kept.push(image);
          continue;
        }
        copies.add(`The same image is there twice: ${seen.copyOf} and ${here}.`);
        leftOut.push({ reason: 'duplicate', zipName, path: image.path });
      }
      if (options.labelConflicts === 'error' && conflicting.count > 0) {
        throw new DiatomError(
          'DATA_SET',
          `${conflicting.shown().join('\n')}\nTake the image out of one of the zips, or set label-conflicts: warn to keep both.`,
        );
      }
      conflicts.addAll(conflicting);
      if (options.duplicates === 'error' && copies.count > 0) {
        throw new DiatomError(
          'DATA_SET',
          `${copies.shown().join('\n')}\nTake the copies out, or set duplicates: drop (the first stays) or keep-together (all stay, on one side).`,
        );
      }

      const groups = everything?.groupsOf(at, images, kept) ?? groupsOfOne(at, kept, contentOf);
      const test = splitter.split(at, groups);
      const nameOf = namers.get(label) ?? createNamer();
      namers.set(label, nameOf);
      const result = kept.map((image): PlannedImage<Image> => {
        const inFolder = folder === '' ? image.path : image.path.slice(folder.length + 1);
        return {
          image,
          source: at,
          label,
          split: test.has(image) ? 'test' : 'train',
          fileName: nameOf(inFolder),
          group: groupOf({ label, path: image.path }, options.groupBy),
        };
      });
      if (result.some(({ split }) => split === 'train')) trained.add(label);
      planned.set(label, (planned.get(label) ?? 0) + result.length);
      requireTraining(label, at);
      // The names of a label are needed no longer than its zips last.
      if (!sources.some((other, index) => index > at && other.label === label)) namers.delete(label);
      return { images: result, leftOut };
    },
    warnings: () => [...conflicts.shown(), ...splitter.notes()],
  };
}

/** Groups of one source that are made of identical images alone. */
function groupsOfOne<Image extends PlanImage>(
  source: number,
  images: readonly Image[],
  contentOf: ContentOf<Image>,
): SplitGroup<Image>[] {
  const together = new Map<number, Image[]>();
  const groups: { readonly token: number | undefined; readonly images: Image[] }[] = [];
  for (const image of images) {
    const token = contentOf(image);
    const others = token === undefined ? undefined : together.get(token);
    if (others) others.push(image);
    else {
      const group = { token, images: [image] };
      groups.push(group);
      if (token !== undefined) together.set(token, group.images);
    }
  }
  return groups.map((group) => {
    const [first] = group.images;
    const keys = first ? [`image ${fingerprintOf(first)}`] : [];
    return { ...group, keys, sizes: [[source, group.images.length]] };
  });
}

/** The groups of the whole list, for a source at a time. */
function groupEverything<Image extends PlanImage>(
  sources: readonly PlanSource[],
  { images, contentOf }: AllImages<Image>,
  options: PlanOptions,
) {
  let unlike = -1;
  const sightings = createSightings(sources);
  const everyImage = sources.flatMap(({ label, zipName }, source) =>
    (images[source] ?? []).map((image, index) => {
      const content = contentOf(image);
      const { copyOf } = content === undefined ? {} : sightings.see(content, source, image.path);
      const isDropped = copyOf !== undefined && options.duplicates !== 'keep-together';
      const fingerprint = fingerprintOf(image);
      return { source, index, label, zipName, path: image.path, content: content ?? unlike--, fingerprint, isDropped };
    }),
  );
  // Groups are made before copies are dropped: what a dropped copy ties together stays together.
  const groups = groupImages(everyImage, options.groupBy);
  const tokens = images.map((of) => new Int32Array(of.length));
  // The stable split looks at dropped copies too: which of several is dropped changes when a data set grows.
  const counts = groups.map((group, token) => {
    const sizes = new Map<number, number>();
    for (const { source, index, isDropped } of group.images) {
      const ofSource = tokens[source];
      if (ofSource) ofSource[index] = token;
      if (!isDropped || options.split === 'stable') sizes.set(source, (sizes.get(source) ?? 0) + 1);
    }
    return [...sizes];
  });
  const totals = sources.map(() => 0);
  for (const [source, size] of counts.flat()) totals[source] = (totals[source] ?? 0) + size;

  return {
    totals,
    groupsOf(source: number, ofSource: readonly Image[], kept: readonly Image[]): SplitGroup<Image>[] {
      const isKept = new Set(kept);
      const found = new Map<number, Image[]>();
      ofSource.forEach((image, index) => {
        if (!isKept.has(image)) return;
        const token = tokens[source]?.[index] ?? 0;
        const members = found.get(token) ?? [];
        found.set(token, members);
        members.push(image);
      });
      return [...found].map(([token, members]) => {
        const [keys, sizes] = [groups[token]?.keys ?? [], counts[token] ?? []];
        return { token, images: members, keys, sizes };
      });
    },
  };
}

/** Remembers where each content was first, and first under each label. */
function createSightings(sources: readonly PlanSource[]) {
  const firstSource: (number | undefined)[] = [];
  const firstPath: number[] = [];
  const paths = createPackedTexts();
  /** Of contents that lie under further labels: the first place under each of these. */
  const further = new Map<number, Map<string, string>>();
  const labelOf = (source: number) => sources[source]?.label ?? '';

  function firstPlace(content: number): { readonly label: string; readonly place: string } | undefined {
    const source = firstSource[content];
    if (source === undefined) return undefined;
    const label = labelOf(source);
    const path = paths.at(firstPath[content] ?? 0);
    return { label, place: placeOf(sources[source]?.zipName ?? '', path, label) };
  }

  return {
    /** @returns the place of the first image with this content, where it has another label, or under the same label */
    see(content: number, source: number, path: string): { otherLabel?: string; copyOf?: string } {
      const first = firstPlace(content);
      if (!first) {
        firstSource[content] = source;
        firstPath[content] = paths.add(path);
        return {};
      }
      const label = labelOf(source);
      if (first.label === label) return { copyOf: first.place };
      const others = further.get(content) ?? new Map<string, string>();
      further.set(content, others);
      const copyOf = others.get(label);
      if (copyOf === undefined) others.set(label, placeOf(sources[source]?.zipName ?? '', path, label));
      return { otherLabel: first.place, ...(copyOf === undefined ? {} : { copyOf }) };
    },
  };
}

function placeOf(zipName: string, path: string, label: string): string {
  return `${zipName}: ${path} (label “${label}”)`;
}

/** Sentences, of which only the first few are kept. */
function createList() {
  const kept: string[] = [];
  const list = {
    count: 0,
    add(sentence: string): void {
      list.count++;
      if (kept.length < LISTED_PLACES) kept.push(sentence);
    },
    addAll(other: { readonly count: number; kept(): readonly string[] }): void {
      kept.push(...other.kept().slice(0, LISTED_PLACES - kept.length));
      list.count += other.count;
    },
    kept: (): readonly string[] => kept,
    shown(): string[] {
      const more = list.count - kept.length;
      return [...kept, ...(more > 0 ? [`… and ${more} more of the kind.`] : [])];
    },
  };
  return list;
}

/** What is certain before any zip is here should not be said after hours of downloads. */
function requirePossibleTraining(sources: readonly PlanSource[], { split }: PlanOptions): void {
  const labels = [...new Set(sources.map(({ label }) => label))];
  const without = labels.flatMap((label): [string, number][] => {
    const own = sources.filter((source) => source.label === label);
    const images = own.reduce((sum, { imageCount }) => sum + imageCount, 0);
    const isCertain =
      split === 'shuffle' &&
      own.every(({ nTest, imageCount, alikeCount }) => alikeCount === 0 && testQuota(nTest, imageCount) >= imageCount);
    return images === 0 || isCertain ? [[label, images]] : [];
  });
  if (without.length > 0) throw noTraining(without, sources);
}

function noTraining(labels: readonly (readonly [label: string, images: number])[], sources: readonly PlanSource[]) {
  const faults = labels.map(([label, count]) => {
    const zips = sources.filter((source) => source.label === label).map(({ zipName }) => zipName);
    const have = count === 0 ? 'has no images' : `has ${count} image${count === 1 ? '' : 's'}, and all go to test`;
    return `The label “${label}” (${zips.join(', ')}) ${have}: none is left for training.`;
  });
  return new DiatomError(
    'DATA_SET',
    `${faults.join('\n')}\nAdd images, take the label out of the file list, or lower n-test (n_test for one entry).`,
  );
}
