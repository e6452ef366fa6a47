import { describe, expect, test } from 'vitest';
import { checkComparison } from '../../src/publish-model/check-comparison.ts';
import { parseComparison } from '../../src/publish-model/comparison.ts';
import { comparison, metrics, RULES } from '../helpers/model.ts';

const PRODUCTION = { version: 'v1', classes: undefined, metrics: undefined };

/** So many images of which the model has `gained` newly right and `lost` newly wrong; of the others every tenth is wrong. */
function answers(images: number, gained: number, lost: number) {
  return Array.from({ length: images }, (_, index) => {
    const same = index % 10 === 0 ? 'b' : 'a';
    const [candidate, production] = index < gained ? ['a', 'b'] : index < gained + lost ? ['b', 'a'] : [same, same];
    return { path: `test/a/${index}.png`, sha256: '', label: 'a', candidate, production };
  });
}

function check(
  [images, gained, lost]: readonly [number, number, number],
  changes: Readonly<Record<string, unknown>> = {},
  rules: Partial<typeof RULES> = {},
) {
  const content = comparison('v1', { images: answers(images, gained, lost), n_compared: images, ...changes });
  const parsed = parseComparison(JSON.stringify(content), 'comparison.json');
  return checkComparison(parsed, PRODUCTION, { ...RULES, ...rules });
}

describe('beside production', () => {
  test.each([
    ['better', [60, 15, 2], true, 'The model is better than production’s, on 60 test images that neither was'],
    ['worse', [60, 3, 18], false, 'The model is worse than production’s, on 60 test images'],
    ['lower, nobody can tell', [60, 7, 12], false, 'Its accuracy is lower, so it stays out (when-unsure:'],
    ['equal, nobody can tell', [60, 4, 4], true, 'Its accuracy is not lower, which is enough (when-unsure:'],
    ['higher, nobody can tell', [60, 6, 4], true, 'is not certain, on 60 test images'],
    [
      'lower by less than the margin',
      [2000, 20, 25],
      true,
      'It loses at most 0.9 points, which the margin of 2 allows.',
    ],
    [
      'worse by less than the margin',
      [5000, 20, 60],
      true,
      'It loses at most 1.2 points, which the margin of 2 allows.',
    ],
  ] as const)('a model that is %s: both counts are said, and what follows', (_, counts, passed, words) => {
    const [finding, ...others] = check(counts);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ passed, about: 'comparison' });
    expect(finding?.sentence).toContain(words);
    expect(finding?.sentence).toContain(`${counts[1]} newly right, ${counts[2]} newly wrong`);
    expect(finding?.sentence).not.toMatch(/no worse|as good/i);
  });

  test('the sentence has accuracy, difference and interval', () => {
    expect(check([60, 7, 12])[0]?.sentence).toBe(
      'Whether the model is better or worse than production’s is not certain, on 60 test images that neither was trained on: 7 newly right, 12 newly wrong; accuracy 73.3 % beside 81.7 %, a difference of −8.3 points (95 % interval −22.4 to +6.3). Its accuracy is lower, so it stays out (when-unsure: promote-if-not-lower); with more test images more could be said.',
    );
  });

  test('with wait, only what is sure passes', () => {
    const wait = { whenUnsure: 'wait' as const };
    expect(check([60, 6, 4], {}, wait)).toMatchObject([
      { passed: false, sentence: expect.stringContaining('It waits until a person decides (when-unsure: wait).') },
    ]);
    expect(check([60, 15, 2], {}, wait)).toMatchObject([{ passed: true }]);
    expect(check([2000, 20, 25], {}, wait)).toMatchObject([{ passed: true }]);
  });

  test('a wider margin lets more pass, and one of 0 nothing that is lower', () => {
    expect(check([60, 7, 12], {}, { margin: 0.25 })).toMatchObject([{ passed: true }]);
    expect(check([2000, 20, 25], {}, { margin: 0 })).toMatchObject([{ passed: false }]);
    expect(check([2000, 20, 20], {}, { margin: 0 })).toMatchObject([{ passed: true }]);
  });

  test('a macro-F1 below production’s interval keeps a model out whose accuracy rose', () => {
    const [finding] = check([60, 15, 2], { candidate: metrics({ macro_f1: 0.83 }) });
    expect(finding?.passed).toBe(false);
    expect(finding?.sentence).toContain(
      'Its macro-F1 of 83.0 % lies below the confidence interval of production’s, 90.0',
    );
  });

  test('a macro-F1 without an interval decides nothing: nobody can tell what is chance', () => {
    const [candidate, production] = [metrics({ macro_f1: 0.83 }), metrics({ macro_f1_ci: null })];
    expect(check([60, 15, 2], { candidate, production })).toMatchObject([{ passed: true }]);
  });

  test('without the answers image by image, the figures alone decide, and never for sure', () => {
    const by = (accuracy: number, rules: Partial<typeof RULES> = {}) =>
      check([60, 0, 0], { images: null, candidate: metrics({ accuracy }) }, rules)[0];
    expect(by(0.9)).toMatchObject({ passed: true, sentence: expect.stringContaining('is not certain, on 60') });
    expect(by(0.89)).toMatchObject({ passed: false, sentence: expect.stringContaining('a difference of −1.0 points') });
    expect(by(0.99, { whenUnsure: 'wait' })).toMatchObject({ passed: false });
  });

  test('files of older formats are read', () => {
    const [finding] = check([60, 0, 0], { format: 1, images: undefined });
    expect(finding).toMatchObject({ passed: true });
  });
});

describe('beside the best other version that was in production', () => {
  const withBest = (images: number, gained: number, lost: number) =>
    answers(images, gained, lost).map((image) => ({ ...image, production: image.candidate, best: image.production }));
  const beside = (images: unknown, best: Readonly<Record<string, unknown>>) =>
    check([60, 0, 0], { images, best: { version: 'v0', not_compared: null, ...best } });

  test.each([
    ['worse', [60, 3, 18], false, 'The model is worse than v0 (the best other version that was in production), on 60'],
    ['lower', [60, 7, 12], false, 'Its accuracy is lower, so it stays out'],
    ['not lower', [60, 4, 4], true, 'better or worse than v0 (the best other version'],
  ] as const)('a model that is %s', (_, counts, passed, words) => {
    const [production, best, ...others] = beside(withBest(counts[0], counts[1], counts[2]), {});
    expect(others).toEqual([]);
    expect(production).toMatchObject({ passed: true });
    expect(best).toMatchObject({ passed, about: 'comparison' });
    expect(best?.sentence).toContain(words);
    expect(best?.sentence).toContain(`${counts[1]} newly right, ${counts[2]} newly wrong`);
  });

  test('only the images count that it was not trained on either', () => {
    const images = withBest(60, 3, 18).map(({ best, ...image }, index) => (index < 40 ? { ...image, best } : image));
    expect(beside(images, {})[1]?.sentence).toContain('on 40 test images that neither was trained on');
  });

  test('one that could not be compared is said, and production alone counts', () => {
    const [, best] = beside(answers(60, 0, 0), { not_compared: 'it is gone' });
    expect(best).toMatchObject({ passed: true, isWarning: true });
    expect(best?.sentence).toBe(
      'The best other version that was in production (v0) does not count, and production alone does: it is gone.',
    );
    const [, none] = beside(answers(60, 0, 0), { version: null, not_compared: 'all others know other classes' });
    expect(none).toMatchObject({ passed: true, isWarning: false });
  });
});
