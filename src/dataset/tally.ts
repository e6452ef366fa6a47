import { compareCodePoints } from '../code-points.ts';
import { showableMediaType } from './report.ts';
import { extensionOf } from './select-images.ts';
import type { Split } from './split.ts';

/** Images of one label, by split. */
export interface ClassCount {
  readonly train: number;
  readonly test: number;
}

/** Images of one source, and how many of them are in test. */
export interface SourceCount {
  readonly images: number;
  readonly test: number;
}

/** Counts the images of a data set. */
export interface Tally {
  add(image: {
    readonly label: string;
    readonly split: Split;
    readonly source: number;
    readonly fileName: string;
  }): void;
  /** Labels in alphabetical (code-point) order, as torchvision's ImageFolder numbers them. */
  classes(): Map<string, ClassCount>;
  ofSource(source: number): SourceCount;
  /** Of images that browsers can't show, by the ending of their names. */
  unshowable(): { extension: string; count: number }[];
}

export function createTally(): Tally {
  const classes = new Map<string, { train: number; test: number }>();
  const sources: { images: number; test: number }[] = [];
  const unshowable = new Map<string, number>();
  return {
    add({ label, split, source, fileName }) {
      const ofClass = classes.get(label) ?? { train: 0, test: 0 };
      ofClass[split]++;
      classes.set(label, ofClass);
      const ofSource = sources[source] ?? { images: 0, test: 0 };
      ofSource.images++;
      if (split === 'test') ofSource.test++;
      sources[source] = ofSource;
      if (showableMediaType(fileName) !== undefined) return;
      const extension = extensionOf(fileName);
      unshowable.set(extension, (unshowable.get(extension) ?? 0) + 1);
    },
    classes: () => new Map([...classes].sort(([a], [b]) => compareCodePoints(a, b))),
    ofSource: (source) => sources[source] ?? { images: 0, test: 0 },
    unshowable: () => [...unshowable].sort().map(([extension, count]) => ({ extension, count })),
  };
}
