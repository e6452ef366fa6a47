import type { ClassFigures, Metrics } from './metrics.ts';

type Read = (metrics: Metrics) => number | undefined;

const OVERALL: Readonly<Record<string, Read>> = {
  accuracy: (metrics) => metrics.accuracy,
  accuracy_ci_low: (metrics) => metrics.accuracyInterval?.[0],
  accuracy_ci_high: (metrics) => metrics.accuracyInterval?.[1],
  macro_f1: (metrics) => metrics.macroF1,
  macro_f1_ci_low: (metrics) => metrics.macroF1Interval?.[0],
  macro_f1_ci_high: (metrics) => metrics.macroF1Interval?.[1],
  n_test: (metrics) => metrics.images,
};

const OF_A_CLASS: Readonly<Record<string, (figures: ClassFigures) => number | null | undefined>> = {
  precision: (figures) => figures.precision,
  precision_ci_low: (figures) => figures.precision_ci?.[0],
  recall: (figures) => figures.recall,
  recall_ci_low: (figures) => figures.recall_ci?.[0],
  f1: (figures) => figures.f1,
  support: (figures) => figures.support,
};

/** The names of the figures of the whole model. */
export const OVERALL_FIGURES: readonly string[] = Object.keys(OVERALL);
/** The names of the figures of one class. */
export const CLASS_FIGURES: readonly string[] = Object.keys(OF_A_CLASS);

export function isFraction(name: string): boolean {
  return name !== 'n_test' && name !== 'support';
}

/** The value of a figure; `undefined` when it was not measured, or there is no such class. */
export function figureOf(metrics: Metrics, name: string, label: string | undefined): number | undefined {
  if (label === undefined) return Object.hasOwn(OVERALL, name) ? OVERALL[name]?.(metrics) : undefined;
  const figures = Object.hasOwn(metrics.classes, label) ? metrics.classes[label] : undefined;
  const read = Object.hasOwn(OF_A_CLASS, name) ? OF_A_CLASS[name] : undefined;
  return (figures && read?.(figures)) ?? undefined;
}
