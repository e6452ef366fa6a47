import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createGallery } from '../../src/dataset/gallery.ts';
import type { Split } from '../../src/dataset/split.ts';

const images = (split: Split, count: number, bytes = 100_000) =>
  Array.from({ length: count }, (_, at) => ({ split, at, image: { bytes } }));

const labels = (count: number) => Array.from({ length: count }, (_, at) => `class ${at}`);

function countsOf(chosen: Iterable<{ readonly split: Split }>): Record<Split, number> {
  const counts = { train: 0, test: 0 };
  for (const { split } of chosen) counts[split]++;
  return counts;
}

describe('the gallery', () => {
  test.each([
    [6, { train: 3, test: 3 }],
    [16, { train: 3, test: 3 }],
    [100, { train: 3, test: 3 }],
    [300, { train: 2, test: 1 }],
    [450, { train: 1, test: 1 }],
  ])('of %d classes shows train and test of every one, within 3 MB', (count, expected) => {
    const gallery = createGallery(labels(count));
    const chosen = labels(count).map((label) => gallery.choose(label, [...images('train', 30), ...images('test', 10)]));
    for (const of of chosen) expect(countsOf(of)).toEqual(expected);
    const pictures = chosen.reduce((sum, { size }) => sum + size, 0);
    expect((pictures * gallery.pictureBytes * 4) / 3).toBeLessThan(2_000_000);
  });

  test('shows the first 450 of more classes', () => {
    const gallery = createGallery(labels(1_000));
    const sizes = labels(1_000).map((label) => gallery.choose(label, images('train', 5)).size);
    expect(sizes.filter((size) => size > 0)).toHaveLength(450);
  });

  test('shows every image of a small class', () => {
    const own = [...images('train', 2), ...images('test', 1)];
    expect([...createGallery(['c']).choose('c', own)]).toEqual(own);
  });

  test('is spread over the zips of a class and over each one’s images', () => {
    const gallery = createGallery(['c', 'c', 'c']);
    const chosen = [1, 2, 3].map(() => gallery.choose('c', [...images('train', 30), ...images('test', 30)]));
    expect(chosen.map(countsOf)).toEqual(Array(3).fill({ train: 1, test: 1 }));
    const [one] = [createGallery(['c']).choose('c', images('train', 90))];
    expect([...one].map(({ at }) => at)).toEqual([0, 30, 60]);
  });

  test('takes from later zips what those before did not have', () => {
    const gallery = createGallery(['c', 'c']);
    expect(countsOf(gallery.choose('c', images('train', 10)))).toEqual({ train: 2, test: 0 });
    expect(countsOf(gallery.choose('c', [...images('train', 10), ...images('test', 9)]))).toEqual({
      train: 1,
      test: 3,
    });
  });

  test('shows fewer of very large images, but always one of each side', () => {
    const gallery = createGallery(labels(100));
    const large = [...images('train', 30, 20_000_000), ...images('test', 30, 20_000_000)];
    expect(countsOf(gallery.choose('class 7', large))).toEqual({ train: 1, test: 1 });
  });

  test('chooses from what is there, whatever that is', () => {
    const image = fc.record({
      split: fc.constantFrom<Split>('train', 'test'),
      image: fc.record({ bytes: fc.integer({ min: 0, max: 3e8 }) }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(image, { maxLength: 40 }), { maxLength: 5 }), (sources) => {
        const gallery = createGallery(sources.map(() => 'c'));
        const chosen = sources.flatMap((of) => {
          const some = gallery.choose('c', of);
          for (const one of some) expect(of).toContain(one);
          return [...some];
        });
        expect(countsOf(chosen).train).toBeLessThanOrEqual(3);
        expect(countsOf(chosen).test).toBeLessThanOrEqual(3);
      }),
    );
  });
});
