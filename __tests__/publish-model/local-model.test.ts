import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLocalModel } from '../../src/publish-model/local-model.ts';
import { failureOf } from '../helpers/failure.ts';
import { CLASSES, comparison, metrics, modelDir, NOTHING_SAID } from '../helpers/model.ts';

const FIGURES = { precision: 1, recall: 1, f1: 1, support: 1 };

const NAMED = { name: 'diatoms', about: NOTHING_SAID };

const read = (folder: string) => readLocalModel(folder, NAMED, new AbortController().signal);

test.each<[string, Record<string, unknown>, string]>([
  [
    'no weights',
    { 'model.pth': undefined },
    'has no model.pth; found: classes.json, metrics.json, training-images.csv',
  ],
  ['two missing files', { 'model.pth': undefined, 'metrics.json': undefined }, 'has no model.pth, no metrics.json'],
  ['empty weights', { 'model.pth': '' }, 'model.pth in'],
  ['classes that are no JSON', { 'classes.json': '[' }, 'classes.json is not JSON'],
  ['no class', { 'classes.json': [] }, 'classes.json is not what training and testing should write'],
  ['a class twice', { 'classes.json': ['a', 'a'] }, 'classes.json has the label “a” twice'],
  ['a percentage', { 'metrics.json': metrics({ accuracy: 90 }) }, 'accuracy is 90, allowed is at most 1'],
  ['a missing figure', { 'metrics.json': metrics({ macro_f1: undefined }) }, 'macro_f1 is missing'],
  ['a text for a figure', { 'metrics.json': metrics({ macro_f1: 'x' }) }, 'macro_f1 is "x", expected is number'],
  ['a later format', { 'metrics.json': metrics({ format: 2 }) }, 'format is 2, expected is 1'],
  [
    'other labels',
    { 'metrics.json': metrics({}, ['a']) },
    'speak of different classes: achnanthes, hannea, the arc and a.',
  ],
  [
    'figures of an unknown class',
    { 'metrics.json': metrics({ per_class: { x: FIGURES } }) },
    'speak of different classes',
  ],
  ['another order', { 'metrics.json': metrics({ labels: CLASSES.toReversed() }) }, 'speak of different classes'],
  [
    'a broken comparison',
    { 'comparison.json': { ...comparison('v1'), too_few: 'no' } },
    'too_few is "no", expected is boolean',
  ],
  ['a broken provenance', { 'provenance.json': '[]x' }, 'provenance.json is not what training should write'],
  [
    'figures of other weights',
    { 'metrics.json': metrics({ model: { file: 'model.pth', sha256: 'abc' } }) },
    'describes other weights',
  ],
  ['an unfinished upload', { 'x.part': 'x' }, '“x.part”'],
])('%s is refused and named', async (_, changes, message) => {
  const error = await failureOf(read(await modelDir('a', changes)));
  expect(error.code).toBe('MODEL');
  expect(error.message).toContain(message);
});

test('a link is refused: it could lead to any file of the runner', async () => {
  const folder = await modelDir('a');
  await writeFile(join(folder, '..', 'secret'), 'secret');
  await symlink(join(folder, '..', 'secret'), join(folder, 'plot.png'));
  expect((await failureOf(read(folder))).message).toContain('plot.png in');
});

test('a folder that does not exist is named', async () => {
  expect((await failureOf(read(join(await modelDir('a'), 'none')))).message).toContain('none can’t be read');
});

test('figures are read in the spelling of the template’s schema', async () => {
  const folder = await modelDir('a', {
    'metrics.json': {
      format: 1,
      ...{ images: 20, accuracy: 0.8, macro_f1: 0.7, images_seen_in_training: 2 },
      confidence_interval: { level: 0.95, method: 'bootstrap', accuracy: [0.6, 0.9], macro_f1: [0.5, 0.8] },
      classes: CLASSES,
      per_class: Object.fromEntries(CLASSES.map((label) => [label, { ...FIGURES, recall: null }])),
      confusion_matrix: [
        [10, 0],
        [4, 6],
      ],
    },
  });
  const { metrics: figures, warnings } = await read(folder);
  expect(figures).toMatchObject({
    images: 20,
    accuracyInterval: [0.6, 0.9],
    macroF1Interval: [0.5, 0.8],
    labels: CLASSES,
    classes: { achnanthes: { precision: 1, recall: null } },
  });
  expect(warnings.join('\n')).toContain('2 of the test images, or others of their groups, were seen in training');
});

test('accuracy and macro-F1 are enough of a test program of one’s own', async () => {
  const { metrics: figures } = await read(await modelDir('a', { 'metrics.json': { accuracy: 1, macro_f1: 1 } }));
  expect(figures).toMatchObject({ accuracy: 1, labels: undefined, classes: {} });
});

test('what is not published is named: folders, and sums and version of an earlier publishing', async () => {
  const folder = await modelDir('a', {
    SHA256SUMS: 'old',
    VERSION: 'v0',
    '.hidden': 'x',
    '.diatom-actions': 'mark',
    'became_wrong.html': 'pictures of the data set',
    'label-issues.csv': 'where its images are',
    'label-issues.html': 'pictures of the data set',
    'training-images.csv': undefined,
  });
  await mkdir(join(folder, 'checkpoints'));
  const { files, sums, warnings } = await read(folder);
  expect(files.map(({ name }) => name)).toEqual([
    'MODEL_CARD.md',
    'README.md',
    'classes.json',
    'metrics.json',
    'model.pth',
  ]);
  expect(sums.match(/^[0-9a-f]{64} {2}.+$/gm)).toHaveLength(5);
  for (const name of ['SHA256SUMS', 'VERSION', '.hidden', 'checkpoints', 'training-images.csv']) {
    expect(warnings.join('\n')).toContain(name);
  }
  for (const name of ['.diatom-actions', 'label-issues']) expect(warnings.join('\n')).not.toContain(name);
});

test('reading stops when the run is cancelled', async () => {
  const error = await failureOf(readLocalModel(await modelDir('a'), NAMED, AbortSignal.abort()));
  expect(error.code).toBe('CANCELLED');
});
