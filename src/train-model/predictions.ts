import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCsv } from '../dataset/csv.ts';
import { DiatomError } from '../errors.ts';
import { formatBytes } from '../format.ts';
import type { ComparedImage } from '../model/compared-images.ts';
import type { DatasetImage } from './images.ts';
import { isRegularFile } from './output-dir.ts';

/** What `test-command` writes beside `metrics.json`: what the model takes each test image for. */
const PREDICTIONS_FILE = 'predictions.csv';

const COLUMNS = ['path', 'label', 'predicted'] as const;

/** A line has some hundred bytes, with the probabilities of a hundred classes a thousand, so these are more images than anybody tests with. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Puts together what two models say to the same images. A test-command of one's own may not tell, or not as it should: that
 * is a warning, and the models are compared by their figures only.
 *
 * @param folders where the models' tests have written to
 * @param labels the classes of both
 */
export async function readAnswers(
  folders: { readonly candidate: string; readonly production: string },
  images: readonly DatasetImage[],
  labels: readonly string[],
  onWarning: (message: string) => void,
): Promise<ComparedImage[] | undefined> {
  const onlyFigures = 'The models were compared by their figures only, so whether a class was lost is not known';
  try {
    const candidate = await readPredictions(folders.candidate, images, labels);
    const production = await readPredictions(folders.production, images, labels);
    if (!candidate?.size || !production?.size) {
      onWarning(`${onlyFigures}: the test-command writes no ${PREDICTIONS_FILE}, or an empty one.`);
      return undefined;
    }
    const answered = images.flatMap(({ path, sha256, label }) => {
      const [mine, its] = [candidate.get(path), production.get(path)];
      return mine === undefined || its === undefined ? [] : [{ path, sha256, label, candidate: mine, production: its }];
    });
    const missing = images.length - answered.length;
    if (missing > 0) {
      onWarning(`${missing} of ${images.length} images were not compared one by one: ${PREDICTIONS_FILE} lacks them.`);
    }
    return answered;
  } catch (error) {
    if (!(error instanceof DiatomError) || error.code !== 'MODEL') throw error;
    onWarning(`${onlyFigures}: ${error.message}`);
    return undefined;
  }
}

/** @returns the predicted label by path; `undefined` when there is no such file */
async function readPredictions(
  folder: string,
  images: readonly DatasetImage[],
  labels: readonly string[],
): Promise<Map<string, string> | undefined> {
  const file = join(folder, PREDICTIONS_FILE);
  if (!(await isRegularFile(file))) return undefined;
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw invalid(`it has ${formatBytes(size)}`, `at most ${formatBytes(MAX_BYTES)}`);
  const known = new Map(images.map(({ path, label }) => [path, label]));
  const predictions = new Map<string, string>();
  for (const [index, row] of parseCsv(await readFile(file, 'utf8')).entries()) {
    const place = `image ${index + 1}`;
    const missing = COLUMNS.find((name) => row.get(name) === undefined);
    if (missing !== undefined) throw invalid(`${place} has no ${missing}`, `the columns ${COLUMNS.join(', ')}`);
    const [path = '', label = '', predicted = ''] = COLUMNS.map((name) => row.get(name));
    if (known.get(path) !== label) {
      const found = known.has(path) ? `the label “${label}” for ${path}` : `the path “${path}”`;
      const example = images[0] ? `, such as ${images[0].path}` : '';
      throw invalid(`${place} has ${found}`, `path and label as below $DATA_DIR${example}`);
    }
    if (predictions.has(path)) throw invalid(`${path} is there twice`, 'one line an image');
    if (!labels.includes(predicted)) throw invalid(`${place} is taken for “${predicted}”`, 'a label of classes.json');
    predictions.set(path, predicted);
  }
  return predictions;
}

function invalid(found: string, expected: string): DiatomError {
  return new DiatomError(
    'MODEL',
    `The ${PREDICTIONS_FILE} that the test-command has written is not valid: ${found}, expected is ${expected}.`,
  );
}
