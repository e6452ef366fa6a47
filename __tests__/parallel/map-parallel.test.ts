import { expect, test } from 'vitest';
import { mapParallel } from '../../src/parallel/map-parallel.ts';

test('results come in the order of the items, and no more than the allowed number is under way', async () => {
  let underWay = 0;
  let most = 0;
  const results = await mapParallel([3, 1, 2, 0, 4], 2, async (turns, index) => {
    most = Math.max(most, ++underWay);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    underWay--;
    return `${index}:${turns}`;
  });
  expect(results).toEqual(['0:3', '1:1', '2:2', '3:0', '4:4']);
  expect(most).toBe(2);
});

test('after a failure nothing new is begun', async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await Promise.resolve();
    if (item === 1) throw new Error('one');
  };
  await expect(mapParallel([0, 1, 2, 3, 4, 5], 1, work)).rejects.toThrow('one');
  expect(begun).toEqual([0, 1]);
});

test('an empty list is done at once', async () => {
  expect(await mapParallel([], 4, async () => 1)).toEqual([]);
});
