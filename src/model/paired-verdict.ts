import { type ComparedImage, tallyClasses } from './compared-images.ts';
import { percent } from './format-figure.ts';
import { pairedInterval } from './paired-tests.ts';

/** `unsure`: the interval of the difference has both, so the images can't tell. */
export type PairedVerdict = 'better' | 'unsure' | 'worse';

/** How a model does beside an older one, on all images together. Shares are 0–1. */
export interface PairedResult {
  readonly verdict: PairedVerdict;
  /** What share more the newer model has right. */
  readonly difference: number;
  /** Of the difference, 95 %. */
  readonly interval: readonly [number, number];
  /** The figures, as the middle of a sentence. */
  readonly figures: string;
}

/** What happens when nobody can tell: the model passes if its figure is not lower, or a person has to decide. */
export type WhenUnsure = 'promote-if-not-lower' | 'wait';

/** How a comparison is decided. */
export interface PairedRules {
  /** A model passes that loses less than this for sure, as a share. */
  readonly margin: number;
  readonly whenUnsure: WhenUnsure;
}

/** Judges a newer model beside the one whose answers stand in `production`, image by image. */
export function comparePairs(images: readonly ComparedImage[]): PairedResult {
  const sum = { production: 0, candidate: 0, lost: 0, gained: 0 };
  for (const tally of tallyClasses(images)) {
    sum.production += tally.production;
    sum.candidate += tally.candidate;
    sum.lost += tally.lost;
    sum.gained += tally.gained;
  }
  const count = Math.max(1, images.length);
  const difference = (sum.gained - sum.lost) / count;
  const interval = pairedInterval(sum.lost, sum.gained, images.length);
  const [low, high] = interval;
  const accuracies = `accuracy ${percent(sum.candidate / count)} beside ${percent(sum.production / count)}`;
  return {
    verdict: low > 0 ? 'better' : high < 0 ? 'worse' : 'unsure',
    difference,
    interval,
    figures: `${sum.gained} newly right, ${sum.lost} newly wrong; ${accuracies}, a difference of ${points(difference)} points (95 % interval ${points(low)} to ${points(high)})`,
  };
}

/** The answers to judge a model by beside the best other version that was in production: `comparePairs` takes them. */
export function besideBest(images: readonly ComparedImage[]): ComparedImage[] {
  return images.flatMap((image) => (image.best === undefined ? [] : [{ ...image, production: image.best }]));
}

/** What is left where nobody knows what the models say to each image: how sure the difference is nobody can say. */
export function compareFigures(candidate: number, production: number): PairedResult {
  const difference = candidate - production;
  return {
    verdict: 'unsure',
    difference,
    interval: [-1, 1],
    figures: `accuracy ${percent(candidate)} beside ${percent(production)}, a difference of ${points(difference)} points, of which it is not known how much is chance (what the models take each image for is not recorded)`,
  };
}

/** Whether a model passes beside an older one. */
export function passes({ verdict, difference, interval: [low] }: PairedResult, rules: PairedRules): boolean {
  if (low > -rules.margin) return true;
  return verdict === 'unsure' && rules.whenUnsure === 'promote-if-not-lower' && difference >= 0;
}

/** A difference in percentage points, with its sign. */
export function points(share: number): string {
  const text = Math.abs(100 * share).toFixed(1);
  return `${Number(text) === 0 ? '' : share < 0 ? '−' : '+'}${text}`;
}
