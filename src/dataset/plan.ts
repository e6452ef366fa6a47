import { DiatomError } from '../errors.ts';
import { groupOf } from './groups.ts';
import type { KnownImages } from './known-images.ts';
import { createNamer } from './layout.ts';
import { createMoves } from './moves.ts';
import { groupEverything, groupSources } from './plan-groups.ts';
import type { LeftOut } from './select-images.ts';
import { createSentences } from './sentences.ts';
import { createSightings, placeOf } from './sightings.ts';
import { createSplitter, type Split, type SplitSource } from './split.ts';
import { noTraining, requirePossibleTraining } from './training.ts';

export interface PlanOptions {
  /** `keep`: known images stay where they are, and new ones are drawn as by `shuffle`. */
  readonly split: 'shuffle' | 'stable' | 'keep';
  readonly seed: string;
  readonly groupBy: RegExp | undefined;
  readonly duplicates: 'keep-together' | 'drop' | 'error';
  readonly labelConflicts: 'error' | 'warn';
  /** What is to be done about images that look alike: only `together` changes the plan. */
  readonly nearDuplicates: 'report' | 'together' | 'off';
}

/** One file list entry, as far as its zip's directory tells. */
export interface PlanSource extends SplitSource {
  /** The images' folder inside the zip, `''` for the whole zip. */
  readonly folder: string;
  /** How many images it has. */
  readonly imageCount: number;
  /** How many of them share their fingerprint with another image of the list, so that they may be identical to it. */
  readonly alikeCount: number;
  /** How many are known to lie on each side, where sides are kept. */
  readonly knownCount?: { readonly train: number; readonly test: number } | undefined;
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
  /** A number that images share which are to be kept together as they look alike; `undefined` for others. */
  readonly nearOf?: ((image: Image) => number | undefined) | undefined;
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
   * @throws DiatomError `DATA_SET` when identical images lie under two labels or are forbidden, when a label is left
   *   without a training image, or when too many would have to go to test
   */
  plan(images: readonly Image[], contentOf: ContentOf<Image>): PlannedSource<Image>;
  /** Sentences about what was planned so far. */
  warnings(): string[];
}

/**
 * Whether the planner has to see all images at once, with what is identical among them: groups of `group-by` and of
 * images that look alike go through zips, and identical images tie them together; and where percentages differ, a stable
 * split takes the largest of all zips that a group lies in.
 */
export function plansAllAtOnce(sources: readonly Pick<SplitSource, 'nTest'>[], options: PlanOptions): boolean {
  if (options.groupBy || options.nearDuplicates === 'together') return true;
  const percentages = new Set(sources.map(({ nTest }) => (nTest.kind === 'percentage' ? nTest.percentage : undefined)));
  return options.split === 'stable' && percentages.size > 1;
}

/**
 * @param all needed when `plansAllAtOnce`
 * @param known the images of the data set before, where sides are kept; none for the first one
 * @throws DiatomError `DATA_SET` when it is certain that a label is left without a training image, or that too many
 *   would have to go to test; `INPUT` when `groupBy` matches nothing or `n-test` does not fit the kind of split
 */
export function createPlanner<Image extends PlanImage>(
  sources: readonly PlanSource[],
  options: PlanOptions,
  all?: AllImages<Image>,
  known?: KnownImages,
): Planner<Image> {
  requirePossibleTraining(sources, options);
  const grouping = all ? groupEverything(sources, all, options, known) : groupSources<Image>(options, known);
  const splitter = createSplitter(sources, { ...options, totals: grouping.totals });
  const moves = createMoves();
  const sightings = createSightings(sources);
  const conflicts = createSentences();
  const namers = new Map<string, ReturnType<typeof createNamer>>();
  const trained = new Set<string>();
  const planned = new Map<string, number>();
  let next = 0;

  /** When a label is planned. */
  function requireTraining(label: string): void {
    moves.requireFew(label);
    if (trained.has(label)) return;
    throw noTraining([[label, planned.get(label) ?? 0]], sources, options.split);
  }

  return {
    plan(images, contentOf) {
      const at = next++;
      const source = sources[at];
      if (!source) throw new Error('More sources than the list has');
      const { label, zipName, folder } = source;
      const [conflicting, copies] = [createSentences(), createSentences()];
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

      const test = splitter.split(at, grouping.groupsOf(at, images, kept, contentOf));
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
      if (known) for (const { image, split } of result) moves.add(label, known.sideOf(image), split);
      if (result.some(({ split }) => split === 'train')) trained.add(label);
      planned.set(label, (planned.get(label) ?? 0) + result.length);
      if (sources.some((other, index) => index > at && other.label === label)) return { images: result, leftOut };
      requireTraining(label);
      // The names of a label are needed no longer than its zips last.
      namers.delete(label);
      return { images: result, leftOut };
    },
    warnings: () => [...conflicts.shown(), ...splitter.notes()],
  };
}
