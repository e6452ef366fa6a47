import { compareCodePoints } from '../text/code-points.ts';
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
    readonly group: string | undefined;
  }): void;
  /** Labels in alphabetical (code-point) order, as torchvision's ImageFolder numbers them. */
  classes(): Map<string, ClassCount>;
  ofSource(source: number): SourceCount;
  /** How many groups a class has; `undefined` where images are not grouped. */
  groups(label: string): number | undefined;
}

export function createTally(): Tally {
  const classes = new Map<string, { train: number; test: number }>();
  const sources: { images: number; test: number }[] = [];
  const groups = new Map<string, Set<string>>();
  return {
    add({ label, split, source, group }) {
      const ofClass = classes.get(label) ?? { train: 0, test: 0 };
      ofClass[split]++;
      classes.set(label, ofClass);
      const ofSource = sources[source] ?? { images: 0, test: 0 };
      ofSource.images++;
      if (split === 'test') ofSource.test++;
      sources[source] = ofSource;
      if (group === undefined) return;
      const ofLabel = groups.get(label) ?? new Set();
      groups.set(label, ofLabel.add(group));
    },
    classes: () => new Map([...classes].sort(([a], [b]) => compareCodePoints(a, b))),
    ofSource: (source) => sources[source] ?? { images: 0, test: 0 },
    groups: (label) => groups.get(label)?.size,
  };
}
