import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { parseCsv } from '../dataset/csv.ts';
import { DiatomError } from '../errors.ts';
import { isRegularFile } from './output-dir.ts';

const share = z.number().check(z.minimum(0), z.maximum(1));
const interval = z.tuple([share, share]);
const count = z.int().check(z.minimum(0));

/** A figure that can't be measured (of a class without test images) may be `null`. */
const classFigures = z.object({
  precision: z.nullable(share),
  recall: z.nullable(share),
  f1: z.nullable(share),
  support: count,
});

/**
 * `metrics.json` in its two spellings: that of templates/model/metrics.schema.json (`images`, `confidence_interval`, a list
 * `classes` and `per_class`), and the flat one (`n_test`, `accuracy_ci`, `macro_f1_ci`, `labels` and figures in `classes`).
 * Of a test program of one's own, accuracy and macro-F1 are enough.
 */
const metricsSchema = z.looseObject({
  accuracy: share,
  macro_f1: share,
  images: z.optional(count),
  n_test: z.optional(count),
  confidence_interval: z.optional(z.object({ accuracy: interval, macro_f1: interval })),
  accuracy_ci: z.nullish(interval),
  macro_f1_ci: z.nullish(interval),
  labels: z.optional(z.array(z.string())),
  classes: z.optional(z.union([z.array(z.string()), z.record(z.string(), classFigures)])),
  per_class: z.optional(z.record(z.string(), classFigures)),
  confusion_matrix: z.optional(z.array(z.array(count))),
});

/** The figures of one class, 0–1; `support` is its number of test images. */
export type ClassFigures = z.infer<typeof classFigures>;

/** What a test found out. Shares are 0–1, intervals are confidence intervals, lower end first. */
export interface Metrics {
  readonly accuracy: number;
  readonly accuracyInterval: readonly [number, number] | undefined;
  readonly macroF1: number;
  readonly macroF1Interval: readonly [number, number] | undefined;
  /** Images that the figures are about. */
  readonly images: number | undefined;
  readonly classes: Readonly<Record<string, ClassFigures>>;
  /** Rows are true, columns predicted classes, both in the order of `labels`; `undefined` when there is none. */
  readonly confusion:
    | { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] }
    | undefined;
  /** All that the file says, as compact JSON. */
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
  const value = jsonOf(text);
  if (value === undefined) throw invalid('metrics.json', 'JSON', 'it can’t be read as such (NaN is none)');
  const metrics = metricsSchema.safeParse(value);
  if (!metrics.success) {
    const [issue] = metrics.error.issues;
    const place = issue?.path.join('.') || 'the whole';
    throw invalid('metrics.json', 'at least accuracy and macro_f1, each from 0 to 1', `${place}: ${issue?.message}`);
  }
  return metricsOf(metrics.data, JSON.stringify(value));
}

function metricsOf(data: z.infer<typeof metricsSchema>, json: string): Metrics {
  const { classes = [], per_class: perClass, labels = Array.isArray(classes) ? classes : Object.keys(classes) } = data;
  const counts = data.confusion_matrix;
  if (counts && (counts.length !== labels.length || counts.some((row) => row.length !== labels.length))) {
    throw invalid(
      'metrics.json',
      `a confusion_matrix of ${labels.length} × ${labels.length}, as there are classes`,
      'it has another size',
    );
  }
  return {
    accuracy: data.accuracy,
    accuracyInterval: data.confidence_interval?.accuracy ?? data.accuracy_ci ?? undefined,
    macroF1: data.macro_f1,
    macroF1Interval: data.confidence_interval?.macro_f1 ?? data.macro_f1_ci ?? undefined,
    images: data.images ?? data.n_test,
    classes: perClass ?? (Array.isArray(classes) ? {} : classes),
    confusion: counts && { labels, counts },
    json,
  };
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

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(name: string, expected: string, found: string): DiatomError {
  return new DiatomError(
    'MODEL',
    `The ${name} that the image has written is not valid: expected ${expected}; ${found}.`,
  );
}
