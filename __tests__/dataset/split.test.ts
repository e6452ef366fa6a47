import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PlanOptions } from '../../src/dataset/plan-types.ts';
import { failureOf } from '../helpers/failure.ts';
import {
  anySources,
  count,
  distinct,
  type FakeImage,
  type FakeSource,
  image,
  type Plan,
  percent,
  plan,
  source,
  testSizes,
} from '../helpers/plan-sources.ts';

const SPECIMEN = /^s\d+/u;
const anySeed = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const anyCount = fc.integer({ min: 0, max: 12 }).map(count);
const anyPercentage = fc.integer({ min: 1, max: 60 }).map(percent);
const anyDuplicates = fc.constantFrom<PlanOptions['duplicates']>('keep-together', 'drop');
const anyGrouping = fc.constantFrom(undefined, SPECIMEN);

/** The plan with one image more a label, which no seed sends to test: that a label lacks training is not the matter here. */
function planAnyway(sources: readonly FakeSource[], options: Partial<PlanOptions>): Plan {
  const labels = [...new Set(sources.map(({ label }) => label))];
  const padding = labels.map((label, index) =>
    source(
      `padding-${index}.zip`,
      label,
      [image(`s99${index}.png`, 90_000 + index)],
      options.split === 'stable' ? percent(0) : count(0),
    ),
  );
  const result = plan([...sources, ...padding], options);
  return { ...result, images: result.images.filter(({ source }) => source < sources.length) };
}

/** Of each source, which of its images are in test, by path. */
function testPaths(of: Plan, zipIndex: number): string[] {
  return of.images
    .filter((planned) => planned.source === zipIndex && planned.split === 'test')
    .map((planned) => planned.image.path);
}

function sides(of: Plan, keyOf: (planned: Plan['images'][number]) => string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const planned of of.images) {
    const key = keyOf(planned);
    found.set(key, (found.get(key) ?? new Set()).add(planned.split));
  }
  return found;
}

