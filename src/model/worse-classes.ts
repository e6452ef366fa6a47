import type { ClassTally } from './compared-images.ts';
import { holmRejects, mcNemarP, netLossP, nothingLeftP } from './paired-tests.ts';

/** Of fewer images nobody can tell whether a class was lost: the one test would not say so even if all of them were. */
export const ENOUGH_OF_A_CLASS = 5;

/** How often an equally good model may be refused, for all classes together. */
const LEVEL = 0.05;

/**
 * The same for classes of which nothing is left, which matter most. What is left to chance there is small and comes in
 * steps, as images do, so that with this bound both rules together keep to `LEVEL`: that was simulated.
 */
const LEVEL_OF_NOTHING_LEFT = 0.1;

/** Beyond so many images nobody looks how many it would take. */
const MAX_NEEDED = 1_000;

/**
 * What became of a class.
 *
 * - `worse`: the candidate is worse, beyond what chance does
 * - `lost`: it has lost more than half of what production had right, and that is no chance either
 * - `gone`: nothing is left, which with so few images happens to equally good models, too
 * - `maybe`: it has lost more than half, which with so few images happens to equally good models, too
 * - `few`: too few images to tell
 * - `fell`: fewer are right than in production, and no more can be said
 * - `kept`: at least as many are right
 */
export type Fate = 'worse' | 'lost' | 'gone' | 'maybe' | 'few' | 'fell' | 'kept';

export interface JudgedClass extends ClassTally {
  readonly fate: Fate;
  /** Of a class that is `gone`, with how many more test images it would be refused; `undefined` when that would be too many. */
  readonly needed?: number | undefined;
}

const WORDS: Readonly<Record<Fate, string>> = {
  worse: 'worse beyond chance',
  lost: 'more than half lost',
  gone: 'lost whole, too few test images to refuse',
  maybe: 'more than half lost, which may be chance',
  few: 'too few to tell',
  fell: 'within chance',
  kept: '',
};

/** What to say about a class to people; `''` when there is nothing to say. */
export function wordsOf({ fate, needed, candidate }: JudgedClass): string {
  if (fate === 'lost' && candidate === 0) return 'lost whole';
  return needed === undefined ? WORDS[fate] : `${WORDS[fate]}: ${needed} more needed`;
}

/** Whether a class keeps a model out of production. */
export function isRefused({ fate }: JudgedClass): boolean {
  return fate === 'worse' || fate === 'lost';
}

/**
 * Judges a candidate class by class, on the images that are new to both models. Three rules refuse, whichever does:
 *
 * 1. the exact McNemar test, with Holm's correction over the classes;
 * 2. the loss of more than half of what production had right. Few images are lost by chance alone: of a hundred classes
 *    with five images each, most equally good models would lose more than half of one. So the loss must be greater than two
 *    equally good models show in any of the classes, which disagree as often as these two do;
 * 3. a class of which nothing is left. Equally good models do that less often than they lose as much and keep some, so it
 *    takes fewer images to tell.
 */
export function judgeClasses(tallies: readonly ClassTally[]): JudgedClass[] {
  const told = tallies.filter(({ images }) => images >= ENOUGH_OF_A_CLASS);
  const rejects = holmRejects(
    told.map(({ lost, gained }) => mcNemarP(lost, gained)),
    LEVEL,
  );
  const worse = new Set(told.filter((_, index) => rejects[index]));
  return tallies.map((tally) => {
    const fate = worse.has(tally) ? 'worse' : fateOf(tally, told);
    return { ...tally, fate, needed: fate === 'gone' ? neededFor(tally, told) : undefined };
  });
}

function fateOf(tally: ClassTally, told: readonly ClassTally[]): Fate {
  const { images, production, candidate } = tally;
  if (images < ENOUGH_OF_A_CLASS) return 'few';
  if (candidate >= production) return 'kept';
  if (2 * candidate >= production) return 'fell';
  const chance = told.length * netLossP(images, production - candidate, chanceOf(tally, told).lost);
  if (chance <= LEVEL || (candidate === 0 && isBeyondChance(tally, told))) return 'lost';
  return candidate === 0 ? 'gone' : 'maybe';
}

/** Whether two equally good models would hardly leave nothing of any class of which so much was right. One image is no class. */
function isBeyondChance(tally: ClassTally, told: readonly ClassTally[]): boolean {
  if (tally.production < 2) return false;
  const { lost, wrong } = chanceOf(tally, told);
  return told.length * nothingLeftP(tally.images, tally.production, lost, wrong) <= LEVEL_OF_NOTHING_LEFT;
}

/** How many more images would tell, if production had the same part of them right and the candidate none. */
function neededFor(tally: ClassTally, told: readonly ClassTally[]): number | undefined {
  const others = told.filter((other) => other !== tally);
  for (let images = tally.images + 1; images <= MAX_NEEDED; images++) {
    const production = Math.floor((tally.production * images) / tally.images);
    const larger = { ...tally, images, production, lost: production };
    if (isBeyondChance(larger, [...others, larger])) return images - tally.images;
  }
  return undefined;
}

/**
 * How often chance alone makes an image of a class lost, and as often one gained, and how often both models have one wrong.
 * Equally good models lose as often as they gain, so the rarer of the two is taken: neither a model that loses everywhere
 * nor one that gains everywhere is excused by it. The class itself does not count, except for what it gained, and what
 * production had wrong of it counts half: some classes are harder than others. With one image more of each kind (Laplace), a
 * few images without any difference are not taken for a proof that there can be none.
 */
function chanceOf(tally: ClassTally, told: readonly ClassTally[]): { readonly lost: number; readonly wrong: number } {
  const others = told.filter((other) => other !== tally);
  const sum = (field: 'images' | 'production' | 'lost' | 'gained') =>
    others.reduce((total, other) => total + other[field], 0);
  const share = (count: number) => (count + 1) / (sum('images') + 2);
  const wrongElsewhere = share(sum('images') - sum('production') - sum('gained'));
  const wrongHere = (tally.images - tally.production) / tally.images;
  return {
    lost: Math.min(0.5, Math.max(share(Math.min(sum('lost'), sum('gained'))), tally.gained / tally.images)),
    wrong: Math.max(wrongElsewhere, (wrongElsewhere + wrongHere) / 2),
  };
}
