import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { whyUnsafeName } from '../dataset/safe-name.ts';
import { DiatomError } from '../errors.ts';
import { digestFile, digestText, type FileDigest } from '../files/digest-file.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { BECAME_WRONG_FILE } from '../model/compared-images.ts';
import { type Metrics, parseMetrics } from '../model/metrics.ts';
import {
  CARD_FILE,
  CLASSES_FILE,
  COMPARISON_FILE,
  HUB_CARD_FILE,
  LABEL_ISSUES_LIST,
  LABEL_ISSUES_PAGE,
  METRICS_FILE,
  PROVENANCE_FILE,
  RECORD_FILE,
  SUMS_FILE,
  TRAINING_FILE,
  VERSION_FILE,
  WEIGHTS_FILE,
} from '../model/model-folder.ts';
import { SERVING_NETWORK } from '../model/serving-network.ts';
import { formatSums } from '../model/sums.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { parseClasses } from './classes.ts';
import { type Comparison, parseComparison } from './comparison.ts';
import { type About, hubCard } from './hub-card.ts';
import { modelCard } from './model-card.ts';

/** Left in it by `train-model`; of no meaning elsewhere. */
const MARKER = '.diatom-actions';
/** A training's results that are no part of a version. */
const NOT_OF_THE_MODEL = new Set([MARKER, BECAME_WRONG_FILE, LABEL_ISSUES_PAGE, LABEL_ISSUES_LIST]);
const TRAINING_IMAGES_FILE = 'training-images.csv';

/** A file of a version. */
export interface ModelFile extends FileDigest {
  readonly name: string;
  /** Where it lies, or what it says when it was made here. */
  readonly content: { readonly path: string } | { readonly text: string };
}

/** What is known of a model beside its files. */
interface Named {
  readonly name: string;
  readonly about: About;
}

/** A model as training left it, checked. */
export interface LocalModel {
  /** All that a version holds but SHA256SUMS, by name. */
  readonly files: readonly ModelFile[];
  /** SHA256SUMS of these files, as `sha256sum --check` reads it. */
  readonly sums: string;
  readonly classes: readonly string[];
  readonly metrics: Metrics;
  /** `undefined` when the model was not compared with another. */
  readonly comparison: Comparison | undefined;
  /** SHA-256 of the weights. */
  readonly sha256: string;
  readonly warnings: readonly string[];
}

/**
 * Reads and checks a model's folder: `model.pth`, `classes.json` and `metrics.json` must be there and agree. All files of
 * the folder belong to the version; folders in it do not, which is a warning.
 *
 * @param named the model's name, and what else its cards say about it
 * @throws DiatomError `MODEL` for what is missing or wrong, `DISK` when it can't be read, `CANCELLED`
 */
export async function readLocalModel(folder: string, named: Named, signal: AbortSignal): Promise<LocalModel> {
  const { names, warnings } = await filesIn(folder);
  const text = (file: string) => readText(join(folder, file));
  const optional = (file: string) => (names.includes(file) ? text(file) : undefined);

  const classes = parseClasses(await text(CLASSES_FILE), CLASSES_FILE);
  const metrics = parseMetrics(await text(METRICS_FILE), METRICS_FILE);
  requireSameClasses(classes, metrics);
  const compared = await optional(COMPARISON_FILE);
  const comparison = compared === undefined ? undefined : parseComparison(compared, COMPARISON_FILE);
  if (!names.includes(TRAINING_IMAGES_FILE)) {
    warnings.push(
      `The model has no ${TRAINING_IMAGES_FILE}: nobody can tell later which images it was trained on, so it can’t be compared fairly with the models that follow.`,
    );
  }

  if (metrics.seenInTraining) {
    warnings.push(
      `${metrics.seenInTraining} of the test images, or others of their groups, were seen in training: the figures in ${METRICS_FILE} are too good.`,
    );
  }

  if (metrics.servesContract === false) {
    warnings.push(
      `The serving code of the template’s contract can’t load this model: it knows only the ${SERVING_NETWORK.name} (${SERVING_NETWORK.setting}). What reads production has to be made for this network.`,
    );
  }
  if (metrics.baseline && !metrics.baseline.isBeaten) warnings.push(metrics.baseline.sentence);

  const files: ModelFile[] = [];
  for (const file of names) {
    const path = join(folder, file);
    files.push({ name: file, ...(await digestFile(path, signal)), content: { path } });
  }
  const provenance = await optional(PROVENANCE_FILE);
  const card = (await optional(CARD_FILE)) ?? modelCard({ name: named.name, classes, metrics, comparison, provenance });
  if (!names.includes(CARD_FILE)) files.push(textFile(CARD_FILE, card));
  if (!names.includes(HUB_CARD_FILE)) {
    const training = await optional(TRAINING_FILE);
    files.push(textFile(HUB_CARD_FILE, hubCard({ ...named, metrics, provenance, training, card })));
  }
  files.sort((a, b) => compareCodePoints(a.name, b.name));
  const weights = files.find((file) => file.name === WEIGHTS_FILE);
  if (!weights || weights.bytes === 0) throw new DiatomError('MODEL', `${WEIGHTS_FILE} in ${folder} is empty.`);
  requireSameWeights(metrics, weights);
  return { files, sums: formatSums(files), classes, metrics, comparison, sha256: weights.sha256, warnings };
}

