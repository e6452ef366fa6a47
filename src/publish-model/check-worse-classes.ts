import { BECAME_WRONG_FILE, type ComparedImage, tallyClasses } from '../model/compared-images.ts';
import { ENOUGH_OF_A_CLASS, isRefused, type JudgedClass, judgeClasses, wordsOf } from '../model/worse-classes.ts';
import type { Comparison } from './comparison.ts';
import type { Finding } from './promotion-finding.ts';
import type { PublishedModel } from './published-model.ts';

/** What a class that became worse means: the model is not promoted, or it is and somebody is told, or nobody asks. */
export type WorseClasses = 'error' | 'warn' | 'allow';

/** More classes than this are counted and not named. */
const MAX_NAMES = 10;

/**
 * Whether a class became worse than in production, by the answers to the images that neither model was trained on. One that
 * is lost hardly shows in the figures over all classes.
 *
 * @returns nothing when nobody asks, or when there is nothing to compare: whether there has to be is `checkComparison`'s matter
 */
export function checkWorseClasses(
  comparison: Comparison | undefined,
  production: PublishedModel | undefined,
  mode: WorseClasses,
): Finding[] {
  if (mode === 'allow' || !production || !comparison?.scores) return [];
  const warning = (sentence: string): Finding[] => [{ passed: true, isWarning: true, sentence }];
  const { productionVersion: compared, images } = comparison;
  if (compared !== undefined && production.version !== undefined && compared !== production.version) {
    return warning(
      `Whether a class became worse is not known: the model was compared with version ${compared}, but ${production.version} is in production now.`,
    );
  }
  if (!images || images.length === 0) {
    return warning(
      'Whether a class became worse is not known: comparison.json does not say what the models take each image for, because the test-command wrote no predictions.csv that could be used.',
    );
  }
  return [findingOf(images, comparison.compared - images.length, mode)];
}

function findingOf(images: readonly ComparedImage[], missing: number, mode: 'error' | 'warn'): Finding {
  const classes = judgeClasses(tallyClasses(images));
  const refused = classes.filter(isRefused);
  // What is lost whole comes first: not all may be named.
  const maybe = (['gone', 'maybe'] as const).flatMap((one) => classes.filter(({ fate }) => fate === one));
  const few = classes.filter(({ fate }) => fate === 'few').map(({ label }) => label);
  const sentences = [
    refused.length === 0
      ? `No class is worse than in production beyond chance, image by image on ${images.length} test images.`
      : `Worse than in production: ${listed(refused.map(described), '; ')}. The images that became wrong are in ${BECAME_WRONG_FILE}, in the artifact of the training.`,
    maybe.length === 0 ? '' : `To look at: ${listed(maybe.map(described), '; ')}.`,
    few.length === 0 ? '' : `With fewer than ${ENOUGH_OF_A_CLASS} images too few to tell: ${listed(few, ', ')}.`,
    missing > 0 ? `Of ${missing} more test images it is not known what the models take them for.` : '',
    refused.length === 0 || mode === 'warn' ? '' : 'If that is to be accepted, publish with worse-classes: warn.',
  ];
  return {
    passed: refused.length === 0 || mode === 'warn',
    isWarning: refused.length > 0 || maybe.length > 0 || missing > 0,
    sentence: sentences.filter((sentence) => sentence !== '').join(' '),
  };
}

function described(entry: JudgedClass): string {
  const { label, images, production, candidate } = entry;
  return `${label} (of ${images} images production has ${production} right, the model ${candidate}: ${wordsOf(entry)})`;
}

function listed(items: readonly string[], separator: string): string {
  const more = items.length - MAX_NAMES;
  return more > 1 ? `${items.slice(0, MAX_NAMES).join(separator)} and ${more} more` : items.join(separator);
}
