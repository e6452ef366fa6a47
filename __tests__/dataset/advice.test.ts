import { expect, test } from 'vitest';
import { adviseOnClasses } from '../../src/dataset/advice.ts';

function advise(classes: Record<string, readonly [train: number, test: number]>): string[] {
  return adviseOnClasses(new Map(Object.entries(classes).map(([label, [train, test]]) => [label, { train, test }])));
}

test('nothing is said about classes that are large enough and alike', () => {
  expect(advise({ Hannaea: [30, 5], Gomphonema: [300, 5] })).toEqual([]);
});

test('classes with few training or few test images are named with their numbers', () => {
  expect(advise({ Hannaea: [29, 4], Gomphonema: [12, 10], Navicula: [100, 0] })).toEqual([
    'Fewer than 30 training images, which is little to learn from: Hannaea (29), Gomphonema (12).',
    'Fewer than 5 test images, so the score of the class will be a rough guess: Hannaea (4), Navicula (0).',
  ]);
});

test('a strong imbalance is described by its two ends', () => {
  expect(advise({ Hannaea: [301, 10], Gomphonema: [30, 10], Navicula: [100, 10] })).toEqual([
    'Strong imbalance: Hannaea has 301 training images, Gomphonema only 30. Train with class weights or a balanced sampler, or add images.',
  ]);
});
