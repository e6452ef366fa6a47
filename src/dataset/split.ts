import { hash } from 'node:crypto';
import { DiatomError } from '../errors.ts';
import { formatNTest, type NTest, testQuota } from './n-test.ts';

export type Split = 'train' | 'test';

/** One downloaded folder, the unit that `n-test` counts in. */
export interface SplitSource {
  readonly zipName: string;
  readonly label: string;
  readonly nTest: NTest;
}

/** What of a group lies in the source that is split. */
export interface SplitGroup<Image> {
  /** The same number for the same group in every source; `undefined` for one that lies in this source only. */
  readonly token: number | undefined;
  readonly images: readonly Image[];
  /** What the group is made of, each a name that stays the same when the data set grows. */
  readonly keys: readonly string[];
  /** Where its images lie, as far as that is known: at least in the source that is split. */
  readonly sizes: readonly (readonly [source: number, images: number])[];
  /** Where it has to go because of images that are known; `undefined` for one that is drawn. */
  readonly side: Split | undefined;
}

/** What is known of each source before any is split. */
export interface SourceTotals {
  readonly images: readonly number[];
  /** Of groups that have to go to test. */
  readonly test: readonly number[];
}

export interface SplitOptions {
  readonly split: 'shuffle' | 'stable' | 'keep';
  readonly seed: string;
  /** Given when the `sizes` of every group tell all its sources; left out when one is met again in later sources unexpectedly. */
  readonly totals: SourceTotals | undefined;
}

/**
 * Splits source after source, in list order. A group that lies in several goes where the first of them has sent it.
 *
 * `shuffle`: of every source the groups are shuffled and as many go to test as make its number of test images. A group
 * that does not fit is passed over for later ones; only when nothing else fits does one go in that exceeds the number, so
 * test exceeds it by less than one group. A group that is known to span sources goes in as a whole, and only while none
 * of them has its number.
 *
 * The shuffle is the order of SHA-256 over seed, zip name and group, so it needs no random generator, is the same on
 * every machine, and the draw of one folder does not depend on the others.
 *
 * `keep`: the same for groups of new images; those of known images go where these lie, and count first. So a source may
 * have more test images than its number, and nobody moves.
 *
 * `stable`: a group goes to test when the hash of seed and one of its keys falls below the percentage of its source. The
 * keys of a group are looked at one by one, so when a data set grows and two groups become one, the whole stays in
 * test if a part was: an image can move from train to test, never from test to train.
 */
export interface Splitter {
  /** The images that go to test. */
  split<Image>(source: number, groups: readonly SplitGroup<Image>[]): Set<Image>;
  /** Sentences about sources whose number of test images is not the one asked for. */
  notes(): string[];
}

/** @throws DiatomError `INPUT` when a stable split is to be made and a source has a count instead of a percentage */
export function createSplitter(sources: readonly SplitSource[], options: SplitOptions): Splitter {
  const decided: boolean[] = [];
  const decide = options.split === 'stable' ? stableSplit(sources, options) : shuffleSplit(sources, options);
  return {
    notes: decide.notes,
    split(source, groups) {
      const isTest = decide.split(source, groups, (token) => decided[token]);
      groups.forEach(({ token }, group) => {
        if (token !== undefined) decided[token] = isTest.has(group);
      });
      return new Set(groups.filter((_, group) => isTest.has(group)).flatMap(({ images }) => images));
    },
  };
}

interface Decider {
  /** The places of the groups that go to test. */
  split(
    source: number,
    groups: readonly SplitGroup<unknown>[],
    before: (token: number) => boolean | undefined,
  ): Set<number>;
  notes(): string[];
}

