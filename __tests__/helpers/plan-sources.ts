import fc from 'fast-check';
import { createKnownImages } from '../../src/dataset/known-images.ts';
import type { NTest } from '../../src/dataset/n-test.ts';
import { createPlanner, plansAllAtOnce } from '../../src/dataset/plan.ts';
import { fingerprintOf } from '../../src/dataset/plan-groups.ts';
import type { PlanImage, PlannedSource, PlanOptions, PlanSource } from '../../src/dataset/plan-types.ts';
import type { KnownImage } from '../../src/dataset/sides.ts';

/** An image whose content is known by a number; equal numbers are identical images. */
export interface FakeImage extends PlanImage {
  readonly content: number;
  /** The same for images that look alike. */
  readonly near?: number | undefined;
}

/** A source with its images, and a plan of all of them. */
export interface FakeSource extends Omit<PlanSource, 'imageCount' | 'alikeCount' | 'knownCount'> {
  readonly images: readonly FakeImage[];
}

export interface Plan extends PlannedSource<FakeImage> {
  readonly warnings: readonly string[];
}

export const OPTIONS: PlanOptions = {
  split: 'shuffle',
  seed: '1',
  groupBy: undefined,
  duplicates: 'keep-together',
  labelConflicts: 'error',
  nearDuplicates: 'report',
};

export const count = (number: number): NTest => ({ kind: 'count', count: number });
export const percent = (percentage: number): NTest => ({ kind: 'percentage', percentage });

export function image(path: string, content: number): FakeImage {
  return { path, content, crc32: content, bytes: 100 };
}

export function source(
  zipName: string,
  label: string,
  images: readonly FakeImage[],
  nTest: NTest = count(1),
): FakeSource {
  return { zipName, label, images, nTest, folder: '' };
}

/** `number` images, each unlike all others. */
export function distinct(number: number, from = 0): FakeImage[] {
  return Array.from({ length: number }, (_, index) => image(`${String(index).padStart(4, '0')}.png`, from + index));
}

/** Source after source, and all at once where the planner needs it. */
export function plan(
  sources: readonly FakeSource[],
  options: Partial<PlanOptions> = {},
  base?: readonly KnownImage[],
): Plan {
  const given = { ...OPTIONS, ...options };
  const prints = sources.flatMap(({ images }) => images.map(fingerprintOf)).sort();
  const alike = new Set(prints.filter((print, index) => prints[index - 1] === print));
  const isAlike = (image: FakeImage) => alike.has(fingerprintOf(image));
  const contentOf = (image: FakeImage) => (isAlike(image) ? image.content : undefined);
  const known = base && createKnownImages(base);
  const planSources = sources.map((source) => ({
    ...source,
    imageCount: source.images.length,
    alikeCount: source.images.filter(isAlike).length,
    knownCount: known?.count(source.images),
  }));
  const nearOf = ({ near }: FakeImage) => near;
  const all = { images: sources.map(({ images }) => images), contentOf, nearOf };
  const whole = plansAllAtOnce(sources, given) ? all : undefined;
  const planner = createPlanner<FakeImage>(planSources, given, whole, known);
  const planned = sources.map(({ images }) => planner.plan(images, contentOf));
  return {
    images: planned.flatMap(({ images }) => images),
    leftOut: planned.flatMap(({ leftOut }) => leftOut),
    warnings: planner.warnings(),
  };
}

/** How many images of each source are in test. */
export function testSizes(of: Plan, sources: readonly unknown[]): number[] {
  return sources.map(
    (_, index) => of.images.filter((planned) => planned.source === index && planned.split === 'test').length,
  );
}

/** Sources with the trouble of real ones: labels that return, copies within and across zips, specimens, few images. */
export function anySources(options: { nTest: fc.Arbitrary<NTest>; labels?: readonly string[] }) {
  const { nTest, labels = ['Achnanthes', 'Gomphonema', 'Hannaea'] } = options;
  const images = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(60)), { minLength: 1, maxLength: 30 });
  return fc.array(fc.tuple(fc.constantFrom(...labels), images, nTest), { minLength: 1, maxLength: 6 }).map((sources) =>
    sources.map(([label, specimens, n], index) =>
      source(
        `${index}.zip`,
        label,
        // The label is part of the content, so that no image lies under two.
        specimens.map(([specimen, content], at) =>
          image(`s${specimen}_${String(at).padStart(3, '0')}.png`, labels.indexOf(label) * 1_000 + content),
        ),
        n,
      ),
    ),
  );
}
