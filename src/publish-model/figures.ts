import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';

const fraction = z.number().check(z.minimum(0), z.maximum(1));
const count = z.int().check(z.minimum(0));
const interval = z.optional(z.nullable(z.tuple([fraction, fraction])));

/** A figure that can't be measured (the precision of a class that was never predicted) may be `null`. */
const classFigures = z.object({
  precision: z.nullable(fraction),
  recall: z.nullable(fraction),
  f1: z.nullable(fraction),
  support: count,
});

const figuresSchema = z.object({
  accuracy: fraction,
  accuracy_ci: interval,
  macro_f1: fraction,
  macro_f1_ci: interval,
  classes: z.record(z.string(), classFigures),
});

/** How well a model did on test images. Fractions from 0 to 1; `…_ci` are confidence intervals, lower end first. */
export type Figures = z.infer<typeof figuresSchema>;

const metricsSchema = z.extend(figuresSchema, {
  format: z.literal(1),
  labels: z.array(z.string()),
  n_test: z.optional(count),
});

/** What `metrics.json` holds of interest here. */
export type Metrics = z.infer<typeof metricsSchema>;

const comparisonSchema = z.object({
  format: z.literal(1),
  production_version: z.nullable(z.string()),
  n_test: count,
  n_compared: count,
  too_few: z.boolean(),
  candidate: z.nullable(figuresSchema),
  production: z.nullable(figuresSchema),
});

/** What `comparison.json` holds: candidate and production on the test images that neither was trained on. */
export type Comparison = z.infer<typeof comparisonSchema>;

const classesSchema = z.array(z.string().check(z.minLength(1))).check(z.minLength(1));

/** @throws DiatomError `MODEL` naming `file` and the place in it */
export function parseMetrics(text: string, file: string): Metrics {
  return parseAs(metricsSchema, text, file);
}

/** @throws DiatomError `MODEL` naming `file` and the place in it */
export function parseComparison(text: string, file: string): Comparison {
  return parseAs(comparisonSchema, text, file);
}

/** The labels in the order of the model's outputs. @throws DiatomError `MODEL` also for a label that is there twice */
export function parseClasses(text: string, file: string): string[] {
  const classes = parseAs(classesSchema, text, file);
  const twice = classes.find((label, index) => classes.indexOf(label) !== index);
  if (twice === undefined) return classes;
  throw new DiatomError(
    'MODEL',
    `${file} has the label “${twice}” twice: every output of a model needs its own label.`,
  );
}

function parseAs<T>(schema: z.ZodMiniType<T>, text: string, file: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DiatomError('MODEL', `${file} is not JSON: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    });
  }
  const parsed = schema.safeParse(value, { error: sentenceOfIssue });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.map(String).join(' → ') || 'the whole'} ${message}`);
  throw new DiatomError('MODEL', `${file} is not what training and testing should write: ${faults.join('; ')}.`);
}

function sentenceOfIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return 'is missing';
  const found = `is ${String(JSON.stringify(issue.input)).slice(0, 60)}`;
  switch (issue.code) {
    case 'invalid_type':
      return `${found}, expected is ${issue.expected}`;
    case 'invalid_value':
      return `${found}, expected is ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return `${found}, allowed is at least ${issue.minimum}`;
    case 'too_big':
      return `${found}, allowed is at most ${issue.maximum}`;
    default:
      return `${found}, which is not allowed there`;
  }
}
