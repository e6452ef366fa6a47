import { constants, copyFile, link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCodeOf, throwIfCancelled } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import type { BestOfOthers, ComparedImage } from '../model/compared-images.ts';
import type { Metrics } from './evaluation.ts';
import type { DatasetImage, TrainingImages } from './images.ts';

/** Below this, chance decides more than the models do: an accuracy of 90 % is known to ± 11 % only. */
export const ENOUGH_IMAGES = 30;

/** How two models do on the test images that neither was trained on. */
export interface Comparison {
  readonly productionVersion: string | undefined;
  /** Test images of the data set. */
  readonly total: number;
  /** Those that neither model was trained on. */
  readonly compared: number;
  /** Why the figures say little; `undefined` when they don't. */
  readonly tooFew: string | undefined;
  /** `undefined` when a class has no image left: then nothing is measured. */
  readonly scores: { readonly candidate: Metrics; readonly production: Metrics } | undefined;
  /** What both say to each image; `undefined` when nothing was measured, or when the tests don't tell. */
  readonly images: readonly ComparedImage[] | undefined;
  /** Another version that was in production and was better; `undefined` when there is none, or none was asked. */
  readonly best: BestOfOthers | undefined;
}

/** The test images that are new to both models: neither they nor another image of their group were trained on. */
export function unseenImages(images: readonly DatasetImage[], trained: readonly TrainingImages[]): DatasetImage[] {
  return images.filter(
    ({ split, sha256, group }) =>
      split === 'test' && !trained.some(({ sums, groups }) => sums.has(sha256) || (group !== '' && groups.has(group))),
  );
}

/** Why images are too few for a comparison of models with these classes; `undefined` when they are enough. */
export function whyTooFew(unseen: readonly DatasetImage[], labels: readonly string[]): string | undefined {
  const without = classesWithout(unseen, labels);
  const reasons = [
    unseen.length < ENOUGH_IMAGES ? `there are ${unseen.length}, and at least ${ENOUGH_IMAGES} are needed` : '',
    without.length > 0 ? `there is no image of ${without.join(', ')}` : '',
  ].filter((reason) => reason !== '');
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

/** The classes that no image is of: a test without one of a class would number the others differently. */
export function classesWithout(unseen: readonly DatasetImage[], labels: readonly string[]): string[] {
  const present = new Set(unseen.map(({ label }) => label));
  return labels.filter((label) => !present.has(label));
}

/**
 * Makes a data folder whose `test` has these images only. They are linked where that is possible, else copied; its
 * `train` is empty, so that the whole one can be mounted over it.
 *
 * @throws DiatomError `DISK`, `CANCELLED`
 */
export async function makeTestFolder(
  dataset: string,
  images: readonly DatasetImage[],
  target: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(join(target, 'train'), { recursive: true });
  // It says which endings images have.
  await copyFile(join(dataset, 'dataset.json'), join(target, 'dataset.json')).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw diskFailure('read', join(dataset, 'dataset.json'), error);
  });
  for (const { path } of images) {
    throwIfCancelled(signal);
    const [from, to] = [join(dataset, path), join(target, path)];
    try {
      await mkdir(dirname(to), { recursive: true });
      await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE));
    } catch (error) {
      throw diskFailure('read', from, error);
    }
  }
}

/** `comparison.json`: a line an image, as there may be thousands. */
export function comparisonJson(comparison: Comparison): string {
  const { productionVersion, total, compared, tooFew, scores, images, best } = comparison;
  const description = {
    format: 2,
    production_version: productionVersion ?? null,
    n_test: total,
    n_compared: compared,
    too_few: tooFew !== undefined,
    candidate: scores ? figures(scores.candidate) : null,
    production: scores ? figures(scores.production) : null,
    best: best ? { version: best.version ?? null, not_compared: best.notCompared ?? null } : null,
  };
  const lines = images?.map((image) => `\n    ${JSON.stringify(image)}`);
  return `${JSON.stringify(description, null, 2).slice(0, -2)},\n  "images": ${lines ? `[${lines.join(',')}\n  ]` : null}\n}\n`;
}

function figures({ accuracy, accuracyInterval, macroF1, macroF1Interval, classes }: Metrics) {
  return {
    accuracy,
    accuracy_ci: accuracyInterval ?? null,
    macro_f1: macroF1,
    macro_f1_ci: macroF1Interval ?? null,
    classes,
  };
}
