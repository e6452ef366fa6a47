import { describe, expect, test } from 'vitest';
import type { Metrics } from '../../src/train-model/evaluation.ts';
import { type Results, summaryMarkdown } from '../../src/train-model/summary.ts';
import { comparedImages } from '../helpers/model.ts';

const FIGURES = { precision: 1, recall: 0.9, f1: 0.947, support: 10 };
const METRICS: Metrics = {
  accuracy: 0.9,
  accuracyInterval: [0.8, 0.95],
  macroF1: 0.85,
  macroF1Interval: undefined,
  images: 12,
  seenInTraining: 0,
  notRgb: 0,
  answered: { threshold: 0.8125, images: 8, right: 7 },
  labels: ['a|b', 'c'],
  classes: { 'a|b': FIGURES, c: { precision: null, recall: null, f1: null, support: 0 } },
  confusion: {
    labels: ['a|b', 'c'],
    counts: [
      [9, 1],
      [0, 2],
    ],
  },
  weights: undefined,
  servesContract: true,
  baseline: undefined,
  warnings: [],
  labelIssues: { images: 120, suspected: 7 },
  json: '{}',
};
const epoch = (number: number) => ({
  epoch: number,
  trainLoss: undefined,
  valLoss: undefined,
  valAccuracy: number / 1000,
  valMacroF1: 0.5,
});
const RESULTS: Results = {
  image: 'ghcr.io/lab/diatoms:v1',
  imageDigest: 'sha256:12',
  dataset: { name: 'set_1.zip', sha256: 'ab12', seed: '4711' },
  history: [1, 2, 3].map(epoch),
  metrics: METRICS,
  comparison: undefined,
  artifactName: 'model',
  unpublished: '',
  warnings: [],
};

test('a summary has figures, classes, confusion and origin, with every text shown as it is', () => {
  const text = summaryMarkdown(RESULTS);
  expect(text).toContain('| Fact | Value |\n| --- | --- |\n| Accuracy | 90.0 % (80.0 % to 95.0 %) |');
  expect(text).toContain('| Macro-F1 | 85.0 % |');
  expect(text).toContain('| At least 81.3 % sure | 8 of them, 7 right |');
  expect(text).toContain('| Labels to look at again | 7 of 120, in train and test: see `label-issues.html` |');
  expect(text).toContain('| a\\|b | 100.0 % | 90.0 % | 94.7 % | 10 |');
  expect(text).toContain('| c | – | – | – | 0 |');
  expect(text).toContain('|  | 1 | 2 |\n| --- | ---: | ---: |\n| **1 a\\|b** | **9** | 1 |\n| **2 c** | · | **2** |');
  expect(text).toContain('| Data set SHA-256 | `ab12` |');
  expect(text).toContain('| Seed of its split | `4711` |');
  expect(text).toContain('| Image digest | `sha256:12` |');
});

test('the figures of the baseline stand beside the model’s', () => {
  const baseline = { accuracy: 0.83, macroF1: 0.81, isBeaten: true, sentence: '' };
  const text = summaryMarkdown({ ...RESULTS, metrics: { ...METRICS, baseline } });
  expect(text).toContain(
    '| Macro-F1 | 85.0 % |\n| Accuracy of the baseline (probe) | 83.0 % |\n| Macro-F1 of the baseline',
  );
});

test('the learning curve begins at zero and ends at one', () => {
  const text = summaryMarkdown(RESULTS);
  expect(text).toContain('  x-axis "Epoch" [1, 2, 3]\n  y-axis "Share" 0 --> 1\n  line [0.0010, 0.0020, 0.0030]');
});

test('a long training keeps its first and last epoch in the curve, and few enough points', () => {
  const history = Array.from({ length: 1000 }, (_, index) => epoch(index + 1));
  const axis = /x-axis "Epoch" \[(.*)\]/.exec(summaryMarkdown({ ...RESULTS, history }))?.[1]?.split(', ') ?? [];
  expect(axis[0]).toBe('1');
  expect(axis.at(-1)).toBe('1000');
  expect(axis.length).toBeLessThanOrEqual(61);
});

describe('a comparison', () => {
  const comparison = {
    productionVersion: 'v7',
    total: 40,
    compared: 34,
    best: undefined,
    tooFew: undefined,
    scores: undefined,
    images: undefined,
  };

  test('stands side by side', () => {
    const production = { ...METRICS, accuracy: 0.7, accuracyInterval: undefined };
    const text = summaryMarkdown({
      ...RESULTS,
      comparison: { ...comparison, scores: { candidate: METRICS, production } },
    });
    expect(text).toContain('34 of 40 test images are new to both models.');
    expect(text).toContain('|  | This model | In production (v7) |  |');
    expect(text).toContain('| Accuracy | 90.0 % (80.0 % to 95.0 %) | 70.0 % |  |');
    expect(text).toContain('| F1 of a\\|b | 94.7 % | 94.7 % |  |');
  });

  test('marks every row that fell, and names the classes that lost images, the refused ones first', () => {
    const f1 = { ...FIGURES, f1: 0.5 };
    const candidate = { ...METRICS, accuracy: 0.8, classes: { ...METRICS.classes, 'a|b': f1 } };
    const images = comparedImages([
      { label: 'c', images: 10, production: 9, candidate: 8 },
      { label: 'a|b', images: 10, production: 10, candidate: 1 },
      { label: 'd', images: 20, production: 18, candidate: 20 },
    ]);
    const text = summaryMarkdown({
      ...RESULTS,
      comparison: { ...comparison, scores: { candidate, production: METRICS }, images },
    });
    expect(text).toContain('| Accuracy | 80.0 % (80.0 % to 95.0 %) | 90.0 % (80.0 % to 95.0 %) | 🔻 |');
    expect(text).toContain('| Macro-F1 | 85.0 % | 85.0 % |  |');
    expect(text).toContain('| F1 of a\\|b | 50.0 % | 94.7 % | 🔻 |');
    const rows = [
      '| a\\|b | 10 | 10 | 1 | 9 | 0 | 🔻 **worse beyond chance** |',
      '| c | 10 | 9 | 8 | 1 | 0 | 🔻 within chance |',
    ];
    expect(text).toContain(`${rows.join('\n')}\n\nThe images that became wrong are shown in became\\_wrong.html`);
  });

  test('of too few images says so', () => {
    const text = summaryMarkdown({ ...RESULTS, comparison: { ...comparison, tooFew: 'there are 3' } });
    expect(text).toContain('> Too few for a verdict: there are 3.');
  });
});

test('a failure stands at the top, with what is known so far', () => {
  const nothing = { dataset: undefined, history: [], metrics: undefined, artifactName: '', imageDigest: undefined };
  const text = summaryMarkdown({ ...RESULTS, ...nothing }, 'The train-command <failed>');
  expect(text).toMatch(/^## Diatom model\n\n> \[!CAUTION\]\n> The train-command &lt;failed&gt;/);
  expect(text).not.toContain('Classes');
});

test('too many classes for a table are said', () => {
  const labels = Array.from({ length: 26 }, (_, index) => `c${index}`);
  const confusion = { labels, counts: labels.map(() => labels.map(() => 1)) };
  expect(summaryMarkdown({ ...RESULTS, metrics: { ...METRICS, confusion } })).toContain('26 classes are too many');
});
