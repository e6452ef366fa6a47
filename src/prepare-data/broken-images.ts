import type { LeftOut } from '../dataset/select-images.ts';
import type { ClassCount } from '../dataset/tally.ts';
import { DiatomError } from '../errors.ts';
import type { FilledImages } from './organise.ts';
import type { BrokenImages } from './thread-jobs.ts';

/** An image that was found to be no whole one, and where it was to go. */
export type FoundBroken = FilledImages['broken'][number];

/** From this part of a label's images on, something went wrong with the label and not with an image. */
const NOTEWORTHY_SHARE = 0.1;

const EXAMPLES = 5;

export function leftOutBroken({ planned, zipName, fault }: FoundBroken): LeftOut {
  return { reason: 'broken image', zipName, path: planned.image.path, detail: fault };
}

/** @throws DiatomError `DATA_SET` when the broken images were all that a label had to train with */
export function requireWholeImages(broken: readonly FoundBroken[], classes: ReadonlyMap<string, ClassCount>): void {
  const faults = [...byLabel(broken)]
    .filter(([label]) => (classes.get(label)?.train ?? 0) === 0)
    .map(([label, found]) => {
      const whole = classes.get(label)?.test ?? 0;
      const rest = whole === 0 ? 'none of its files is a whole image' : `its ${whole} whole images all go to test`;
      return `The label “${label}”: ${rest}. ${examples(found)}`;
    });
  if (faults.length === 0) return;
  throw new DiatomError(
    'DATA_SET',
    `${faults.join('\n')}\nNo image is left for training. Replace the zip, or take the label out of the file list.`,
  );
}

/** Sentences about the images that are broken: of all together, and of labels of which many are. */
export function brokenWarnings(
  broken: readonly FoundBroken[],
  classes: ReadonlyMap<string, ClassCount>,
  brokenImages: BrokenImages,
): string[] {
  if (broken.length === 0) return [];
  const isGone = brokenImages === 'leave-out';
  const count = broken.length === 1 ? '1 broken image is' : `${broken.length} broken images are`;
  const all = `${count} ${isGone ? 'left out' : 'in the data set anyway (broken-images: keep)'}. ${examples(broken)}`;
  const labels = [...byLabel(broken)].flatMap(([label, found]) => {
    const { train = 0, test = 0 } = classes.get(label) ?? {};
    const images = train + test + (isGone ? found.length : 0);
    if (found.length <= NOTEWORTHY_SHARE * images) return [];
    return [
      `The label “${label}”: ${found.length} of its ${images} images are broken. Look at the zip they come from.`,
    ];
  });
  return [all, ...labels];
}

function byLabel(broken: readonly FoundBroken[]): Map<string, FoundBroken[]> {
  return Map.groupBy(broken, ({ planned }) => planned.label);
}

function examples(broken: readonly FoundBroken[]): string {
  const shown = broken
    .slice(0, EXAMPLES)
    .map(({ zipName, planned, fault }) => `${zipName}: ${planned.image.path} ${fault}`);
  return `${shown.join('; ')}${broken.length > EXAMPLES ? '; …' : ''}.`;
}
