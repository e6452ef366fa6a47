import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { parseCsv } from '../dataset/csv.ts';
import { DiatomError } from '../errors.ts';
import { type Metrics as ModelMetrics, parseMetrics } from '../model/metrics.ts';
import { jsonOf } from '../text/json.ts';
import { isRegularFile } from './output-dir.ts';

/** What a test found out, and all that metrics.json says, as compact JSON. */
export interface Metrics extends ModelMetrics {
  readonly json: string;
}

/** One epoch of a training; `undefined` for what it did not measure. */
export interface Epoch {
  readonly epoch: number;
  readonly trainLoss: number | undefined;
  readonly valLoss: number | undefined;
  readonly valAccuracy: number | undefined;
  readonly valMacroF1: number | undefined;
}

/** A file of this size is no description any more; it would not fit into the job's outputs either. */
const MAX_BYTES = 16 * 2 ** 20;

/**
 * Checks what training must leave in its folder: `model.pth` and `classes.json`.
 *
 * @returns the classes in the model's order
 * @throws DiatomError `MODEL` that names the file and what is wrong with it
 */
export async function readTrained(folder: string): Promise<string[]> {
  if (!(await isRegularFile(join(folder, 'model.pth')))) {
    throw new DiatomError(
      'MODEL',
      'The train-command ended well, but has written no file model.pth to the folder that $OUTPUT_DIR names: it is what the model is read from. Write the state_dict there.',
    );
  }
  if ((await stat(join(folder, 'model.pth'))).size === 0) throw new DiatomError('MODEL', 'The model.pth is empty.');
  const text = await readDescription(folder, 'classes.json', 'train-command');
  const labels = z.array(z.string()).check(z.minLength(1)).safeParse(jsonOf(text));
  if (!labels.success) throw invalid('classes.json', 'a JSON array of the labels, in the model’s order', 'it is not');
  return labels.data;
}

/**
 * Reads what testing must leave in its folder: `metrics.json`.
 *
 * @throws DiatomError `MODEL` that names what is wrong with it
 */
export async function readMetrics(folder: string): Promise<Metrics> {
  const text = await readDescription(folder, 'metrics.json', 'test-command');
  return { ...parseMetrics(text, 'metrics.json'), json: JSON.stringify(jsonOf(text)) };
}

/** The course of the training by `history.csv`, empty when there is none. Cells that are no number count as not there. */
export async function readHistory(folder: string): Promise<Epoch[]> {
  const path = join(folder, 'history.csv');
  if (!(await isRegularFile(path)) || (await stat(path)).size > MAX_BYTES) return [];
  return parseCsv(await readFile(path, 'utf8')).flatMap((row) => {
    const number = (...names: string[]) => {
      const text = names.map((name) => row.get(name)?.trim() ?? '').find((cell) => cell !== '');
      const value = Number(text ?? Number.NaN);
      return Number.isFinite(value) ? value : undefined;
    };
    const epoch = number('epoch');
    if (epoch === undefined) return [];
    return [
      {
        epoch,
        trainLoss: number('train_loss'),
        valLoss: number('validation_loss', 'val_loss'),
        valAccuracy: number('validation_accuracy', 'val_accuracy'),
        valMacroF1: number('validation_macro_f1', 'val_macro_f1'),
      },
    ];
  });
}

async function readDescription(folder: string, name: string, by: string): Promise<string> {
  const path = join(folder, name);
  if (!(await isRegularFile(path))) {
    throw new DiatomError(
      'MODEL',
      `The ${by} ended well, but has written no file ${name} to the folder that $OUTPUT_DIR names.`,
    );
  }
  if ((await stat(path)).size > MAX_BYTES) throw invalid(name, `at most ${MAX_BYTES} bytes`, 'it is larger');
  return readFile(path, 'utf8');
}

function invalid(name: string, expected: string, found: string): DiatomError {
  return new DiatomError(
    'MODEL',
    `The ${name} that the image has written is not valid: expected ${expected}; ${found}.`,
  );
}
