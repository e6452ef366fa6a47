import { stringify } from 'yaml';
import * as z from 'zod/mini';
import type { Metrics } from '../model/metrics.ts';
import { SERVING_NETWORK } from '../model/serving-network.ts';
import { escapeMarkdown, markdownTable } from '../runner/markdown.ts';
import { jsonOf } from '../text/json.ts';
import { originRows, parseProvenance } from './model-card.ts';

/** What people say about a model, and no file of it says; `''` for what they don't. */
export interface About {
  readonly author: string;
  readonly contact: string;
  /** An SPDX identifier. */
  readonly license: string;
  readonly citation: string;
}

interface Described {
  readonly name: string;
  readonly about: About;
  readonly metrics: Metrics;
  /** Text of provenance.json. */
  readonly provenance: string | undefined;
  /** Text of the template's training.json. */
  readonly training: string | undefined;
  /** MODEL_CARD.md. */
  readonly card: string;
}

const trainingSchema = z.object({
  base_model: z.optional(z.nullable(z.string())),
  options: z.optional(z.object({ initial_weights: z.optional(z.string()) })),
});

/**
 * The card of a model in the form in which hubs of models take it (huggingface.co/docs/hub/model-cards): YAML for programs,
 * then what training wrote, then what people say about it.
 *
 * @throws DiatomError `MODEL` when provenance.json is not what it should be
 */
export function hubCard(model: Described): string {
  const { about, card, provenance } = model;
  const body = card.replace(/^---\n[\s\S]*?\n---\n+/, '').trimEnd();
  const origin = provenance === undefined ? [] : originRows(provenance);
  const has = (title: string) => new RegExp(`^## ${title}$`, 'm').test(body);
  const sections = [
    `---\n${stringify(frontMatter(model), { lineWidth: 0 })}---`,
    body,
    has('Intended use') ? '' : INTENDED_USE,
    `## Contact and licence\n\n${aboutTable(about)}`,
    about.citation === '' ? '' : `## Citation\n\n${fenced(about.citation)}`,
    // The card that publishing writes itself has it already.
    origin.length === 0 || body.includes('| Made from |')
      ? ''
      : `## Origin\n\n${markdownTable(['Made from', ''], origin)}`,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

const INTENDED_USE = `## Intended use

To sort microscope images of the kind that it was trained with into its classes, with a person who looks at samples of the
result. It is not meant for images of another kind, for classes that it was not trained with (it names one of its own all
the same), or for decisions that nobody checks.`;

function frontMatter({ name, about, metrics, provenance, training }: Described) {
  const base = baseModel(training);
  const dataset = provenance === undefined ? undefined : parseProvenance(provenance).dataset;
  const datasetName = String(dataset?.name ?? 'unnamed data set');
  const figures = [
    { type: 'accuracy', name: 'Accuracy', value: metrics.accuracy },
    { type: 'f1', name: 'Macro-F1', value: metrics.macroF1 },
  ];
  return {
    ...(about.license === '' ? {} : { license: about.license.toLowerCase() }),
    pipeline_tag: 'image-classification',
    tags: ['image-classification', 'pytorch', 'microscopy', 'biology'],
    ...(base === undefined ? {} : { base_model: base }),
    metrics: ['accuracy', 'f1'],
    'model-index': [
      {
        name,
        results: [
          {
            task: { type: 'image-classification', name: 'Image classification' },
            dataset: {
              type:
                datasetName
                  .toLowerCase()
                  .replace(/[^a-z0-9]+/g, '-')
                  .replace(/^-|-$/g, '') || 'dataset',
              name: datasetName,
              split: 'test',
              ...(dataset?.sha256 ? { revision: String(dataset.sha256) } : {}),
            },
            metrics: figures,
          },
        ],
      },
    ],
  };
}

/** A description that can't be read is no reason not to publish: then it is not known what training began with. */
function baseModel(training: string | undefined): string | undefined {
  const read = trainingSchema.safeParse(jsonOf(training ?? 'null'));
  if (!read.success) return undefined;
  const { base_model: own, options } = read.data;
  return own ?? (options?.initial_weights === 'imagenet' ? SERVING_NETWORK.imagenetWeights : undefined);
}

function aboutTable({ author, contact, license }: About): string {
  const rows = [
    ['Author', author],
    ['Contact', contact],
    ['Licence', license],
  ] as const;
  return markdownTable(
    ['', ''],
    rows.map(([what, value]) => [what, value === '' ? 'not stated' : escapeMarkdown(value)]),
  );
}

/** A fence that is longer than any in the text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text.trim()}\n${fence}`;
}
