import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { type ComparedWith, cardSection } from '../model/comparison-sentences.ts';
import { percent, withInterval } from '../model/format-figure.ts';
import type { Metrics } from '../model/metrics.ts';
import { escapeMarkdown, markdownTable } from '../runner/markdown.ts';

const text = z.optional(z.nullable(z.union([z.string(), z.number()])));
const provenanceSchema = z.object({
  image: text,
  image_digest: text,
  dataset: z.optional(z.nullable(z.object({ name: text, sha256: text, seed: text }))),
  settings: z.optional(z.nullable(z.object({ commit: text, values: z.record(z.string(), z.string()) }))),
});

/**
 * A short description of a model whose training left none: what it tells apart, how well, and where it comes from.
 *
 * @param provenance text of provenance.json
 * @throws DiatomError `MODEL` when provenance.json is not what it should be
 */
export function modelCard(model: {
  readonly name: string;
  readonly classes: readonly string[];
  readonly metrics: Metrics;
  readonly provenance: string | undefined;
  readonly comparison: ComparedWith | undefined;
}): string {
  const { name, classes, metrics } = model;
  const origin = model.provenance === undefined ? [] : originRows(model.provenance);
  const rows = classes.map((label) => {
    const figures = metrics.classes[label];
    const precision = withInterval(figures?.precision, figures?.precision_ci);
    const recall = withInterval(figures?.recall, figures?.recall_ci);
    return [escapeMarkdown(label), precision, recall, percent(figures?.f1), String(figures?.support ?? 0)];
  });
  const sections = [
    `# ${escapeMarkdown(name)}`,
    `Tells ${classes.length} classes apart. Accuracy ${withInterval(metrics.accuracy, metrics.accuracyInterval)}, macro-F1 ${withInterval(metrics.macroF1, metrics.macroF1Interval)}${metrics.images === undefined ? '' : ` on ${metrics.images} test images`}.`,
    markdownTable(['Class', 'Precision', 'Recall', 'F1', 'Test images'], rows, [
      'Precision',
      'Recall',
      'F1',
      'Test images',
    ]),
    (model.comparison && cardSection(model.comparison)) ?? '',
    origin.length === 0 ? 'Where it comes from is not recorded.' : markdownTable(['Made from', ''], origin),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

export function originRows(json: string): string[][] {
  const { image, image_digest: digest, dataset, settings } = parseProvenance(json);
  const rows: (readonly [string, string | number | null | undefined])[] = [
    ['Data set', dataset?.name],
    ['SHA-256 of the data set', dataset?.sha256],
    ['Seed of the split', dataset?.seed],
    ['Image', image],
    ['Digest of the image', digest],
    ...Object.entries(settings?.values ?? {}).map(([name, value]) => [`Setting ${name}`, value] as const),
    ['Commit of the settings', settings?.commit],
  ];
  return rows.flatMap(([what, value]) =>
    value === null || value === undefined ? [] : [[what, escapeMarkdown(String(value))]],
  );
}

/** @throws DiatomError `MODEL` when it is not what training should write */
export function parseProvenance(json: string): z.infer<typeof provenanceSchema> {
  try {
    return provenanceSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new DiatomError(
      'MODEL',
      'provenance.json is not what training should write: an object with image, image_digest and dataset.',
      { cause },
    );
  }
}
