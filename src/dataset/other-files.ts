import { DiatomError } from '../errors.ts';
import { compareCodePoints } from '../text/code-points.ts';

/** Files of one ending that are not taken for images. */
export interface Ending {
  /** Lower-case, without the dot; `''` for none. */
  readonly ending: string;
  readonly count: number;
  /** Where the first few of them are. */
  readonly examples: readonly string[];
}

/** What was selected of one label, over all its zips. */
export interface LabelFiles {
  readonly label: string;
  readonly zipNames: readonly string[];
  /** How many images. */
  readonly images: number;
  /** Of the other files in its folders, system files left aside. */
  readonly others: readonly Ending[];
}

/** From this share of a label's files on, files that are left out because of their ending are worth a warning. */
const NOTEWORTHY_SHARE = 0.05;

const EXAMPLES = 3;

/** Endings of what accompanies images and is no image: texts, tables, annotations, documents, programs. */
const COMPANIONS = new Set(
  'txt md rst csv tsv json geojson xml xmp yml yaml ini cfg log html htm css js pdf rtf doc docx odt xls xlsx ods ppt pptx py r ipynb sh m mat url lnk md5 sha1 sha256 db sqlite'.split(
    ' ',
  ),
);

/** Whether files of an ending accompany images and are no images themselves. */
export function isCompanion(ending: string): boolean {
  return COMPANIONS.has(ending);
}

/** Adds files to the count of their endings. */
export function addEndings(
  counted: Map<string, Ending>,
  files: Iterable<{ readonly ending: string; readonly place: string }>,
): void {
  for (const { ending, place } of files) {
    const { count, examples } = counted.get(ending) ?? { count: 0, examples: [] };
    counted.set(ending, {
      ending,
      count: count + 1,
      examples: examples.length < EXAMPLES ? [...examples, place] : examples,
    });
  }
}

/** A sentence for each label of which many files are left out because of their ending. */
export function endingWarnings(labels: readonly LabelFiles[], extensions: readonly string[]): string[] {
  return labels.flatMap(({ label, images, others }) => {
    const left = others.filter(({ ending }) => !COMPANIONS.has(ending));
    const count = left.reduce((sum, other) => sum + other.count, 0);
    const all = images + count;
    if (count === 0 || count < NOTEWORTHY_SHARE * all) return [];
    return [
      `The label “${label}”: ${count} of its ${all} files are left out because of their ending. ${describe(left, extensions)}`,
    ];
  });
}

/** @throws DiatomError `DATA_SET` when a label has not one image, with what is there instead */
export function requireImages(labels: readonly LabelFiles[], extensions: readonly string[]): void {
  const faults = labels
    .filter(({ images }) => images === 0)
    .map(({ label, zipNames, others }) => {
      const found = others.length === 0 ? 'Its folder is empty.' : describe(others, extensions);
      return `The label “${label}” (${[...new Set(zipNames)].join(', ')}) has no images: none is left for training. ${found}`;
    });
  if (faults.length === 0) return;
  throw new DiatomError('DATA_SET', `${faults.join('\n')}\nAdd images, or take the label out of the file list.`);
}

function describe(others: readonly Ending[], extensions: readonly string[]): string {
  const sorted = [...others].sort((a, b) => b.count - a.count || compareCodePoints(a.ending, b.ending));
  const found = sorted.slice(0, EXAMPLES + 2).map(({ ending, count, examples }) => {
    const files = count === 1 ? '1 file' : `${count} files`;
    return `${files} ${ending === '' ? 'without an ending' : `that end${count === 1 ? 's' : ''} with .${ending}`} (${examples.join(', ')}${count > examples.length ? ' …' : ''})`;
  });
  const zips = sorted.some(({ ending }) => ending === 'zip')
    ? [
        'Zips inside a zip are not unpacked: give each an entry of its own in the file list, or zip the folders themselves.',
      ]
    : [];
  const endings = sorted.flatMap(({ ending }) =>
    /^[a-z0-9]+$/.test(ending) && ending !== 'zip' && !COMPANIONS.has(ending) ? [ending] : [],
  );
  const input =
    endings.length === 0
      ? []
      : [`If these are images, set image-extensions: ${[...extensions, ...endings].join(', ')}.`];
  return [`Found: ${found.join(', ')}.`, ...zips, ...input].join(' ');
}
