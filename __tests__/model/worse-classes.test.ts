import { describe, expect, test } from 'vitest';
import { type ClassTally, type ComparedImage, tallyClasses } from '../../src/model/compared-images.ts';
import { judgeClasses, wordsOf } from '../../src/model/worse-classes.ts';
import { falseRefusals, lostClassesThatPass, SETTINGS } from '../helpers/two-models.ts';

/** A class of which production has `production` right; of these so many are lost, and so many others gained. */
function tally(label: string, images: number, production: number, lost: number, gained = 0): ClassTally {
  return { label, images, production, candidate: production - lost + gained, lost, gained };
}

const STEADY = Array.from({ length: 5 }, (_, index) => tally(`steady ${index}`, 10, 9, 0));
const fateOf = (one: ClassTally, others: readonly ClassTally[] = STEADY) => judgeClasses([one, ...others])[0]?.fate;

test('the images of a class are counted by what became of them', () => {
  const image = (label: string, production: string, candidate: string): ComparedImage => {
    return { path: `test/${label}/x.png`, sha256: '', label, production, candidate };
  };
  const images = [image('b', 'b', 'b'), image('a', 'a', 'b'), image('a', 'b', 'a'), image('a', 'b', 'b')];
  expect(tallyClasses(images)).toEqual([
    { label: 'b', images: 1, production: 1, candidate: 1, lost: 0, gained: 0 },
    { label: 'a', images: 3, production: 1, candidate: 1, lost: 1, gained: 1 },
  ]);
  expect(tallyClasses([])).toEqual([]);
});

describe('a class', () => {
  test.each([
    ['that loses more than chance explains is worse', tally('x', 100, 90, 20, 2), 'worse'],
    ['that loses some of many is not refused', tally('x', 100, 90, 12, 8), 'fell'],
    ['that loses more than half of what production had right is lost', tally('x', 6, 5, 3), 'lost'],
    ['that loses just half of it is not', tally('x', 6, 4, 2), 'fell'],
    ['of which nothing is left is lost', tally('x', 5, 5, 5), 'lost'],
    ['with fewer than five images is too small to tell', tally('x', 4, 4, 4), 'few'],
    ['that gains as much as it loses is kept', tally('x', 10, 5, 3, 3), 'kept'],
    ['that production does not know either has nothing to lose', tally('x', 10, 0, 0), 'kept'],
    ['that production hardly knows and the candidate not at all, may be chance', tally('x', 5, 1, 1), 'gone'],
    ['that production half knows and the candidate not at all is lost', tally('x', 5, 3, 3), 'lost'],
  ])('%s', (_, one, fate) => {
    expect(fateOf(one)).toBe(fate);
  });

  test('that has lost more than half may be chance where two models often disagree', () => {
    const restless = Array.from({ length: 20 }, (_, index) => tally(`restless ${index}`, 5, 4, 1, 1));
    expect(fateOf(tally('x', 5, 5, 3), restless)).toBe('maybe');
    expect(fateOf(tally('x', 5, 5, 5), restless)).toBe('lost');
  });

  test('that is lost whole and may be chance says with how many more images it would be refused', () => {
    const restless = Array.from({ length: 40 }, (_, index) => tally(`restless ${index}`, 5, 3, 1, 1));
    const judged = (one: ClassTally) => judgeClasses([one, ...restless])[0];
    const gone = judged(tally('x', 5, 3, 3));
    expect(gone?.fate).toBe('gone');
    expect(gone && wordsOf(gone)).toBe(`lost whole, too few test images to refuse: ${gone?.needed} more needed`);
    const images = 5 + (gone?.needed ?? 0);
    expect(images).toBeGreaterThan(5);
    const production = Math.floor((3 * images) / 5);
    expect(judged(tally('x', images, production, production))?.fate).toBe('lost');
    const fewer = Math.floor((3 * (images - 1)) / 5);
    expect(judged(tally('x', images - 1, fewer, fewer))?.fate).toBe('gone');
  });

  test('is excused neither by a model that loses everywhere nor by one that gains everywhere', () => {
    const falling = Array.from({ length: 20 }, (_, index) => tally(`falling ${index}`, 5, 5, 2));
    const rising = Array.from({ length: 20 }, (_, index) => tally(`rising ${index}`, 5, 3, 0, 2));
    for (const others of [falling, rising]) expect(fateOf(tally('x', 5, 5, 3), others)).toBe('lost');
  });
});

test('the McNemar test is corrected for the number of classes that it is asked for', () => {
  const one = tally('x', 30, 25, 7, 0);
  const few = (count: number) => Array.from({ length: count }, (_, index) => tally(`few ${index}`, 4, 3, 1, 1));
  expect(fateOf(one, [])).toBe('worse');
  expect(fateOf(one, STEADY)).toBe('worse');
  expect(fateOf(one, [...STEADY, tally('y', 10, 9, 0)])).toBe('fell');
  // Classes that are too small are not asked, and so don't make it harder to find the others.
  expect(fateOf(one, few(50))).toBe('worse');
});

describe.each(SETTINGS)('with $classes classes of $images images, discordance $discordance', (models) => {
  test('hardly any equally good model is refused, and no lost class passes', () => {
    // A tenth of what the weekly tests draw: chance may add a little to the 5 % here.
    expect(falseRefusals(models, 200)).toBeLessThanOrEqual(0.07);
    expect(lostClassesThatPass(models, 100)).toBe(0);
  });
});