function shuffleSplit(sources: readonly SplitSource[], { split, seed, totals }: SplitOptions): Decider {
  const total = sources.map((_, source) => totals?.images[source] ?? 0);
  const quota = sources.map(({ nTest }, source) => testQuota(nTest, total[source] ?? 0));
  const count = sources.map((_, source) => totals?.test[source] ?? 0);
  const roomIn = (source: number) => (quota[source] ?? 0) - (count[source] ?? 0);

  return {
    split(source, groups, before) {
      const { zipName, nTest } = sources[source] ?? unknownSource(source);
      if (totals === undefined) {
        total[source] = groups.reduce((sum, { images }) => sum + images.length, 0);
        quota[source] = testQuota(nTest, total[source] ?? 0);
      }
      const chosen = new Set<number>();
      const open: number[] = [];
      groups.forEach(({ token, images, side }, group) => {
        const earlier = token === undefined ? undefined : before(token);
        const isTest = side === undefined ? earlier : side === 'test';
        if (isTest === undefined) open.push(group);
        if (!isTest) return;
        chosen.add(group);
        // Where groups tell all their sources, it was counted before.
        if (totals === undefined) count[source] = (count[source] ?? 0) + images.length;
      });
      const choose = (group: number) => {
        chosen.add(group);
        for (const [of, size] of groups[group]?.sizes ?? []) count[of] = (count[of] ?? 0) + size;
      };
      const everySource = (group: number, test: (room: number, size: number) => boolean) =>
        (groups[group]?.sizes ?? []).every(([of, size]) => test(roomIn(of), size));
      const sizeHere = (group: number) => groups[group]?.images.length ?? 0;

      if (roomIn(source) <= 0) return chosen;
      const order = shuffle(open, (group) => [seed, zipName, ...(groups[group]?.keys ?? [])]);
      for (const group of order) {
        if (roomIn(source) <= 0) return chosen;
        if (everySource(group, (room, size) => size <= room)) choose(group);
      }
      if (roomIn(source) <= 0) return chosen;
      const smallest = order
        .filter((group) => !chosen.has(group) && everySource(group, (room) => room > 0))
        .reduce<number | undefined>((best, group) => {
          return best === undefined || sizeHere(group) < sizeHere(best) ? group : best;
        }, undefined);
      if (smallest !== undefined) choose(smallest);
      return chosen;
    },

    notes() {
      const counts = sources.map((of, source) => {
        return { ...of, have: count[source] ?? 0, want: quota[source] ?? 0, images: total[source] ?? 0 };
      });
      return split === 'keep' ? notesOnLabels(counts) : counts.flatMap((one) => noteOnSource(one, counts));
    },
  };
}

interface SourceCounts extends SplitSource {
  /** Images in test. */
  readonly have: number;
  readonly want: number;
  readonly images: number;
}

function noteOnSource(
  { zipName, label, nTest, have, want, images }: SourceCounts,
  all: readonly SplitSource[],
): string[] {
  if (have === want || images === 0) return [];
  const wanted = `${want} (n-test ${formatNTest(nTest)})`;
  const isAlone = all.filter((other) => other.zipName === zipName).length === 1;
  const name = isAlone ? zipName : `${zipName} (${label})`;
  if (have === images) return [`${name}: all ${images} images go to test, ${wanted} were asked for.`];
  return [`${name}: ${have} images go to test instead of ${wanted}, because groups stay together.`];
}

/** Where sides are kept, what a zip has too few of may lie in another one that it was one with. */
function notesOnLabels(sources: readonly SourceCounts[]): string[] {
  const labels = new Map<string, { have: number; want: number }>();
  for (const { label, have, want, images } of sources) {
    if (images === 0) continue;
    const before = labels.get(label) ?? { have: 0, want: 0 };
    labels.set(label, { have: before.have + have, want: before.want + want });
  }
  const others = [...labels].filter(([, { have, want }]) => have !== want);
  if (others.length === 0) return [];
  const list = others.map(([label, { have, want }]) => `${label} ${have} instead of ${want}`).join(', ');
  return [
    `More or fewer images than n-test asks for are in test, because known images keep their sides and groups stay together: ${list}.`,
  ];
}

function stableSplit(sources: readonly SplitSource[], { seed }: SplitOptions): Decider {
  const percentages = sources.map(({ zipName, nTest }) => {
    if (nTest.kind === 'percentage') return nTest.percentage;
    throw new DiatomError(
      'INPUT',
      `Input split: stable needs a percentage as n-test, such as 20%, found ${nTest.count} for ${zipName}: with a fixed number, every new image could push another out of test.`,
    );
  });
  const isTest = ({ sizes, keys }: SplitGroup<unknown>) => {
    const percentage = Math.max(...sizes.map(([source]) => percentages[source] ?? 0));
    return keys.some((key) => hashFraction([seed, key]) * 100 < percentage);
  };
  return {
    split: (_, groups, before) =>
      new Set(
        groups.flatMap((group, place) => {
          const earlier = group.token === undefined ? undefined : before(group.token);
          return (earlier ?? isTest(group)) ? [place] : [];
        }),
      ),
    notes: () => [],
  };
}

/** Items in the order of the hashes of their names. */
function shuffle<T>(items: readonly T[], nameOf: (item: T) => readonly string[]): T[] {
  return items
    .map((item) => ({ item, hash: hashOf(nameOf(item)) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ item }) => item);
}

/** Hexadecimal. */
function hashOf(parts: readonly string[]): string {
  // JSON keeps the parts apart: ['ab', 'c'] and ['a', 'bc'] must not meet.
  return hash('sha256', JSON.stringify(parts));
}

/** A number in [0, 1), evenly spread. */
function hashFraction(parts: readonly string[]): number {
  return Number.parseInt(hashOf(parts).slice(0, 12), 16) / 2 ** 48;
}

function unknownSource(source: number): never {
  throw new Error(`There is no source ${source}`);
}
