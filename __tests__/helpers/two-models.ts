import { createRandom, type Random } from '../../scripts/demo/random.ts';
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
    const [first, ...others] = drawTallies(models, random);
    if (!first) throw new Error('There is no class to lose.');
    const production = first.images - (random.chance(0.5) ? 1 : 0);
    const lost = { ...first, production, candidate: 0, lost: production, gained: 0 };
    if (!judgeClasses([...others, lost]).some(isRefused)) passed++;
  }
  return passed;
}

function drawTallies({ classes, images, discordance, hardClasses = 0 }: EqualModels, random: Random): ClassTally[] {
  return Array.from({ length: classes }, (_, index) => {
    const tally = { label: `class ${index + 1}`, images, production: 0, candidate: 0, lost: 0, gained: 0 };
    for (let image = 0; image < images; image++) {
      const isHard = index < hardClasses * classes || random.chance(2 * discordance);
      const [before, now] = [!isHard || random.chance(0.5), !isHard || random.chance(0.5)];
      if (before) tally.production++;
      if (now) tally.candidate++;
      if (before && !now) tally.lost++;
      if (now && !before) tally.gained++;
    }
    return tally;
  });
}
