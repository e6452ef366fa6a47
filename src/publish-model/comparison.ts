import * as z from 'zod/mini';
import type { BestOfOthers, ComparedImage } from '../model/compared-images.ts';
import { type Metrics, metricsOf, metricsSchema } from '../model/metrics.ts';
import { parseJsonAs } from '../model/parse-json.ts';

const count = z.int().check(z.minimum(0));

const comparisonSchema = z.object({
  format: z.union([z.literal(1), z.literal(2)]),
  production_version: z.nullable(z.string()),
  n_test: count,
  n_compared: count,
  too_few: z.boolean(),
  candidate: z.nullable(metricsSchema),
  production: z.nullable(metricsSchema),
  /** From format 2 on; `null` when the tests did not tell. */
  images: z.nullish(
    z.array(
      z.object({
        path: z.string(),
        sha256: z.string(),
        label: z.string(),
        candidate: z.string(),
        production: z.string(),
        best: z.optional(z.string()),
      }),
    ),
  ),
  /** In files of older releases there is none. */
  best: z.nullish(z.object({ version: z.nullable(z.string()), not_compared: z.nullable(z.string()) })),
});

/** How a model and production's do on the test images that neither was trained on. */
export interface Comparison {
  /** What it was compared with; `undefined` when that is not known. */
  readonly productionVersion: string | undefined;
  /** Test images of the data set. */
  readonly total: number;
  /** Those that neither model was trained on. */
  readonly compared: number;
  /** Whether these are too few to tell which model is better. */
  readonly tooFew: boolean;
  /** `undefined` when nothing could be measured. */
  readonly scores: { readonly candidate: Metrics; readonly production: Metrics } | undefined;
  /** What both say to each image; `undefined` when that is not known. */
  readonly images: readonly ComparedImage[] | undefined;
  /** Another version that was in production and was better; `undefined` when there is none, or it was not asked. */
  readonly best: BestOfOthers | undefined;
}

/** @throws DiatomError `MODEL` naming `file` and the place in it */
export function parseComparison(text: string, file: string): Comparison {
  const { candidate, production, ...data } = parseJsonAs(comparisonSchema, text, file);
  return {
    productionVersion: data.production_version ?? undefined,
    total: data.n_test,
    compared: data.n_compared,
    tooFew: data.too_few,
    images: data.images ?? undefined,
    best: data.best
      ? { version: data.best.version ?? undefined, notCompared: data.best.not_compared ?? undefined }
      : undefined,
    scores:
      candidate && production ? { candidate: metricsOf(candidate), production: metricsOf(production) } : undefined,
  };
}
