import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DatasetImage } from '../../src/train-model/images.ts';
import { readAnswers } from '../../src/train-model/predictions.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const LABELS = ['a, b', 'c'];
const IMAGES: DatasetImage[] = [
  { path: 'test/a, b/1.png', label: 'a, b', split: 'test', sha256: '11', group: '' },
  { path: 'test/c/2.png', label: 'c', split: 'test', sha256: '22', group: '' },
];
const GOOD = 'path,sha256,label,predicted\r\n"test/a, b/1.png",11,"a, b",c\r\ntest/c/2.png,22,c,c\r\n';

function folderWith(predictions: string | undefined): string {
  const folder = temporaryFolder();
  if (predictions !== undefined) writeFileSync(join(folder, 'predictions.csv'), predictions);
  return folder;
}

async function answers(candidate: string | undefined, production: string | undefined) {
  const warnings: string[] = [];
  const folders = { candidate: folderWith(candidate), production: folderWith(production) };
  const images = await readAnswers(folders, IMAGES, LABELS, (message) => void warnings.push(message));
  return { images, warnings };
}

test('two lists of predictions become one line an image, whatever their order and other columns', async () => {
  const other = 'predicted,label,path\nc,c,test/c/2.png\n"a, b","a, b","test/a, b/1.png"\n';
  expect(await answers(GOOD, other)).toEqual({
    images: [
      { path: 'test/a, b/1.png', sha256: '11', label: 'a, b', candidate: 'c', production: 'a, b' },
      { path: 'test/c/2.png', sha256: '22', label: 'c', candidate: 'c', production: 'c' },
    ],
    warnings: [],
  });
});

test('images that a list lacks are counted, and the others compared', async () => {
  const { images, warnings } = await answers(GOOD, 'path,label,predicted\ntest/c/2.png,c,c\n');
  expect(images).toHaveLength(1);
  expect(warnings).toEqual(['1 of 2 images were not compared one by one: predictions.csv lacks them.']);
});

test.each([
  ['is not there', undefined, 'the test-command writes no predictions.csv, or'],
  ['is empty', 'path,label,predicted\n', 'the test-command writes no predictions.csv, or an empty one.'],
  ['lacks a column', 'path,label\ntest/c/2.png,c\n', 'image 1 has no predicted, expected is the columns path, label'],
  [
    'has other paths',
    'path,label,predicted\n/data/test/c/2.png,c,c\n',
    'image 1 has the path “/data/test/c/2.png”, expected is path and label as below $DATA_DIR, such as test/a, b/1.png',
  ],
  ['has another label', 'path,label,predicted\ntest/c/2.png,d,c\n', 'image 1 has the label “d” for test/c/2.png'],
  ['predicts a number', 'path,label,predicted\ntest/c/2.png,c,1\n', 'is taken for “1”, expected is a label of'],
  ['names an image twice', `${GOOD}test/c/2.png,22,c,c\r\n`, 'test/c/2.png is there twice'],
])('a list that %s is a warning, and the figures alone are compared', async (_, text, expected) => {
  for (const [candidate, production] of [[GOOD, text] as const, [text, GOOD] as const]) {
    const { images, warnings } = await answers(candidate, production);
    expect(images).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('whether a class was lost is not known: ');
    expect(warnings[0]).toContain(expected);
  }
});

test('a link in place of the list is not followed', async () => {
  const folder = temporaryFolder();
  symlinkSync(join(folderWith(GOOD), 'predictions.csv'), join(folder, 'predictions.csv'));
  const warnings: string[] = [];
  const folders = { candidate: folder, production: folder };
  expect(await readAnswers(folders, IMAGES, LABELS, (message) => void warnings.push(message))).toBeUndefined();
  expect(warnings).toHaveLength(1);
});
