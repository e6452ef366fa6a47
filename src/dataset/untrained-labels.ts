import { DiatomError } from '../errors.ts';
import { testQuota } from './n-test.ts';
import type { PlanOptions, PlanSource } from './plan-types.ts';

/**
 * What is certain before any zip is here should not be said after hours of downloads.
 *
 * @throws DiatomError `DATA_SET` when it is certain that a label is left without a training image
 */
export function requirePossibleTraining(sources: readonly PlanSource[], { split }: Pick<PlanOptions, 'split'>): void {
  const labels = [...new Set(sources.map(({ label }) => label))];
  const without = labels.flatMap((label): [string, number][] => {
    const own = sources.filter((source) => source.label === label);
    const images = own.reduce((sum, { imageCount }) => sum + imageCount, 0);
    const isCertain =
      split !== 'stable' &&
      own.every(({ nTest, imageCount, alikeCount, knownCount }) => {
        const test = Math.max(testQuota(nTest, imageCount), knownCount?.test ?? 0);
        return alikeCount === 0 && (knownCount?.train ?? 0) === 0 && test >= imageCount;
      });
    return images === 0 || isCertain ? [[label, images]] : [];
  });
  if (without.length > 0) throw noTraining(without, sources, split);
}

export function noTraining(
  labels: readonly (readonly [label: string, images: number])[],
  sources: readonly Pick<PlanSource, 'label' | 'zipName'>[],
  split: PlanOptions['split'],
): DiatomError {
  const faults = labels.map(([label, count]) => {
    const zips = sources.filter((source) => source.label === label).map(({ zipName }) => zipName);
    const have = count === 0 ? 'has no images' : `has ${count} image${count === 1 ? '' : 's'}, and all go to test`;
    return `The label “${label}” (${[...new Set(zips)].join(', ')}) ${have}: none is left for training.`;
  });
  const advice = 'Add images, take the label out of the file list, or lower n-test (n_test for one entry)';
  const known =
    '. With split: keep, images that were test images once stay so, whatever n-test is and under any label: to draw them again, begin a new line of data sets with previous: none';
  return new DiatomError('DATA_SET', `${faults.join('\n')}\n${advice}${split === 'keep' ? known : ''}.`);
}