describe('shuffle', () => {
  test('n images of each folder go to test, exactly, or all when there are fewer', () => {
    const folders = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 15 })), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(folders, anySeed, (sizes, seed) => {
        const sources = sizes.map(([size, n], index) =>
          source(`${index}.zip`, 'Hannaea', distinct(size, index * 100), count(n)),
        );
        expect(testSizes(planAnyway(sources, { seed }), sources)).toEqual(sizes.map(([size, n]) => Math.min(size, n)));
      }),
    );
  });

  test('10 means 10, for each downloaded folder, also for two of one label', () => {
    const sources = ['a', 'b', 'c'].map((name, index) =>
      source(`${name}.zip`, index < 2 ? 'Hannaea' : 'Gomphonema', distinct(25, index * 100), count(10)),
    );
    expect(testSizes(plan(sources), sources)).toEqual([10, 10, 10]);
  });

  test('a percentage is rounded, and every folder of two or more has a test image', () => {
    const sources = [100, 12, 2, 1].map((size, index) =>
      source(`${index}.zip`, 'Hannaea', distinct(size, index * 1_000), percent(20)),
    );
    expect(testSizes(plan(sources), sources)).toEqual([20, 2, 1, 0]);
  });

  test('every image is planned once, and no group or content is on both sides, also across zips', () => {
    fc.assert(
      fc.property(
        anySources({ nTest: fc.oneof(anyCount, anyPercentage) }),
        anySeed,
        anyGrouping,
        anyDuplicates,
        (sources, seed, groupBy, duplicates) => {
          const result = planAnyway(sources, { seed, groupBy, duplicates });
          const all = sources.flatMap(({ images }, index) => images.map(({ path }) => `${index} ${path}`));
          const there = [
            ...result.images.map((planned) => `${planned.source} ${planned.image.path}`),
            ...result.leftOut.map(({ zipName, path }) => `${Number.parseInt(zipName, 10)} ${path}`),
          ];
          expect(there.toSorted()).toEqual(all.toSorted());
          for (const both of sides(result, (planned) => String(planned.image.content)).values())
            expect(both.size).toBe(1);
          if (!groupBy) return;
          const specimens = sides(result, ({ label, image: { path } }) => `${label} ${SPECIMEN.exec(path)?.[0]}`);
          for (const both of specimens.values()) expect(both.size).toBe(1);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('images under two labels stay on one side too, when that is only a warning', () => {
    const shared = fc.array(fc.nat(20), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(shared, shared, anySeed, (a, b, seed) => {
        const images = (contents: number[]) => contents.map((content, index) => image(`${index}.png`, content));
        const sources = [
          source('a.zip', 'Hannaea', images(a), count(3)),
          source('b.zip', 'Gomphonema', images(b), count(3)),
        ];
        const result = planAnyway(sources, { seed, labelConflicts: 'warn' });
        for (const both of sides(result, (planned) => String(planned.image.content)).values())
          expect(both.size).toBe(1);
      }),
    );
  });

  test('groups of one folder exceed n-test by less than one group, never fall short, and the report says so', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 20 }),
        anySeed,
        (sizes, n, seed) => {
          const images = sizes.flatMap((size, specimen) =>
            Array.from({ length: size }, (_, at) => image(`s${specimen}_${at}.png`, specimen * 10 + at)),
          );
          const sources = [source('a.zip', 'Hannaea', images, count(n))];
          const result = planAnyway(sources, { seed, groupBy: SPECIMEN });
          const inTest = testSizes(result, sources)[0] ?? 0;
          const test = sides(result, ({ image: { path } }) => `${SPECIMEN.exec(path)?.[0]}`);
          const chosen = sizes.filter((_, specimen) => test.get(`s${specimen}`)?.has('test'));
          expect(inTest).toBeGreaterThanOrEqual(Math.min(n, images.length));
          if (inTest > n) expect(inTest - n).toBeLessThan(Math.max(...chosen));
          expect(result.warnings.filter((warning) => warning.startsWith('a.zip'))).toEqual(
            inTest === n
              ? []
              : inTest === images.length
                ? [`a.zip: all ${images.length} images go to test, ${n} (n-test ${n}) were asked for.`]
                : [`a.zip: ${inTest} images go to test instead of ${n} (n-test ${n}), because groups stay together.`],
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('groups that span folders exceed n-test of none of them by a whole group', () => {
    fc.assert(
      fc.property(anySources({ nTest: anyCount, labels: ['Hannaea'] }), anySeed, (sources, seed) => {
        const result = planAnyway(sources, { seed, groupBy: SPECIMEN });
        testSizes(result, sources).forEach((inTest, index) => {
          const { nTest } = sources[index] ?? { nTest: count(0) };
          if (nTest.kind !== 'count' || inTest <= nTest.count) return;
          // Copies can tie specimens together, so a group is at most what is in test of this folder.
          const largest = largestGroup(sources, index);
          expect(inTest - nTest.count).toBeLessThan(largest);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('the same seed gives the same split, another seed another', () => {
    fc.assert(
      fc.property(anySources({ nTest: anyCount }), anySeed, anyGrouping, (sources, seed, groupBy) => {
        expect(planAnyway(sources, { seed, groupBy })).toEqual(planAnyway(structuredClone(sources), { seed, groupBy }));
      }),
    );
    const sources = [source('a.zip', 'Hannaea', distinct(100), count(10))];
    expect(testPaths(plan(sources, { seed: '1' }), 0)).not.toEqual(testPaths(plan(sources, { seed: '2' }), 0));
  });

  test('over many seeds every image is about as often in test as any other', () => {
    const sources = [source('a.zip', 'Hannaea', distinct(20), count(5))];
    const times = new Map<string, number>();
    for (let seed = 0; seed < 2_000; seed++) {
      for (const path of testPaths(plan(sources, { seed: String(seed) }), 0))
        times.set(path, (times.get(path) ?? 0) + 1);
    }
    // 500 times each is expected, with a standard deviation below 20.
    expect(times.size).toBe(20);
    expect(Math.min(...times.values())).toBeGreaterThan(400);
    expect(Math.max(...times.values())).toBeLessThan(600);
  });

  test('the draw of a folder does not depend on others that share no image with it', () => {
    const [from, to] = [
      anySources({ nTest: anyCount, labels: ['Hannaea'] }),
      anySources({ nTest: anyCount, labels: ['x', 'Gomphonema'] }),
    ];
    fc.assert(
      fc.property(from, to, anySeed, fc.boolean(), (sources, more, seed, before) => {
        const renamed = more.map((other) => ({
          ...other,
          zipName: `more-${other.zipName}`,
          label: 'Gomphonema',
          images: other.images.map(({ path, content }) => image(path, content + 5_000)),
        }));
        const alone = planAnyway(sources, { seed, groupBy: SPECIMEN });
        const together = planAnyway(before ? [...renamed, ...sources] : [...sources, ...renamed], {
          seed,
          groupBy: SPECIMEN,
        });
        sources.forEach((_, index) => {
          expect(testPaths(together, before ? index + renamed.length : index)).toEqual(testPaths(alone, index));
        });
      }),
    );
  });

  test('is the same on every machine: a known split', () => {
    const sources = [source('a.zip', 'Hannaea', distinct(12), count(4))];
    expect(testPaths(plan(sources, { seed: 'demo' }), 0)).toEqual(['0000.png', '0001.png', '0008.png', '0011.png']);
  });
});

describe('stable', () => {
  const stable = { split: 'stable', seed: 'demo' } as const;

  test('the share of test follows the percentage', () => {
    for (const percentage of [0, 20, 50]) {
      const sources = [source('a.zip', 'Hannaea', distinct(5_000), percent(percentage))];
      const share = (testSizes(plan(sources, stable), sources)[0] ?? 0) / 50;
      // A binomial draw of 5,000 has a standard deviation of at most 0.71 percentage points.
      expect(Math.abs(share - percentage)).toBeLessThan(3);
    }
  });

  test('no group or content is on both sides', () => {
    fc.assert(
      fc.property(
        anySources({ nTest: anyPercentage }),
        anySeed,
        anyGrouping,
        anyDuplicates,
        (sources, seed, groupBy, duplicates) => {
          const result = planAnyway(sources, { split: 'stable', seed, groupBy, duplicates });
          for (const both of sides(result, (planned) => String(planned.image.content)).values())
            expect(both.size).toBe(1);
          if (!groupBy) return;
          const specimens = sides(result, ({ label, image: { path } }) => `${label} ${SPECIMEN.exec(path)?.[0]}`);
          for (const both of specimens.values()) expect(both.size).toBe(1);
        },
      ),
    );
  });

  test('no image ever moves from test to train when images and zips are added, anywhere in the list', () => {
    const growth = fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 6 }), fc.nat(60)), { maxLength: 10 });
    fc.assert(
      fc.property(
        anySources({ nTest: anyPercentage }),
        anySources({ nTest: anyPercentage }),
        growth,
        anySeed,
        anyGrouping,
        anyDuplicates,
        fc.boolean(),
        (sources, added, more, seed, groupBy, duplicates, before) => {
          const grown = sources.map((old, index) => {
            const base = ['Achnanthes', 'Gomphonema', 'Hannaea'].indexOf(old.label) * 1_000;
            const images = more
              .filter(([to]) => to === index)
              .map(([, specimen, content], at) => image(`s${specimen}_new${at}.png`, base + content));
            return { ...old, images: [...old.images, ...images] };
          });
          const newZips = added.map((zip) => ({ ...zip, zipName: `new-${zip.zipName}` }));
          const options = { split: 'stable', seed, groupBy, duplicates } as const;
          const was = sides(planAnyway(sources, options), (planned) => String(planned.image.content));
          const is = sides(planAnyway(before ? [...newZips, ...grown] : [...grown, ...newZips], options), (planned) =>
            String(planned.image.content),
          );
          for (const [content, side] of was) if (side.has('test')) expect(is.get(content)).toEqual(new Set(['test']));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a fixed number is refused, since a new image would push another out of test', async () => {
    const { code, message } = await failureOf(() =>
      plan([source('a.zip', 'Hannaea', distinct(30), count(10))], stable),
    );
    expect(code).toBe('INPUT');
    expect(message).toMatch(/^Input split: stable needs a percentage as n-test, such as 20%, found 10 for a\.zip/);
  });
});

test('images of equal size and CRC-32 that differ are no copies', () => {
  const twins = [0, 1].map((index) => ({ ...image(`${index}.png`, 7), content: index }));
  const { images, leftOut } = plan([source('a.zip', 'Hannaea', [...twins, ...distinct(5, 50)])], {
    duplicates: 'drop',
  });
  expect(images).toHaveLength(7);
  expect(leftOut).toEqual([]);
});

/** The most images of one source that are tied together by specimen or content. */
function largestGroup(sources: readonly FakeSource[], of: number): number {
  const all = sources.flatMap(({ images }, index) => images.map((member) => ({ member, index })));
  const tied = (a: FakeImage, b: FakeImage) =>
    a.content === b.content || SPECIMEN.exec(a.path)?.[0] === SPECIMEN.exec(b.path)?.[0];
  const sizes = all.map((first) => {
    const reached = new Set([first]);
    for (const { member } of reached) for (const other of all) if (tied(member, other.member)) reached.add(other);
    return [...reached].filter(({ index }) => index === of).length;
  });
  return Math.max(...sizes);
}
