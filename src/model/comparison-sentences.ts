import type { BestOfOthers, ComparedImage } from './compared-images.ts';
import { besideBest, comparePairs, type PairedResult, type PairedVerdict } from './paired-verdict.ts';

/** What there is of a comparison, in training as well as in publishing. */
export interface ComparedWith {
  readonly productionVersion: string | undefined;
  /** Why the images are too few for a verdict; `false` or `undefined` when they are enough. */
  readonly tooFew: string | boolean | undefined;
  readonly images: readonly ComparedImage[] | undefined;
  readonly best: BestOfOthers | undefined;
}

const WORDS: Readonly<Record<PairedVerdict, (other: string) => string>> = {
  better: (other) => `The model is better than ${other}`,
  worse: (other) => `The model is worse than ${other}`,
  unsure: (other) => `Whether the model is better or worse than ${other} is not certain`,
};

/** A verdict with all that it rests on. */
export function verdictSentence({ verdict, figures }: PairedResult, other: string, images: number, note = ''): string {
  return `${WORDS[verdict](other)}, on ${images} test images that neither was trained on${note}: ${figures}.`;
}

/** What the best other version is called in such a sentence. */
export function nameOfBest(version: string): string {
  return `${version} (the best other version that was in production)`;
}

/** Why the best other version has no say; `undefined` when it has, or when there is none. */
export function whyBestIsOut(best: BestOfOthers | undefined): string | undefined {
  if (best?.notCompared === undefined) return undefined;
  const name = best.version === undefined ? '' : ` (${best.version})`;
  return `The best other version that was in production${name} does not count, and production alone does: ${best.notCompared}.`;
}

/** The verdicts beside production and beside the best other version that was there; none when nobody can judge. */
export function comparisonSentences({ productionVersion, tooFew, images, best }: ComparedWith): string[] {
  if (tooFew || !images || images.length === 0) return [];
  const sentence = (other: string, answers: readonly ComparedImage[]) =>
    verdictSentence(comparePairs(answers), other, answers.length);
  const production = productionVersion === undefined ? 'production’s' : `production’s (${productionVersion})`;
  const others = besideBest(images);
  const why = whyBestIsOut(best);
  return [
    sentence(production, images),
    ...(best?.version !== undefined && others.length > 0 ? [sentence(nameOfBest(best.version), others)] : []),
    ...(why === undefined ? [] : [why]),
  ];
}

/** The section of a model's card about it; `undefined` when there is nothing to say. */
export function cardSection(compared: ComparedWith): string | undefined {
  const sentences = comparisonSentences(compared);
  return sentences.length === 0 ? undefined : ['## Compared with production', ...sentences].join('\n\n');
}
