import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseMetrics } from '../../src/model/metrics.ts';
import { hubCard } from '../../src/publish-model/hub-card.ts';
import { modelCard } from '../../src/publish-model/model-card.ts';
import { CLASSES, metrics, NOTHING_SAID } from '../helpers/model.ts';

const METRICS = parseMetrics(JSON.stringify(metrics()), 'metrics.json');
const PROVENANCE = JSON.stringify({
  image: 'ghcr.io/lab/model:1',
  dataset: { name: 'diatom_set-2026-11-01.zip', sha256: 'ab'.repeat(32), seed: '7' },
  settings: { commit: 'c'.repeat(40), values: { 'train-command': 'python train.py' } },
});
const ABOUT = {
  author: 'Lab | Diatoms',
  contact: 'lab@example.org',
  license: 'CC-BY-4.0',
  citation: '@misc{x,\n  title = {```}\n}',
};

function cardOf(changes: Partial<Parameters<typeof hubCard>[0]> = {}) {
  const text = hubCard({
    name: 'diatoms: baltic',
    about: ABOUT,
    metrics: METRICS,
    provenance: PROVENANCE,
    training: undefined,
    card: '# Model card\n\nTells 2 classes apart.\n',
    ...changes,
  });
  const [, yaml = '', body = ''] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(text) ?? [];
  return { data: parse(yaml), body };
}

test('its front matter has licence, metrics, tags and the figures with their data set', () => {
  const { data } = cardOf();
  expect(data).toMatchObject({
    license: 'cc-by-4.0',
    pipeline_tag: 'image-classification',
    metrics: ['accuracy', 'f1'],
  });
  expect(data['model-index']).toEqual([
    {
      name: 'diatoms: baltic',
      results: [
        {
          task: { type: 'image-classification', name: 'Image classification' },
          dataset: {
            type: 'diatom-set-2026-11-01-zip',
            name: 'diatom_set-2026-11-01.zip',
            split: 'test',
            revision: 'ab'.repeat(32),
          },
          metrics: [
            { type: 'accuracy', name: 'Accuracy', value: METRICS.accuracy },
            { type: 'f1', name: 'Macro-F1', value: METRICS.macroF1 },
          ],
        },
      ],
    },
  ]);
});

test('what people say about the model is in its text, and what they do not say is said to be missing', () => {
  const { body } = cardOf();
  expect(body).toContain('| Author | Lab \\| Diatoms |');
  expect(body).toContain('| Contact | lab@example.org |');
  expect(body).toContain(`## Citation\n\n\`\`\`\`\n${ABOUT.citation}\n\`\`\`\``);
  const { data, body: silent } = cardOf({ about: NOTHING_SAID });
  expect(data).not.toHaveProperty('license');
  expect(silent).toContain('| Licence | not stated |');
  expect(silent).not.toContain('## Citation');
});

test('settings and their commit are in it once, whoever wrote the rest', () => {
  const own = modelCard({
    comparison: undefined,
    name: 'diatoms',
    classes: CLASSES,
    metrics: METRICS,
    provenance: PROVENANCE,
  });
  for (const card of ['# Model card\n', own]) {
    const { body } = cardOf({ card });
    expect(body.match(/c{40}/g)).toHaveLength(1);
    expect(body.match(/\| Setting train-command \| python train\.py \|/g)).toHaveLength(1);
  }
});

test('it says what the model is for and what it is not, unless the training has said it', () => {
  expect(cardOf().body).toContain('## Intended use');
  const { body } = cardOf({ card: '# Mine\n\n## Intended use\n\nCounting.\n' });
  expect(body.match(/^## Intended use$/gm)).toHaveLength(1);
  expect(body).not.toContain('with a person who looks');
});

test.each([
  [{ options: { initial_weights: 'imagenet' } }, 'timm/resnet50.tv2_in1k'],
  [{ base_model: 'timm/convnext_tiny', options: { initial_weights: 'imagenet' } }, 'timm/convnext_tiny'],
  [{ options: { initial_weights: 'none' } }, undefined],
  ['no object', undefined],
])('what it began with is named where the training says so: %j', (training, base) => {
  expect(cardOf({ training: JSON.stringify(training) }).data['base_model']).toBe(base);
});

test('front matter of the training’s own card is replaced, and a model without provenance has one, too', () => {
  const { data, body } = cardOf({ card: '---\nlicense: mit\n---\n\n# Mine\n', provenance: undefined });
  expect(data.license).toBe('cc-by-4.0');
  expect(body).not.toContain('license: mit');
  expect(data['model-index'][0].results[0].dataset).toMatchObject({ type: 'unnamed-data-set' });
});
