import { expect, test } from 'vitest';
import { createWrittenLength } from '../../src/files/written-length.ts';

test('whoever waits for a level hears of it when it is reached, at once when it was, and not before', async () => {
  const line = createWrittenLength();
  const heard: [wanted: number, level: number][] = [];
  const waiting = [10, 20, 30].map((wanted) => line.reach(wanted).then((level) => heard.push([wanted, level])));
  line.set(9);
  await line.reach(9);
  expect(heard).toEqual([]);
  line.set(25);
  await Promise.all(waiting.slice(0, 2));
  expect(heard).toEqual([
    [10, 25],
    [20, 25],
  ]);
  expect(line.level).toBe(25);
});

test('the level may fall, and what was reached before has to be reached again', async () => {
  const line = createWrittenLength();
  line.set(50);
  line.set(5);
  let reached = false;
  const waiting = line.reach(20).then(() => {
    reached = true;
  });
  line.set(19);
  await line.reach(19);
  expect(reached).toBe(false);
  line.set(20);
  await waiting;
});