/** A text as a file of a version. */
export function textFile(name: string, text: string): ModelFile {
  return { name, ...digestText(text), content: { text } };
}

async function filesIn(folder: string): Promise<{ names: string[]; warnings: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new DiatomError('MODEL', `The model’s folder ${folder} can’t be read: it has to be a folder that exists.`, {
      cause,
    });
  });
  const names: string[] = [];
  const warnings: string[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (NOT_OF_THE_MODEL.has(name)) continue;
    if (entry.isDirectory()) {
      warnings.push(`The folder ${name} in the model’s folder is not published: only files are.`);
    } else if (name.startsWith('.')) {
      warnings.push(`The file ${name} in the model’s folder is not published: it is hidden.`);
    } else if (name === SUMS_FILE || name === VERSION_FILE || name === RECORD_FILE) {
      warnings.push(`The file ${name} in the model’s folder is not published: a new one is made.`);
    } else if (!entry.isFile()) {
      // A link could lead to any file of the runner, and whatever made the folder may come from anywhere.
      throw new DiatomError('MODEL', `${name} in ${folder} is a link or no plain file: put the file itself there.`);
    } else if (whyUnsafeName(name) !== undefined || /\.(?:file)?part$/i.test(name)) {
      const reason = whyUnsafeName(name) ?? 'ends like an unfinished upload, which ownCloud refuses';
      throw new DiatomError(
        'MODEL',
        `The file “${name}” in ${folder} can’t be published under its name: it ${reason}.`,
      );
    } else names.push(name);
  }
  const missing = [WEIGHTS_FILE, CLASSES_FILE, METRICS_FILE].filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const found = names.length === 0 ? 'nothing' : names.toSorted().join(', ');
    throw new DiatomError(
      'MODEL',
      `The model’s folder ${folder} has no ${missing.join(', no ')}; found: ${found}. It has to be the folder that train.py and test.py wrote to.`,
    );
  }
  return { names, warnings };
}

function requireSameClasses(classes: readonly string[], { labels, classes: figures }: Metrics): void {
  const unknown = Object.keys(figures).filter((label) => !classes.includes(label));
  if (JSON.stringify(labels ?? classes) === JSON.stringify(classes) && unknown.length === 0) return;
  throw new DiatomError(
    'MODEL',
    `${CLASSES_FILE} and ${METRICS_FILE} speak of different classes: ${classes.join(', ')} and ${[...new Set([...(labels ?? []), ...unknown])].join(', ')}. They have to come from one training; train and test again into an empty folder.`,
  );
}

/** Figures of other weights would let a model through a gate that was never tested. */
function requireSameWeights({ weights }: Metrics, { sha256 }: ModelFile): void {
  if (!weights || weights.file !== WEIGHTS_FILE || weights.sha256 === sha256) return;
  throw new DiatomError(
    'MODEL',
    `${METRICS_FILE} describes other weights than ${WEIGHTS_FILE} (SHA-256 ${weights.sha256} and ${sha256}): test the model again.`,
  );
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw diskFailure('read', path, error);
  });
}
