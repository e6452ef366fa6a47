import { DiatomError } from '../errors.ts';
import type { KnownSide } from './known-images.ts';
import type { Split } from './split.ts';

/** More than this part of a class's training images must not go to test. */
const MOST_MOVED = 0.1;

/**
 * Counts the images that go from train to test, because they have to be on one side with images that lie in test: the
 * only moves there are when sides are kept.
 */
export interface Moves {
  add(label: string, known: KnownSide | undefined, side: Split): void;
  /**
   * @param label only of this one
   * @throws DiatomError `DATA_SET` when a class loses more of its training images than it should, with the ways out
   */
  requireFew(label?: string): void;
}

export function createMoves(): Moves {
  const classes = new Map<string, { train: number; moved: number }>();
  return {
    add(label, known, side) {
      if (known !== 'train' && known !== 'both') return;
      const count = classes.get(label) ?? { train: 0, moved: 0 };
      classes.set(label, count);
      count.train++;
      if (side === 'test') count.moved++;
    },
    requireFew(only) {
      const faults = [...classes]
        .filter(([label, { train, moved }]) => (only ?? label) === label && moved > train * MOST_MOVED)
        .map(([label, { train, moved }]) => `Of the label “${label}”, ${moved} of ${train} known training images.`);
      if (faults.length === 0) return;
      throw new DiatomError(
        'DATA_SET',
        [
          'Too many training images would have to go to test, more than a tenth of their label, because they belong together with images that lie in test (by group-by, or as copies):',
          ...faults,
          'Give group-by and the labels back the form that they had in the data set before; or take these images, or those that they belong to, out of the zips; or begin a new line of data sets with previous: none, which draws the sides of all images again, so that a new model can hardly be compared with the one in production.',
        ].join('\n'),
      );
    },
  };
}
