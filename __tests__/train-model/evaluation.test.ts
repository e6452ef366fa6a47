import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readHistory, readMetrics, readTrained } from '../../src/train-model/evaluation.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const FIGURES = { precision: 1, recall: 0.9, f1: 0.95, support: 10 };
const NOT_MEASURED = { precision: null, recall: null, f1: null, support: 0 };
const COUNTS = [
  [9, 1],
  [0, 0],
];

const EXPECTED = {
  accuracy: 0.9,
  accuracyInterval: [0.8, 0.95],
  macroF1: 0.85,
  macroF1Interval: [0.7, 0.9],
  images: 10,
  classes: { a: FIGURES, b: NOT_MEASURED },
  confusion: { labels: ['a', 'b'], counts: COUNTS },
};

describe('metrics.json', () => {
  test('of the template is read', async () => {
    const metrics = {
      format: 1,
      images: 10,
      accuracy: 0.9,
      macro_f1: 0.85,
      confidence_interval: { level: 0.95, method: 'bootstrap', accuracy: [0.8, 0.95], macro_f1: [0.7, 0.9] },
      classes: ['a', 'b'],
      per_class: { a: FIGURES, b: NOT_MEASURED },
      confusion_matrix: COUNTS,
    };
    expect(await readMetrics(folderWith({ 'metrics.json': metrics }))).toMatchObject({
      ...EXPECTED,
      json: JSON.stringify(metrics),
    });
  });

  test('in its flat spelling is read', async () => {
    const metrics = {
      format: 1,
      accuracy: 0.9,
      accuracy_ci: [0.8, 0.95],
      macro_f1: 0.85,
      macro_f1_ci: [0.7, 0.9],
      n_test: 10,
      labels: ['a', 'b'],
      classes: { a: FIGURES, b: NOT_MEASURED },
      confusion_matrix: COUNTS,
    };
    expect(await readMetrics(folderWith({ 'metrics.json': metrics }))).toMatchObject(EXPECTED);
  });

  test('of a test program of one’s own needs accuracy and macro-F1 only', async () => {
    const metrics = await readMetrics(folderWith({ 'metrics.json': { accuracy: 1, macro_f1: 0, more: 'x' } }));
    expect(metrics).toMatchObject({ accuracy: 1, macroF1: 0, classes: {}, confusion: undefined, answered: undefined });
  });

  test('says how many images are not RGB, and how many are not unknown', async () => {
    const calibration = { temperature: 1.5, threshold: 0.8, answered: 8, answered_right: 7 };
    const figures = { accuracy: 1, macro_f1: 0, images_not_rgb: 3 };
    expect(await readMetrics(folderWith({ 'metrics.json': { ...figures, calibration } }))).toMatchObject({
      ...{ notRgb: 3, answered: { threshold: 0.8, images: 8, right: 7 } },
    });
    const without = { ...calibration, threshold: null, answered: null, answered_right: null };
    expect(await readMetrics(folderWith({ 'metrics.json': { ...figures, calibration: without } }))).toMatchObject({
      answered: undefined,
    });
  });

  test('says how many labels should be looked at again, where they were checked', async () => {
    for (const [issues, expected] of [
      [
        { images: 100, judged: 98, suspected: 4 },
        { images: 100, suspected: 4 },
      ],
      [null, undefined],
    ] as const) {
      const metrics = { accuracy: 1, macro_f1: 0, label_issues: issues };
      expect((await readMetrics(folderWith({ 'metrics.json': metrics }))).labelIssues).toEqual(expected);
    }
  });

  const faults: readonly (readonly [name: string, content: unknown, message: string])[] = [
    ['no JSON', '{ "accuracy": NaN }', 'metrics.json is not JSON (NaN is not allowed)'],
    ['no accuracy', { macro_f1: 1 }, 'accuracy is missing'],
    ['a percentage', { accuracy: 91, macro_f1: 1 }, 'accuracy is 91, allowed is at most 1'],
    ['a text', { accuracy: '0.9', macro_f1: 1 }, 'accuracy is "0.9", expected is number'],
    ['a matrix of another size', { accuracy: 1, macro_f1: 1, labels: ['a'], confusion_matrix: COUNTS }, '1 × 1'],
  ];
  test.each(faults)('with %s is refused, and says where', async (_, content, message) => {
    const error = await failureOf(readMetrics(folderWith({ 'metrics.json': content })));
    expect(error.code).toBe('MODEL');
    expect(error.message).toContain(message);
  });

  test('that is not there is said with the command that should have written it', async () => {
    const error = await failureOf(readMetrics(temporaryFolder()));
    expect(error.message).toMatch(/The test-command ended well, but has written no file metrics\.json/);
  });
});

describe('what training leaves', () => {
  test('is a model and the list of its classes', async () => {
    expect(await readTrained(folderWith({ 'model.pth': 'w', 'classes.json': ['a', 'b'] }))).toEqual(['a', 'b']);
  });

  const faults: readonly (readonly [name: string, files: Readonly<Record<string, unknown>>, message: string])[] = [
    ['no model', { 'classes.json': ['a'] }, 'no file model.pth'],
    ['an empty model', { 'model.pth': '', 'classes.json': ['a'] }, 'model.pth is empty'],
    ['no classes', { 'model.pth': 'w' }, 'no file classes.json'],
    ['classes that are no list', { 'model.pth': 'w', 'classes.json': { a: 0 } }, 'a JSON array of the labels'],
    ['an empty list of classes', { 'model.pth': 'w', 'classes.json': [] }, 'a JSON array of the labels'],
  ];
  test.each(faults)('with %s is refused', async (_, files, message) => {
    expect((await failureOf(readTrained(folderWith(files)))).message).toContain(message);
  });

  test.runIf(process.platform !== 'win32')('is never read through a link', async () => {
    const folder = folderWith({ 'classes.json': ['a'] });
    symlinkSync(join(folder, 'classes.json'), join(folder, 'model.pth'));
    expect((await failureOf(readTrained(folder))).message).toContain('no file model.pth');
  });
});

describe('history.csv', () => {
  test('is read in both spellings; what is no number counts as not there', async () => {
    const long = 'epoch,learning_rate,train_loss,validation_loss,validation_accuracy,validation_macro_f1\n';
    const history = await readHistory(
      folderWith({ 'history.csv': `${long}1,0.1,2.5,2,0.5,0.4\n2,0.1,nan,,0.9,0.8\nx,1\n` }),
    );
    expect(history).toEqual([
      { epoch: 1, trainLoss: 2.5, valLoss: 2, valAccuracy: 0.5, valMacroF1: 0.4 },
      { epoch: 2, trainLoss: undefined, valLoss: undefined, valAccuracy: 0.9, valMacroF1: 0.8 },
    ]);
    expect(await readHistory(folderWith({ 'history.csv': 'epoch,val_accuracy\n1,0.5\n' }))).toMatchObject([
      { epoch: 1, valAccuracy: 0.5 },
    ]);
  });

  test('that is not there is no course', async () => {
    expect(await readHistory(temporaryFolder())).toEqual([]);
  });
});
