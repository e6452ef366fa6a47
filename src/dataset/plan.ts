import { DiatomError } from '../errors.ts';
import { groupOf } from './groups.ts';
import type { KnownImages } from './known-images.ts';
import { createNamer } from './layout.ts';
import { createMoves } from './moves.ts';
import { groupEverything, groupSources } from './plan-groups.ts';
import type { AllImages, ContentOf, PlanImage, PlannedImage, Planner, PlanOptions, PlanSource } from './plan-types.ts';
import type { LeftOut } from './select-images.ts';
import { createSentences } from './sentences.ts';
import { createSightings, placeOf } from './sightings.ts';
import { createSplitter, type SplitSource } from './split.ts';
import { noTraining, requirePossibleTraining } from './untrained-labels.ts';

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
      const { label, folder } = source;
      const { kept, leftOut, conflicting } = sift(images, contentOf, { source, at, sightings, options });
      conflicts.addAll(conflicting);
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

/** What a zip brings, compared with all that came before. */
interface Sifted<Image> {
  readonly kept: readonly Image[];
  readonly leftOut: readonly LeftOut[];
  /** Images that lie under two labels. */
  readonly conflicting: ReturnType<typeof createSentences>;
}

/** @throws DiatomError `DATA_SET` for copies and for images under two labels, where these are to be errors */
function sift<Image extends PlanImage>(
  images: readonly Image[],
  contentOf: ContentOf<Image>,
  {
    source: { label, zipName },
    at,
    sightings,
    options,
  }: {
    readonly source: PlanSource;
    readonly at: number;
    readonly sightings: ReturnType<typeof createSightings>;
    readonly options: PlanOptions;
  },
): Sifted<Image> {
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
  if (options.labelConflicts === 'error') {
    refuse(conflicting, 'Take the image out of one of the zips, or set label-conflicts: warn to keep both.');
  }
  if (options.duplicates === 'error') {
    refuse(
      copies,
      'Take the copies out, or set duplicates: drop (the first stays) or keep-together (all stay, on one side).',
    );
  }
  return { kept, leftOut, conflicting };
}

function refuse(found: ReturnType<typeof createSentences>, advice: string): void {
  if (found.count > 0) throw new DiatomError('DATA_SET', `${found.shown().join('\n')}\n${advice}`);
}
