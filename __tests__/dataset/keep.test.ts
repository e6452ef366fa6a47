import { describe, expect, test } from 'vitest';
import { createKnownImages } from '../../src/dataset/known-images.ts';
import type { KnownImage } from '../../src/dataset/sides.ts';
import { createSidesUpdate } from '../../src/dataset/sides-update.ts';
import type { Split } from '../../src/dataset/split.ts';
import { failureOf } from '../helpers/failure.ts';
import {
  count,
  distinct,
  type FakeSource,
  image,
  type Plan,
  percent,
  plan,
  source,
  testSizes,
} from '../helpers/plan-sources.ts';

const keep = { split: 'keep', seed: 'demo' } as const;
const SPECIMEN = /^s\d+/u;

/** What is known after a plan. */
function knownOf({ images }: Plan): KnownImage[] {
  return images.map(({ image: { crc32, bytes }, split: side, group, label }) => {
    return { sha256: undefined, crc32, bytes, side, group, label };
  });
}

function known(content: number, side: Split, group?: string): KnownImage {
  return { sha256: undefined, crc32: content, bytes: 100, side, group, label: undefined };
}

function sidesOf({ images }: Plan): Map<number, Split> {
  return new Map(images.map(({ image: { content }, split }) => [content, split]));
}

const hannaea = [source('a.zip', 'Hannaea', distinct(50), percent(20))];

describe('the first data set of a line', () => {
  test('is split as by shuffle with the same seed', () => {
    const sources = [...hannaea, source('b.zip', 'Gomphonema', distinct(30, 100), count(10))];
    for (const groupBy of [undefined, /^\d{3}/u]) {
      const shuffled = plan(sources, { ...keep, split: 'shuffle', groupBy });
      expect(plan(sources, { ...keep, groupBy }, []).images).toEqual(shuffled.images);
      expect(plan(sources, { ...keep, groupBy }).images).toEqual(shuffled.images);
    }
  });
});

describe('known images', () => {
  const first = plan(hannaea, keep, []);
  const base = knownOf(first);

  test('stay where they are whatever name, zip, label and seed are now, and new ones fill up to n-test', () => {
    const renamed = distinct(50).map((one, index) => ({ ...one, path: `other ${99 - index}.png` }));
    const next: FakeSource[] = [
      source('renamed.zip', 'Navicula', renamed.toReversed(), percent(20)),
      source('more.zip', 'Gomphonema', distinct(20, 100), count(4)),
    ];
    const second = plan(next, { ...keep, seed: 'another' }, base);
    expect(testSizes(second, next)).toEqual([10, 4]);
    for (const [content, side] of sidesOf(first)) expect(sidesOf(second).get(content)).toBe(side);
  });

  test('of a zip that has grown count first: only new images are drawn', () => {
    const next = [source('a.zip', 'Hannaea', distinct(80), percent(20))];
    const second = plan(next, keep, base);
    expect(testSizes(second, next)).toEqual([16]);
    expect(second.warnings).toEqual([]);
  });

  test('stay in test when n-test asks for fewer, and the report says so of the class', () => {
    const next = [source('a.zip', 'Hannaea', distinct(50), count(3))];
    const second = plan(next, keep, base);
    expect(testSizes(second, next)).toEqual([10]);
    expect(second.warnings).toEqual([
      'More or fewer images than n-test asks for are in test, because known images keep their sides and groups stay together: Hannaea 10 instead of 3.',
    ]);
  });

  test('that agree in CRC-32 and size share a side, as new ones do: test, when a base has them on both', () => {
    const twins = [image('1.png', 1), { ...image('2.png', 2), crc32: 1 }];
    const next = [source('a.zip', 'Hannaea', [...twins, ...distinct(40, 100)], count(1))];
    expect(sidesOf(plan(next, keep, [known(1, 'train'), known(1, 'test'), ...manyKnown(100, 20)])).get(1)).toBe('test');
    for (const seed of Array.from({ length: 30 }, (_, index) => String(index))) {
      const sides = sidesOf(plan(next, { ...keep, seed, duplicates: 'drop' }, []));
      expect(sides.get(1)).toBe(sides.get(2));
    }
  });
});

const manyKnown = (from: number, number: number) =>
  Array.from({ length: number }, (_, index) => known(from + index, 'train'));

