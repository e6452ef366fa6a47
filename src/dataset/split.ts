import { createHash } from 'node:crypto';
import { DiatomError } from '../errors.ts';
import type { Group } from './groups.ts';
import { formatNTest, type NTest, testQuota } from './n-test.ts';

export type Split = 'train' | 'test';

/** One downloaded folder, the unit that `n-test` counts in. */
export interface SplitSource {
  readonly zipName: string;
  readonly nTest: NTest;
}

/** What splitting needs to know of an image. */
export interface SplittableImage {
  /** The image's place in the list of sources. */
  readonly source: number;
}

export interface SplitResult<Image> {
  readonly test: ReadonlySet<Image>;
  /** Sentences about folders whose number of test images is not the one asked for. */
  readonly notes: string[];
}

/**
 * `shuffle`: of every source, in list order, the groups are shuffled and as many go to test as make its number of test
 * images. A group that does not fit is passed over for later ones; only when nothing else fits does one go in that
 * exceeds the number, so test exceeds it by less than one group. A group that spans sources goes in as a whole, and
 * only while none of them has its number.
 *
 * The shuffle is the order of SHA-256 over seed, zip name and group, so it needs no random generator, is the same on
 * every machine, and the draw of one folder does not depend on the others.
 */
export function splitByShuffle<Image extends SplittableImage>(
  groups: readonly Group<Image>[],
  sources: readonly SplitSource[],
  seed: string,
): SplitResult<Image> {
  const sizes = groups.map((group) => countBySource(group));
  const groupsOf = sources.map(() => [] as number[]);
  sizes.forEach((size, group) => {
    for (const [source] of size) groupsOf[source]?.push(group);
  });
  const sizeIn = (group: number, source: number) => sizes[group]?.find(([of]) => of === source)?.[1] ?? 0;
  const total = sources.map((_, source) => sum(groupsOf[source] ?? [], (group) => sizeIn(group, source)));
  const quota = sources.map(({ nTest }, source) => testQuota(nTest, total[source] ?? 0));
  const count = sources.map(() => 0);
  const chosen = new Set<number>();

  const choose = (group: number) => {
    chosen.add(group);
    for (const [source, size] of sizes[group] ?? []) count[source] = (count[source] ?? 0) + size;
  };
  const everySource = (group: number, test: (room: number, size: number) => boolean) =>
    [...(sizes[group] ?? [])].every(([source, size]) => test((quota[source] ?? 0) - (count[source] ?? 0), size));

  sources.forEach(({ zipName }, source) => {
    const order = shuffle(groupsOf[source] ?? [], (group) => [seed, zipName, ...(groups[group]?.keys ?? [])]);
    const isShort = () => (count[source] ?? 0) < (quota[source] ?? 0);
    for (const group of order) {
      if (!isShort()) return;
      if (!chosen.has(group) && everySource(group, (room, size) => size <= room)) choose(group);
    }
    if (!isShort()) return;
    const smallest = order
      .filter((group) => !chosen.has(group) && everySource(group, (room) => room > 0))
      .reduce<number | undefined>((best, group) => {
        return best === undefined || sizeIn(group, source) < sizeIn(best, source) ? group : best;
      }, undefined);
    if (smallest !== undefined) choose(smallest);
  });

  const notes = sources.flatMap(({ zipName, nTest }, source) => {
    const [have, want, images] = [count[source] ?? 0, quota[source] ?? 0, total[source] ?? 0];
    if (have === want || images === 0) return [];
    const wanted = `${want} (n-test ${formatNTest(nTest)})`;
    if (have === images) return [`${zipName}: all ${images} images go to test, ${wanted} were asked for.`];
    return [`${zipName}: ${have} images go to test instead of ${wanted}, because groups stay together.`];
  });
  return { test: imagesOf(groups, (_, index) => chosen.has(index)), notes };
}

/**
 * `stable`: a group goes to test when the hash of seed and one of its keys falls below the percentage of its source. The
 * keys of a group are looked at one by one, so when a data set grows and two groups become one, the whole stays in
 * test if a part was: an image can move from train to test, never from test to train.
 *
 * @throws DiatomError `INPUT` when a source has a count instead of a percentage
 */
export function splitByHash<Image extends SplittableImage>(
  groups: readonly Group<Image>[],
  sources: readonly SplitSource[],
  seed: string,
): SplitResult<Image> {
  const percentages = sources.map(({ zipName, nTest }) => {
    if (nTest.kind === 'percentage') return nTest.percentage;
    throw new DiatomError(
      'INPUT',
      `Input split: stable needs a percentage as n-test, such as 20%, found ${nTest.count} for ${zipName}: with a fixed number, every new image could push another out of test.`,
    );
  });
  const test = imagesOf(groups, (group) => {
    const percentage = Math.max(...countBySource(group).map(([source]) => percentages[source] ?? 0));
    return group.keys.some((key) => hashFraction([seed, key]) * 100 < percentage);
  });
  return { test, notes: [] };
}

/** How many images of the group each source has: nearly always one of one, and so many that a map would be large. */
function countBySource(group: Group<SplittableImage>): (readonly [source: number, images: number])[] {
  const [first] = group.images;
  if (first && group.images.length === 1) return [[first.source, 1]];
  const counts = new Map<number, number>();
  for (const { source } of group.images) counts.set(source, (counts.get(source) ?? 0) + 1);
  return [...counts];
}

function imagesOf<Image>(
  groups: readonly Group<Image>[],
  isTest: (group: Group<Image>, index: number) => boolean,
): Set<Image> {
  return new Set(groups.filter(isTest).flatMap(({ images }) => images));
}

/** Items in the order of the hashes of their names. */
function shuffle<T>(items: readonly T[], nameOf: (item: T) => readonly string[]): T[] {
  return items
    .map((item) => ({ item, hash: hashOf(nameOf(item)).toString('latin1') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ item }) => item);
}

function hashOf(parts: readonly string[]): Buffer {
  // JSON keeps the parts apart: ['ab', 'c'] and ['a', 'bc'] must not meet.
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** A number in [0, 1), evenly spread. */
function hashFraction(parts: readonly string[]): number {
  return hashOf(parts).readUIntBE(0, 6) / 2 ** 48;
}

function sum<T>(items: readonly T[], sizeOf: (item: T) => number): number {
  return items.reduce((total, item) => total + sizeOf(item), 0);
}
