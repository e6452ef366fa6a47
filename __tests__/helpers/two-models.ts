import { createRandom, type Random } from '../../scripts/sample/random.ts';
import type { ClassTally } from '../../src/model/compared-images.ts';
import { isRefused, judgeClasses } from '../../src/model/worse-classes.ts';

/**
 * Two equally good models: an image is either easy, and both have it right, or hard, and each has it right with a
 * probability of ½, whatever the other says. So the share of hard images is twice that of images where the models differ,
 * and each model has 1 − `discordance` right.
 */
export interface EqualModels {
  readonly classes: number;
  /** Of each class. */
  readonly images: number;
  /** The share of images that one of the two has right and the other wrong. */
  readonly discordance: number;
  /** The share of classes of which all images are hard; without it, all classes are equally hard. */
  readonly hardClasses?: number;
  /** How much of the hard classes each model has right: without it, half. */
  readonly hardRecall?: number;
}

/** What the figures are promised for. */
export const SETTINGS: readonly EqualModels[] = [6, 20, 100].flatMap((classes) =>
  [5, 10, 30].flatMap((images) => [0.1, 0.15, 0.25].map((discordance) => ({ classes, images, discordance }))),
);

/** The share of equally good models that the rule refuses. */
export function falseRefusals(models: EqualModels, runs: number): number {
  const random = createRandom(4711);
  let refused = 0;
  for (let run = 0; run < runs; run++) if (judgeClasses(drawTallies(models, random)).some(isRefused)) refused++;
  return refused / runs;
}

/**
 * How many of so many candidates pass that have none of one class right any more, of which production has all images right
 * or all but one, and are as good as production otherwise.
 */
export function lostClassesThatPass(models: EqualModels, runs: number): number {
  const random = createRandom(815);
  let passed = 0;
  for (let run = 0; run < runs; run++) {
    const production = models.images - (random.chance(0.5) ? 1 : 0);
    if (!isLossRefused(drawTallies(models, random), production)) passed++;
  }
  return passed;
}

/** The share that is refused of candidates that have none of one class right any more, of which production has `recall`. */
export function lossesRefused(models: EqualModels, recall: number, runs: number): number {
  const random = createRandom(815);
  let refused = 0;
  for (let run = 0; run < runs; run++) {
    let production = 0;
    for (let image = 0; image < models.images; image++) if (random.chance(recall)) production++;
    if (isLossRefused(drawTallies(models, random), production)) refused++;
  }
  return refused / runs;
}

function isLossRefused([first, ...others]: readonly ClassTally[], production: number): boolean {
  if (!first) throw new Error('There is no class to lose.');
  const lost = { ...first, production, candidate: 0, lost: production, gained: 0 };
  return judgeClasses([...others, lost]).some(isRefused);
}

/**
 * The greatest share of lost classes that any rule could refuse, if it refuses 5 % of equally good models, knows how much of
 * every class the models have right, and the two answer independently. The likelihoods of an equal model and of one that lost
 * one class differ only in how many classes have nothing right: by Neyman and Pearson, no other rule is better than to count
 * them, and to toss a coin at the limit.
 */
export function bestPossible(classes: number, images: number, recall: number): number {
  const nothing = (1 - recall) ** images;
  const atLeast = (count: number, of: number) => {
    let below = 0;
    let probability = (1 - nothing) ** of;
    for (let k = 0; k < count; k++) {
      below += probability;
      probability *= ((of - k) / (k + 1)) * (nothing / (1 - nothing));
    }
    return 1 - below;
  };
  let limit = 1;
  while (atLeast(limit, classes) > 0.05) limit++;
  const [beyond, at] = [atLeast(limit, classes), atLeast(limit - 1, classes)];
  const coin = (0.05 - beyond) / (at - beyond);
  const found = (count: number) => (count <= 1 ? 1 : atLeast(count - 1, classes - 1));
  return found(limit) + coin * (found(limit - 1) - found(limit));
}

function drawTallies(
  { classes, images, discordance, hardClasses = 0, hardRecall = 0.5 }: EqualModels,
  random: Random,
): ClassTally[] {
  return Array.from({ length: classes }, (_, index) => {
    const tally = { label: `class ${index + 1}`, images, production: 0, candidate: 0, lost: 0, gained: 0 };
    for (let image = 0; image < images; image++) {
      const isHardClass = index < hardClasses * classes;
      const isHard = isHardClass || random.chance(2 * discordance);
      const right = isHardClass ? hardRecall : 0.5;
      const [before, now] = [!isHard || random.chance(right), !isHard || random.chance(right)];
      if (before) tally.production++;
      if (now) tally.candidate++;
      if (before && !now) tally.lost++;
      if (now && !before) tally.gained++;
    }
    return tally;
  });
}
