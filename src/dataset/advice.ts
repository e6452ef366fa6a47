import type { ClassCount } from './tally.ts';

/** Fewer training images than this make a class hard to learn, and fewer test images make its score a guess. */
const FEW_TRAINING_IMAGES = 30;
const FEW_TEST_IMAGES = 5;

/** Beyond this ratio between the largest and the smallest class, a model tends to ignore the small one. */
const STRONG_IMBALANCE = 10;

/** Sentences about classes that will give a model trouble. They stop nothing. */
export function adviseOnClasses(classes: ReadonlyMap<string, ClassCount>): string[] {
  const all = [...classes];
  const advice: string[] = [];
  const warnOfFew = (kind: 'train' | 'test', few: number, consequence: string) => {
    const small = all.filter(([, count]) => count[kind] < few).map(([label, count]) => `${label} (${count[kind]})`);
    if (small.length > 0) {
      advice.push(
        `Fewer than ${few} ${kind === 'train' ? 'training' : 'test'} images, ${consequence}: ${small.join(', ')}.`,
      );
    }
  };
  warnOfFew('train', FEW_TRAINING_IMAGES, 'which is little to learn from');
  warnOfFew('test', FEW_TEST_IMAGES, 'so the score of the class will be a rough guess');

  const bySize = all.toSorted(([, a], [, b]) => a.train - b.train);
  const [smallest, largest] = [bySize[0], bySize.at(-1)];
  if (smallest && largest && largest[1].train > smallest[1].train * STRONG_IMBALANCE) {
    advice.push(
      `Strong imbalance: ${largest[0]} has ${largest[1].train} training images, ${smallest[0]} only ${smallest[1].train}. Train with class weights or a balanced sampler, or add images.`,
    );
  }
  return advice;
}
