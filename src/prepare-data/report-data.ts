import type { ZipEntry } from '../archive/open-zip.ts';
import { adviseOnClasses } from '../dataset/advice.ts';
import { countClasses } from '../dataset/manifest.ts';
import { formatNTest } from '../dataset/n-test.ts';
import type { Plan } from '../dataset/plan.ts';
import { type ReportData, showableMediaType } from '../dataset/report.ts';
import { extensionOf, type LeftOut } from '../dataset/select-images.ts';
import type { Inputs } from './inputs.ts';
import type { Picture } from './organise.ts';
import type { Source } from './sources.ts';

/** Examples of files that were left out, per reason. */
const EXAMPLES = 3;

/** What the report shows, put together from a finished data set. */
export function reportData(
  plan: Plan<ZipEntry>,
  sources: readonly (Pick<Source, 'zipName' | 'label'> & { readonly sha256: string })[],
  pictures: readonly Picture[],
  run: {
    readonly inputs: Pick<Inputs, 'plan' | 'nTest' | 'imageExtensions'>;
    readonly leftOut: readonly LeftOut[];
    readonly warnings: readonly string[];
  },
): ReportData {
  const classes = countClasses(plan.images);
  return {
    seed: run.inputs.plan.seed,
    options: optionsOf(run.inputs),
    classes: [...classes].map(([label, { train, test }]) => {
      const samples = pictures.flatMap(({ planned, data }) => {
        const mediaType = showableMediaType(planned.fileName);
        if (planned.label !== label || mediaType === undefined) return [];
        return [{ fileName: planned.fileName, split: planned.split, mediaType, data }];
      });
      return { label, train, test, samples, notShown: train + test - samples.length };
    }),
    leftOut: countLeftOut(run.leftOut),
    warnings: [...run.warnings, ...adviseOnClasses(classes)],
    sources: sources.map(({ zipName, sha256, label }, index) => {
      const images = plan.images.filter(({ source }) => source === index);
      const test = images.filter(({ split }) => split === 'test').length;
      return { fileName: zipName, sha256, label, images: images.length, test };
    }),
    unshowable: countUnshowable(plan),
  };
}

function optionsOf({ plan, nTest, imageExtensions }: Pick<Inputs, 'plan' | 'nTest' | 'imageExtensions'>) {
  return [
    { label: 'split', value: plan.split },
    { label: 'n-test', value: formatNTest(nTest) },
    { label: 'group-by', value: plan.groupBy?.source ?? '' },
    { label: 'duplicates', value: plan.duplicates },
    { label: 'label-conflicts', value: plan.labelConflicts },
    { label: 'image-extensions', value: imageExtensions.join(', ') },
  ].filter(({ value }) => value !== '');
}

/** Numbers and examples of what was left out, by reason. */
export function countLeftOut(leftOut: readonly LeftOut[]): { reason: string; count: number; examples: string[] }[] {
  const reasons = new Map<string, string[]>();
  for (const { reason, zipName, path } of leftOut) {
    const places = reasons.get(reason) ?? [];
    reasons.set(reason, places);
    places.push(`${zipName}: ${path}`);
  }
  return [...reasons].map(([reason, places]) => ({
    reason,
    count: places.length,
    examples: places.slice(0, EXAMPLES),
  }));
}

function countUnshowable(plan: Plan): { extension: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { fileName } of plan.images) {
    if (showableMediaType(fileName) !== undefined) continue;
    const extension = extensionOf(fileName);
    counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  return [...counts].sort().map(([extension, count]) => ({ extension, count }));
}
