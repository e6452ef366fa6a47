import { adviseOnClasses } from '../dataset/advice.ts';
import type { ClassChanges } from '../dataset/changes.ts';
import type { SizeBin } from '../dataset/image-sizes.ts';
import { formatNTest } from '../dataset/n-test.ts';
import type { ReportData, ReportNear, ReportPicture } from '../dataset/report-types.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import type { Tally } from '../dataset/tally.ts';
import type { Inputs } from './inputs.ts';
import type { Source } from './sources.ts';

/** Examples of files that were left out, per reason; of those in which something is wrong, which somebody has to look at. */
const EXAMPLES = 3;
const FAULTY_EXAMPLES = 50;

/** What the report shows, put together from a finished data set. */
export function reportData(
  tally: Tally,
  sources: readonly (Pick<Source, 'zipName' | 'label'> & { readonly sha256: string })[],
  pictures: readonly ReportPicture[],
  run: {
    readonly inputs: Pick<Inputs, 'plan' | 'nTest' | 'imageExtensions'>;
    readonly leftOut: readonly LeftOut[];
    readonly warnings: readonly string[];
    readonly changes: ReadonlyMap<string, ClassChanges> | undefined;
    readonly sizes: readonly SizeBin[];
    readonly near: ReportNear | undefined;
  },
): ReportData {
  const classes = tally.classes();
  return {
    seed: run.inputs.plan.seed,
    options: optionsOf(run.inputs),
    classes: [...classes].map(([label, { train, test }]) => {
      const samples = pictures.filter((picture) => picture.label === label);
      return { label, train, test, groups: tally.groups(label), samples };
    }),
    leftOut: countLeftOut(run.leftOut),
    changes: run.changes && [...run.changes].map(([label, changes]) => ({ label, ...changes })),
    warnings: [...run.warnings, ...adviseOnClasses(classes)],
    sources: sources.map(({ zipName, sha256, label }, index) => ({
      fileName: zipName,
      sha256,
      label,
      ...tally.ofSource(index),
    })),
    sizes: run.sizes,
    near: run.near,
  };
}

function optionsOf({ plan, nTest, imageExtensions }: Pick<Inputs, 'plan' | 'nTest' | 'imageExtensions'>) {
  return [
    { label: 'split', value: plan.split },
    { label: 'n-test', value: formatNTest(nTest) },
    { label: 'group-by', value: plan.groupBy?.source ?? '' },
    { label: 'duplicates', value: plan.duplicates },
    { label: 'label-conflicts', value: plan.labelConflicts },
    { label: 'near-duplicates', value: plan.nearDuplicates },
    { label: 'image-extensions', value: imageExtensions.join(', ') },
  ].filter(({ value }) => value !== '');
}

/** Numbers and examples of what was left out, by reason. */
export function countLeftOut(leftOut: readonly LeftOut[]): { reason: string; count: number; examples: string[] }[] {
  const reasons = new Map<string, string[]>();
  for (const { reason, zipName, path, detail } of leftOut) {
    const places = reasons.get(reason) ?? [];
    reasons.set(reason, places);
    places.push(detail === undefined ? `${zipName}: ${path}` : `${zipName}: ${path} ${detail}`);
  }
  return [...reasons].map(([reason, places]) => ({
    reason,
    count: places.length,
    examples: places.slice(0, reason === 'broken image' ? FAULTY_EXAMPLES : EXAMPLES),
  }));
}
