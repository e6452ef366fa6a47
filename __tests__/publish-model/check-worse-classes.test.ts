import { describe, expect, test } from 'vitest';
import { checkWorseClasses } from '../../src/publish-model/check-worse-classes.ts';
import { type Comparison, parseComparison } from '../../src/publish-model/comparison.ts';
import { comparedImages, comparison } from '../helpers/model.ts';

const PRODUCTION = { version: 'v1', classes: undefined, metrics: undefined };
const STEADY = Array.from({ length: 6 }, (_, index) => ({
  ...{ label: `steady ${index}`, images: 10, production: 9, candidate: 9 },
}));

function compared(classes: Parameters<typeof comparedImages>[0], changes: Readonly<Record<string, unknown>> = {}) {
  const images = comparedImages(classes);
  const content = comparison('v1', { images, n_test: 2_000, n_compared: images.length, ...changes });
  return parseComparison(JSON.stringify(content), 'comparison.json');
}

const check = (content: Comparison | undefined, mode: 'error' | 'warn' | 'allow' = 'error') =>
  checkWorseClasses(content, PRODUCTION, mode);
const LOST = { label: 'Hannaea', images: 10, production: 9, candidate: 0 };

test('a lost class is refused and named, with what it was and is', () => {
  const [finding, ...others] = check(compared([...STEADY, LOST]));
  expect(others).toEqual([]);
  expect(finding).toMatchObject({ passed: false });
  expect(finding?.sentence).toContain('Hannaea (of 10 images production has 9 right, the model 0: ');
  expect(finding?.sentence).toContain('worse-classes: warn');
  expect(finding?.sentence).not.toContain('steady');
});

test('with warn it is named and passes, with allow nobody asks', () => {
  const [finding] = check(compared([...STEADY, LOST]), 'warn');
  expect(finding).toMatchObject({ passed: true, isWarning: true });
  expect(finding?.sentence).toContain('Hannaea');
  expect(finding?.sentence).not.toContain('worse-classes');
  expect(check(compared([...STEADY, LOST]), 'allow')).toEqual([]);
});

test('models that are equally good are no warning', () => {
  expect(check(compared(STEADY))).toEqual([
    {
      passed: true,
      isWarning: false,
      sentence: 'No class is worse than in production beyond chance, image by image on 60 test images.',
    },
  ]);
});

test('classes of fewer than five images are named, and counted beyond the first ten', () => {
  const few = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ label: `few ${index}`, images: 4, production: 4, candidate: 0 },
    }));
  expect(check(compared([...STEADY, ...few(2)]))[0]).toMatchObject({
    passed: true,
    sentence: expect.stringContaining('With fewer than 5 images too few to tell: few 0, few 1.'),
  });
  expect(check(compared([...STEADY, ...few(13)]))[0]?.sentence).toContain('few 9 and 3 more.');
});

test('a loss that may be chance passes and is to be looked at', () => {
  const restless = Array.from({ length: 30 }, (_, index) => ({
    ...{ label: `restless ${index}`, images: 6, production: index % 2 ? 4 : 5, candidate: index % 2 ? 5 : 4 },
  }));
  const [finding] = check(compared([...restless, { label: 'Nitzschia', images: 5, production: 5, candidate: 2 }]));
  expect(finding).toMatchObject({ passed: true, isWarning: true });
  expect(finding?.sentence).toContain('To look at: Nitzschia (of 5 images production has 5 right, the model 2');
});

test('a class that is lost whole passes with a warning only where it is too small, which says what is missing', () => {
  const restless = Array.from({ length: 40 }, (_, index) => ({
    ...{ label: `restless ${index}`, images: 5, production: index % 2 ? 1 : 3, candidate: index % 2 ? 3 : 1 },
  }));
  const lost = { label: 'Nitzschia', images: 5, production: 3, candidate: 0 };
  const [finding] = check(compared([...restless, lost]));
  expect(finding).toMatchObject({ passed: true, isWarning: true });
  expect(finding?.sentence).toMatch(
    /To look at: Nitzschia \(of 5 images .* the model 0: lost whole, too few test images to refuse: \d+ more needed\)/,
  );
  expect(check(compared([...STEADY, lost]))[0]).toMatchObject({ passed: false });
});

describe('when answers are missing', () => {
  test.each([
    ['a comparison of the first format', { format: 1, images: undefined }, 'comparison.json does not say'],
    ['tests that wrote no predictions', { images: null }, 'comparison.json does not say'],
    ['predictions of none of the images', { images: [] }, 'comparison.json does not say'],
    [
      'another version in production',
      { production_version: 'v0' },
      'compared with version v0, but v1 is in production',
    ],
  ])('%s is a warning and no refusal', (_, changes, sentence) => {
    const [finding] = check(compared([LOST], changes));
    expect(finding).toMatchObject({ passed: true, isWarning: true });
    expect(finding?.sentence).toContain(sentence);
  });

  test('images that the predictions lack are counted', () => {
    const [finding] = check(compared(STEADY, { n_compared: 63 }));
    expect(finding).toMatchObject({ passed: true, isWarning: true });
    expect(finding?.sentence).toContain('Of 3 more test images it is not known');
  });

  test('without a comparison, or without a model in production, there is nothing to say', () => {
    expect(check(undefined)).toEqual([]);
    expect(check(compared([LOST], { candidate: null, production: null, images: null }))).toEqual([]);
    expect(checkWorseClasses(compared([LOST]), undefined, 'error')).toEqual([]);
  });
});
