import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { comparisonJson, makeTestFolder, unseenImages, whyTooFew } from '../../src/train-model/compare.ts';
import { type DatasetImage, parseTrainingImages, readImages, trainingImagesCsv } from '../../src/train-model/images.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';

const never = new AbortController().signal;

function image(path: string, group = ''): DatasetImage {
  const [split = '', label = ''] = path.split('/');
  return { path, label, split: split === 'train' ? 'train' : 'test', sha256: sha256(path), group };
}

const IMAGES = [
  image('train/a/1.png', 'a/slide, "1"'),
  image('train/b/1.png'),
  image('test/a/2.png', 'a/slide 2'),
  image('test/a/3.png'),
  image('test/b/4.png', 'b/slide 1'),
];

test('only test images count that neither model has seen, nor another image of their group', () => {
  const paths = (...trained: Parameters<typeof unseenImages>[1]) =>
    unseenImages(IMAGES, trained).map(({ path }) => path);
  const none = { sums: new Set<string>(), groups: new Set<string>() };
  expect(paths(none, none)).toEqual(['test/a/2.png', 'test/a/3.png', 'test/b/4.png']);
  expect(paths({ ...none, sums: new Set([sha256('test/a/3.png')]) })).toEqual(['test/a/2.png', 'test/b/4.png']);
  expect(paths(none, { ...none, groups: new Set(['b/slide 1']) })).toEqual(['test/a/2.png', 'test/a/3.png']);
  // Images without a group are in no common one.
  expect(paths({ ...none, groups: new Set(['']) })).toHaveLength(3);
});

test('fewer than 30 images, and a class without one, are too few', () => {
  const many = Array.from({ length: 30 }, (_, index) => image(`test/${index % 2 ? 'a' : 'b'}/${index}.png`));
  expect(whyTooFew(many, ['a', 'b'])).toBeUndefined();
  expect(whyTooFew(many.slice(1), ['a', 'b'])).toBe('there are 29, and at least 30 are needed');
  expect(whyTooFew(many, ['a', 'b', 'c'])).toBe('there is no image of c');
});

test('the list of training images is sorted, and survives being written and read', () => {
  const text = trainingImagesCsv(IMAGES);
  expect(text.split('\n').slice(1, -1)).toEqual([...text.split('\n').slice(1, -1)].sort());
  expect(parseTrainingImages(text)).toEqual({
    sums: new Set([sha256('train/a/1.png'), sha256('train/b/1.png')]),
    groups: new Set(['a/slide, "1"']),
  });
  expect(parseTrainingImages('')).toBeUndefined();
  expect(parseTrainingImages('<html>')).toBeUndefined();
  expect(parseTrainingImages('sha256,group\nabc,\n')).toBeUndefined();
});

test('a comparison that was not measured has no figures', () => {
  const facts = { productionVersion: undefined, total: 40, compared: 3, tooFew: 'there are 3' };
  expect(JSON.parse(comparisonJson({ ...facts, scores: undefined, images: undefined, best: undefined }))).toEqual({
    format: 2,
    production_version: null,
    n_test: 40,
    n_compared: 3,
    too_few: true,
    candidate: null,
    production: null,
    best: null,
    images: null,
  });
});

function datasetFolder(): string {
  const folder = temporaryFolder();
  for (const { path } of IMAGES) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  return folder;
}

test('without a manifest, the images are known by reading them', async () => {
  const found = await readImages(datasetFolder(), never);
  expect(found).toEqual(IMAGES.map((known) => ({ ...known, group: '' })));
});

test('the manifest tells images and groups, also in the older form without groups', async () => {
  const folder = temporaryFolder();
  const row = `test/a/1.png,a,test,${sha256('x')}`;
  writeFileSync(join(folder, 'manifest.csv'), `path,label,split,sha256,group\n${row},"a/1, 2"\n`);
  expect(await readImages(folder, never)).toEqual([
    { path: 'test/a/1.png', label: 'a', split: 'test', sha256: sha256('x'), group: 'a/1, 2' },
  ]);
  writeFileSync(join(folder, 'manifest.csv'), `path,label,split,sha256\n${row}\n`);
  expect(await readImages(folder, never)).toMatchObject([{ group: '' }]);
});

test.each([
  ['leads elsewhere', `test/../../etc/passwd,a,test,${sha256('x')}`],
  ['lies in another split', `train/a/1.png,a,test,${sha256('x')}`],
  ['has no sum', 'test/a/1.png,a,test,abc'],
])('a manifest with a path that %s is refused', async (_, row) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'manifest.csv'), `path,label,split,sha256\n${row}\n`);
  expect((await failureOf(readImages(folder, never))).message).toContain('manifest.csv is damaged in image 1');
});

test('the folder for a comparison has the chosen test images only, and room for the whole train', async () => {
  const target = join(temporaryFolder(), 'data');
  await makeTestFolder(datasetFolder(), IMAGES.slice(2, 4), target, never);
  expect(readFileSync(join(target, 'test/a/2.png'), 'utf8')).toBe('test/a/2.png');
  expect(existsSync(join(target, 'test/a/3.png'))).toBe(true);
  expect(existsSync(join(target, 'test/b'))).toBe(false);
  expect(existsSync(join(target, 'train'))).toBe(true);
});

test('an image of the manifest that is not there is said', async () => {
  const error = await failureOf(makeTestFolder(temporaryFolder(), IMAGES.slice(2), temporaryFolder(), never));
  expect(error.code).toBe('DISK');
  expect(error.message).toContain('2.png');
});
