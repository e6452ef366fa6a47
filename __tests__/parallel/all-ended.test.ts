import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mapAllEnded } from '../../src/parallel/all-ended.ts';

test('results come in the order of the items, lists among them as they are, and no more work is under way than said', async () => {
  let atWork = 0;
  let most = 0;
  const results = await mapAllEnded([3, 2, 1, 0], 2, async (item) => {
    most = Math.max(most, ++atWork);
    await sleep(item * 3);
    atWork -= 1;
    return [item];
  });
  expect(results).toEqual([[3], [2], [1], [0]]);
  expect(most).toBe(2);
});

test('a failure waits for what is under way, and nothing more is begun', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await sleep(item * 10);
    ended.push(item);
    if (item === 1) throw new Error('the first');
  };
  await expect(mapAllEnded([1, 3, 2, 4], 2, work)).rejects.toThrow('the first');
  expect({ begun, ended }).toEqual({ begun: [1, 3], ended: [1, 3] });
});
