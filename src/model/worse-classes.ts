import type { ClassTally } from './compared-images.ts';
import { holmRejects, mcNemarP, netLossP } from './paired-tests.ts';

/** Of fewer images nobody can tell whether a class was lost: the one test would not say so even if all of them were. */
export const ENOUGH_OF_A_CLASS = 5;

/** How often an equally good model may be refused, for all classes together. */
const LEVEL = 0.05;

/** A class of which production has this much right, and the candidate nothing, is lost whatever chance may do. */
const NEARLY_ALL = 0.75;

/**
 * What became of a class.
 *
 * - `worse`: the candidate is worse, beyond what chance does
 * - `lost`: it has lost more than half of what production had right, and that is no chance either, or everything
 * - `maybe`: it has lost more than half, which with so few images happens to equally good models, too
 * - `few`: too few images to tell
 * - `fell`: fewer are right than in production, and no more can be said
 * - `kept`: at least as many are right
 */
export type Fate = 'worse' | 'lost' | 'maybe' | 'few' | 'fell' | 'kept';

/** What to say of a class to people; `''` when there is nothing to say. */
export const FATE_WORDS: Readonly<Record<Fate, string>> = {
  worse: 'worse beyond chance',
  lost: 'more than half lost',
  maybe: 'more than half lost, which may be chance',
  few: 'too few to tell',
  fell: 'within chance',
  kept: '',
};

export interface JudgedClass extends ClassTally {
  readonly fate: Fate;
}

/** Whether a class keeps a model out of production. */
export function isRefused({ fate }: JudgedClass): boolean {
  return fate === 'worse' || fate === 'lost';
}

/**
 * Judges a candidate class by class, on the images that are new to both models. Two rules refuse, whichever does:
 *
 * 1. the exact McNemar test, with Holm's correction over the classes;
 * 2. the loss of more than half of what production had right. Few images are lost by chance alone: of a hundred classes
 *    with five images each, most equally good models would lose more than half of one. So the loss must be greater than two
 *    equally good models show in any of the classes, which disagree as often as these two do. If nothing is left of what
 *    production had nearly all right, that is not asked.
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
    return { ...tally, fate };
  });
}

function fateOf(tally: ClassTally, told: readonly ClassTally[]): Fate {
  const { images, production, candidate } = tally;
  if (images < ENOUGH_OF_A_CLASS) return 'few';
  if (candidate >= production) return 'kept';
  if (2 * candidate >= production) return 'fell';
  if (candidate === 0 && production >= NEARLY_ALL * images) return 'lost';
  const chance = told.length * netLossP(images, production - candidate, noise(tally, told));
  return chance > LEVEL ? 'maybe' : 'lost';
}

/**
 * How often chance alone makes an image of a class lost, and as often one gained. Equally good models lose as often as they
 * gain, so the rarer of the two is taken: neither a model that loses everywhere nor one that gains everywhere is excused by
 * it. The class itself does not count, but for what it gained: some classes are harder than others. With one image more of
 * each kind (Laplace), a few images without any difference are not taken for a proof that there can be none.
 */
function noise(tally: ClassTally, told: readonly ClassTally[]): number {
  const others = told.filter((other) => other !== tally);
  const sum = (field: 'images' | 'lost' | 'gained') => others.reduce((total, other) => total + other[field], 0);
  const elsewhere = (Math.min(sum('lost'), sum('gained')) + 1) / (sum('images') + 2);
  return Math.min(0.5, Math.max(elsewhere, tally.gained / tally.images));
}