describe('groups', () => {
  const specimen = (number: number, contents: readonly number[]) =>
    contents.map((content) => image(`s${number}_${content}.png`, content));
  const others = Array.from({ length: 30 }, (_, index) => image(`s${index + 10}_0.png`, index + 500));
  const base = manyKnown(500, 30);

  test('go to test whole when their known images lie on both sides', () => {
    const next = [source('a.zip', 'Hannaea', [...specimen(1, [1, 2, 3]), ...others], count(0))];
    const sides = sidesOf(plan(next, { ...keep, groupBy: SPECIMEN }, [known(1, 'train'), known(2, 'test'), ...base]));
    expect([1, 2, 3].map((content) => sides.get(content))).toEqual(['test', 'test', 'test']);
    expect([...sides.values()].filter((side) => side === 'test')).toHaveLength(3);
  });

  test('take new images to the side of the known ones, also of those that are gone', () => {
    const next = [source('a.zip', 'Hannaea', [...specimen(1, [1, 2]), ...specimen(2, [3]), ...others], count(2))];
    const gone = [known(91, 'test', 'Hannaea/s2'), known(92, 'train', 'Gomphonema/s1')];
    for (const seed of ['1', '2', '3', '4', '5']) {
      const sides = sidesOf(plan(next, { ...keep, seed, groupBy: SPECIMEN }, [known(1, 'train'), ...gone, ...base]));
      expect([1, 2, 3].map((content) => sides.get(content))).toEqual(['train', 'train', 'test']);
    }
  });

  test('that would take more than a tenth of a label’s training images to test end the run with the ways out', async () => {
    const next = [source('a.zip', 'Hannaea', [...specimen(1, [1, 2, 3, 4, 5]), ...others], count(0))];
    const some = [2, 3, 4, 5].map((content) => known(content, 'train'));
    const { code, message } = await failureOf(() =>
      plan(next, { ...keep, groupBy: SPECIMEN }, [known(1, 'test'), ...some, ...base]),
    );
    expect(code).toBe('DATA_SET');
    expect(message).toContain('Of the label “Hannaea”, 4 of 34 known training images.');
    expect(message).toContain('previous: none');
    // Three of 33 are fewer than a tenth.
    plan(
      [source('a.zip', 'Hannaea', [...specimen(1, [1, 2, 3, 4]), ...others], count(0))],
      { ...keep, groupBy: SPECIMEN },
      [known(1, 'test'), ...some, ...base],
    );
  });
});

test('a label that has known test images alone is an error, before anything is downloaded', async () => {
  const next = [source('a.zip', 'Hannaea', distinct(3), count(0)), source('b.zip', 'Gomphonema', distinct(9, 10))];
  const { code, message } = await failureOf(() =>
    plan(
      next,
      keep,
      [0, 1, 2].map((content) => known(content, 'test')),
    ),
  );
  expect(code).toBe('DATA_SET');
  expect(message).toContain('The label “Hannaea” (a.zip) has 3 images, and all go to test: none is left for training.');
  expect(message).toContain('images that were test images once stay so');
});

describe('the sides of the next data set', () => {
  const sum = (digit: string) => digit.repeat(64);
  const update = (base: readonly KnownImage[], images: readonly KnownImage[], isGrouped = true) => {
    const sides = createSidesUpdate(createKnownImages(base), { isGrouped });
    return [...images.flatMap(sides.add), ...sides.rest()];
  };
  const here = (content: number, sha256: string, group?: string): KnownImage => {
    return { ...known(content, 'test', group), sha256, label: 'Hannaea' };
  };

  test('have an image that was read instead of the one that nobody had read', () => {
    expect(update([known(1, 'test')], [here(1, sum('a'))])).toEqual([here(1, sum('a'))]);
  });

  test('keep what is gone, without its label, and another image that only agrees in CRC-32 and size', () => {
    const other = { ...here(1, sum('b')), side: 'train' as const };
    expect(update([other, here(2, sum('c'), 'Hannaea/s1')], [here(1, sum('a'))])).toEqual([
      here(1, sum('a')),
      { ...here(1, sum('b')), label: undefined },
      { ...here(2, sum('c'), 'Hannaea/s1'), label: undefined },
    ]);
  });

  test('keep the groups of the images when a data set is made without groups, and have new ones else', () => {
    const base = [here(1, sum('a'), 'Hannaea/s1')];
    expect(update(base, [here(1, sum('a'))], false)).toEqual(base);
    expect(update(base, [here(1, sum('a'))])).toEqual([here(1, sum('a'))]);
    expect(update(base, [here(1, sum('a'), 'Hannaea/s2')])).toEqual([here(1, sum('a'), 'Hannaea/s2')]);
  });
});
