import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvField, parseCsv } from '../dataset/csv.ts';
import { hashOfFile } from '../download/part-file.ts';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { compareCodePoints } from '../text/code-points.ts';

/** One image of a data set, as far as it matters which model has seen it. */
export interface DatasetImage {
  /** Below the data set's folder, with `/`: `test/<label>/<file name>`. */
  readonly path: string;
  readonly label: string;
  readonly split: 'train' | 'test';
  /** Lower-case hex. */
  readonly sha256: string;
  /** Images of one group show one specimen, slide or sample; `''` for none. */
  readonly group: string;
}

/** What a model was trained on. */
export interface TrainingImages {
  readonly sums: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
}

/**
 * All images of a data set: by its manifest, else by reading every file in `train` and `test`.
 *
 * @throws DiatomError `DATA_SET` when the manifest is damaged, `CANCELLED`
 */
export async function readImages(folder: string, signal: AbortSignal): Promise<DatasetImage[]> {
  try {
    return imagesOfManifest(await readFile(join(folder, 'manifest.csv'), 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
  const images: DatasetImage[] = [];
  for (const split of ['train', 'test'] as const) {
    const files = await readdir(join(folder, split), { recursive: true, withFileTypes: true });
    const paths = files.flatMap((file) => (file.isFile() ? [join(file.parentPath, file.name)] : []));
    for (const path of paths.sort(compareCodePoints)) {
      const below = path
        .slice(folder.length + 1)
        .split('\\')
        .join('/');
      const sha256 = (await hashOfFile(path, signal)).digest('hex');
      images.push({ path: below, label: below.split('/')[1] ?? '', split, sha256, group: '' });
    }
  }
  return images;
}

function imagesOfManifest(text: string): DatasetImage[] {
  // Broken images are listed, and not in the data set.
  const rows = parseCsv(text).filter((row) => row.get('split') !== 'left-out');
  return rows.map((row, index) => {
    const [path, label, split, sha256] = ['path', 'label', 'split', 'sha256'].map((name) => row.get(name) ?? '');
    const isPlace = path?.startsWith(`${split}/`) && !path.split('/').some((part) => part === '..' || part === '');
    if (!path || !isPlace || !label || (split !== 'train' && split !== 'test') || !isSha256(sha256)) {
      throw new DiatomError(
        'DATA_SET',
        `The data set’s manifest.csv is damaged in image ${index + 1}: expected the columns path, label, split (train or test) and sha256. Make the data set again.`,
      );
    }
    return { path, label, split, sha256, group: row.get('group') ?? '' };
  });
}

function isSha256(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{64}$/.test(text);
}

/** `training-images.csv`: sum and group of every training image, sorted. It goes with the model for as long as it lives. */
export function trainingImagesCsv(images: readonly DatasetImage[]): string {
  const rows = images
    .filter(({ split }) => split === 'train')
    .map(({ sha256, group }) => `${sha256},${csvField(group)}\n`)
    .sort(compareCodePoints);
  return `sha256,group\n${rows.join('')}`;
}

/** Reads what `trainingImagesCsv` has written; `undefined` for any other text. */
export function parseTrainingImages(text: string): TrainingImages | undefined {
  const rows = parseCsv(text);
  const sums = rows.map((row) => row.get('sha256') ?? '');
  if (rows.length === 0 || !sums.every(isSha256)) return undefined;
  const groups = rows.map((row) => row.get('group') ?? '').filter((group) => group !== '');
  return { sums: new Set(sums), groups: new Set(groups) };
}
