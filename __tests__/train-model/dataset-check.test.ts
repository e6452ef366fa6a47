import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDataset, maxBrokenOf } from '../../src/train-model/dataset-check.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp } from '../helpers/tiny-data-set.ts';

/** Writes so many whole images a class folder (`train/a`), and other files. */
function makeData(counts: Readonly<Record<string, number>>, others: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder('data');
  let number = 0;
  for (const [place, count] of Object.entries(counts)) {
    mkdirSync(join(folder, place), { recursive: true });
    for (let index = 0; index < count; index++) writeFileSync(join(folder, place, `${index}.bmp`), bmp(number++));
  }
  for (const [path, text] of Object.entries(others)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

async function warningsFor(folder: string, maxBroken = 0.1): Promise<string[]> {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  await checkDataset(folder, { maxBroken, signal: new AbortController().signal, onWarning });
  return warnings;
}

const GOOD = { 'train/a': 40, 'train/b': 40, 'test/a': 10, 'test/b': 10 };

describe('before anything is trained', () => {
  test('a data set in which nothing is wrong gets no word', async () => {
    expect(await warningsFor(makeData(GOOD, { 'train/a/notes.txt': 'seen', 'test/a/.hidden': 'x' }))).toEqual([]);
  });

  test('classes of test that train lacks are all named, with what they may be misspelt from', async () => {
    const error = await failureOf(warningsFor(makeData({ ...GOOD, 'test/B': 3, 'test/Navicula': 2 })));
    expect(error.code).toBe('DATA_SET');
    expect(error.message).toContain('test has classes that train lacks');
    expect(error.message).toContain('“B” (train has “b”), “Navicula”');
  });

  test('classes without an image that can be read are named', async () => {
    const error = await failureOf(warningsFor(makeData({ ...GOOD, 'train/c': 0, 'test/d': 0, 'train/d': 4 })));
    expect(error.message).toContain('no image that can be read in train/c, test/d');
  });

  test('a single class is nothing to tell apart', async () => {
    const error = await failureOf(warningsFor(makeData({ 'train/a': 4, 'test/a': 4 })));
    expect(error.message).toContain('only the class “a”');
  });

  test('test images that can’t be read are named with the reason, and many of them end the run', async () => {
    const broken = { 'test/b/half.png': '\x89PNG\r\n', 'test/b/page.jpg': '<!DOCTYPE html><title>Sign in</title>' };
    const [warning] = await warningsFor(makeData(GOOD, broken));
    expect(warning).toMatch(/^Images that can’t be read:\n- test\/b\/half\.png is .*\n- test\/b\/page\.jpg is /);
    const more = { ...broken, 'test/a/empty.tif': '' };
    const error = await failureOf(warningsFor(makeData(GOOD, more)));
    expect(error.message).toContain('3 of the 23 images in test can’t be read, and MAX_BROKEN=0.1');
    expect(error.message).toContain('- test/a/empty.tif is empty');
    expect(await warningsFor(makeData(GOOD, more), 0.2)).toHaveLength(1);
  });

  test('of many broken images the first are named, and the others counted', async () => {
    const broken = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`train/a/${100 + index}.png`, 'x']));
    const error = await failureOf(warningsFor(makeData(GOOD, broken)));
    expect(error.message).toMatch(/30 of the 110 images in train/);
    expect(error.message).toContain('… and 20 more');
  });

  test('few images of a class, and none to test it with, are said and stop nothing', async () => {
    const warnings = await warningsFor(
      makeData({ 'train/a': 40, 'train/b': 3, 'train/c': 40, 'test/a': 10, 'test/b': 2 }),
    );
    expect(warnings).toEqual([
      'There are no test images of c: how well they are recognised will not be known.',
      expect.stringContaining('Fewer than 30 training images, which is little to learn from: b (3).'),
      expect.stringContaining('b (2), c (0)'),
      expect.stringContaining('Strong imbalance'),
    ]);
  });

  test('everything that has to be put right is said at once', async () => {
    const folder = makeData({ 'train/a': 4, 'train/c': 0, 'test/b': 1 }, { 'test/b/x.png': 'x' });
    const { message } = await failureOf(warningsFor(folder));
    for (const part of ['classes that train lacks', 'train/c', '1 of the 2 images in test'])
      expect(message).toContain(part);
  });
});

test.each([
  [[], 0.1],
  [[['MAX_BROKEN', '0.5']], 0.5],
  [[['MAX_BROKEN', '']], 0.1],
  [[['MAX_BROKEN', 'many']], 0.1],
] as const)('how many may be broken is what the training will be told: %j', (entries, limit) => {
  expect(maxBrokenOf(new Map(entries))).toBe(limit);
});
