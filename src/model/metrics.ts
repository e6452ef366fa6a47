import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { parseJsonAs } from './parse-json.ts';

const share = z.number().check(z.minimum(0), z.maximum(1));
const interval = z.tuple([share, share]);
const count = z.int().check(z.minimum(0));

/** A figure that can't be measured (of a class without test images) may be `null`. */
const classFigures = z.object({
  precision: z.nullable(share),
  recall: z.nullable(share),
  f1: z.nullable(share),
  support: count,
  precision_ci: z.nullish(interval),
  recall_ci: z.nullish(interval),
});

/**
 * `metrics.json` in its two spellings: that of templates/model/metrics.schema.json (`images`, `confidence_interval`, a list
 * `classes` and `per_class`), and the flat one (`n_test`, `accuracy_ci`, `macro_f1_ci`, `labels` and figures in `classes`).
 * Of a test program of one's own, accuracy and macro-F1 are enough.
 */
export const metricsSchema = z.object({
  format: z.optional(z.literal(1)),
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
  images_seen_in_training: z.optional(count),
  images_not_rgb: z.optional(count),
  calibration: z.optional(
    z.object({
      threshold: z.nullable(share),
      answered: z.optional(z.nullable(count)),
      answered_right: z.optional(z.nullable(count)),
    }),
  ),
  model: z.optional(z.object({ file: z.string(), sha256: z.string(), serving_contract: z.optional(z.boolean()) })),
  baseline: z.nullish(z.object({ accuracy: share, macro_f1: share, beaten: z.boolean(), sentence: z.string() })),
  warnings: z.optional(z.array(z.string())),
  label_issues: z.nullish(z.object({ images: count, suspected: count })),
});

/** The figures of one class, 0–1; `support` is its number of test images. */
export type ClassFigures = z.infer<typeof classFigures>;

/** What a fine-tuned network has to beat: a logistic regression on features of a frozen one. */
export interface Baseline {
  readonly accuracy: number;
  readonly macroF1: number;
  readonly isBeaten: boolean;
  /** All that for people. */
  readonly sentence: string;
}

/** What a test found out. Shares are 0–1, intervals are confidence intervals, lower end first. */
export interface Metrics {
  readonly accuracy: number;
  readonly accuracyInterval: readonly [number, number] | undefined;
  readonly macroF1: number;
  readonly macroF1Interval: readonly [number, number] | undefined;
  /** Images that the figures are about. */
  readonly images: number | undefined;
  /** Those of them that the model was trained on, or others of their groups: then the figures are too good. */
  readonly seenInTraining: number | undefined;
  /** Those of them that the serving code fails on, because they are grey-scale, for example. */
  readonly notRgb: number | undefined;
  /** Those of them that are not “unknown”, and how many of these are right; `undefined` without a threshold. */
  readonly answered: { readonly threshold: number; readonly images: number; readonly right: number } | undefined;
  /** The classes in the model's order; `undefined` when the file does not say. */
  readonly labels: readonly string[] | undefined;
  readonly classes: Readonly<Record<string, ClassFigures>>;
  /** Rows are true, columns predicted classes, both in the order of `labels`; `undefined` when there is none. */
  readonly confusion:
    | { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] }
    | undefined;
  /** The weights that were tested; `undefined` when the file does not say. */
  readonly weights: { readonly file: string; readonly sha256: string } | undefined;
  /** Whether the serving code that the template is made for can load it; `undefined` when the file does not say. */
  readonly servesContract: boolean | undefined;
  /** A simple model of the same training on the same images; `undefined` when there is none. */
  readonly baseline: Baseline | undefined;
  /** What to expect of a training that was begun like this, for people. */
  readonly warnings: readonly string[];
  /** Images of the data set whose labels were checked, and those of them to look at; `undefined` when none were. */
  readonly labelIssues: { readonly images: number; readonly suspected: number } | undefined;
}

/**
 * Reads a metrics.json.
 *
 * @param file its name, for the message
 * @throws DiatomError `MODEL` that names what is wrong with it
 */
export function parseMetrics(text: string, file: string): Metrics {
  const metrics = metricsOf(parseJsonAs(metricsSchema, text, file));
  const { confusion } = metrics;
  const size = confusion?.labels.length;
  if (confusion && (confusion.counts.length !== size || confusion.counts.some((row) => row.length !== size))) {
    throw new DiatomError(
      'MODEL',
      `${file} is not what training and testing should write: its confusion_matrix should be ${size} × ${size}, as there are classes.`,
    );
  }
  return metrics;
}

/** What a file that `metricsSchema` accepts says, whichever way it is spelt. */
export function metricsOf(data: z.infer<typeof metricsSchema>): Metrics {
  const { baseline, classes, per_class: perClass, confusion_matrix: counts, confidence_interval: both } = data;
  const figures = perClass ?? (Array.isArray(classes) ? undefined : classes);
  const labels = data.labels ?? (Array.isArray(classes) ? classes : figures && Object.keys(figures));
  return {
    accuracy: data.accuracy,
    accuracyInterval: both?.accuracy ?? data.accuracy_ci ?? undefined,
    macroF1: data.macro_f1,
    macroF1Interval: both?.macro_f1 ?? data.macro_f1_ci ?? undefined,
    images: data.images ?? data.n_test,
    seenInTraining: data.images_seen_in_training,
    notRgb: data.images_not_rgb,
    answered: answeredOf(data),
    labels,
    classes: figures ?? {},
    confusion: counts && { labels: labels ?? [], counts },
    weights: data.model && { file: data.model.file, sha256: data.model.sha256 },
    servesContract: data.model?.serving_contract,
    baseline: baseline
      ? {
          accuracy: baseline.accuracy,
          macroF1: baseline.macro_f1,
          isBeaten: baseline.beaten,
          sentence: baseline.sentence,
        }
      : undefined,
    warnings: data.warnings ?? [],
    labelIssues: data.label_issues ?? undefined,
  };
}

function answeredOf({ calibration }: z.infer<typeof metricsSchema>): Metrics['answered'] {
  const { threshold, answered: images, answered_right: right } = calibration ?? {};
  return typeof threshold === 'number' && typeof images === 'number' && typeof right === 'number'
    ? { threshold, images, right }
    : undefined;
}
