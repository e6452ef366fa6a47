import { realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseMetrics } from '../../src/model/metrics.ts';
import { hubCard } from '../../src/publish-model/hub-card.ts';
import { requireCommand, run } from '../helpers/commands.ts';
import { metrics } from '../helpers/model.ts';

/** What the library of a hub of models makes of a card, without a network. */
const PROGRAM = `
import json, sys
from huggingface_hub import ModelCard, ModelCardData
card = ModelCard(sys.argv[1])
assert isinstance(card.data, ModelCardData)
results = [[each.task_type, each.dataset_name, each.metric_type, each.metric_value] for each in card.data.eval_results]
print(json.dumps({**card.data.to_dict(), "model-index": None, "results": results, "name": card.data.model_name, "text": card.text}))
`;

const parsed = z.object({
  license: z.string(),
  base_model: z.string(),
  tags: z.array(z.string()),
  metrics: z.array(z.string()),
  results: z.array(z.tuple([z.string(), z.string(), z.string(), z.number()])),
  name: z.string(),
  text: z.string(),
});

/** Where the program of the library lies, its Python does. */
function pythonOf(program: string): string {
  requireCommand(program, 'run “.ci/install-tools FOLDER hub” and put FOLDER/bin on the PATH', ['--help']);
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      return join(dirname(realpathSync(join(folder, program))), 'python');
    } catch {
      // It is in another one.
    }
  }
  throw new Error(`${program} runs and is nowhere on the PATH`);
}

test('huggingface_hub reads the card of a published model, with licence, base model and figures', async () => {
  const card = hubCard({
    name: 'diatoms-baltic',
    about: { author: 'Lab', contact: 'lab@example.org', license: 'CC-BY-4.0', citation: 'Lab 2026' },
    metrics: parseMetrics(JSON.stringify(metrics()), 'metrics.json'),
    provenance: JSON.stringify({ dataset: { name: 'set.zip', sha256: 'ab'.repeat(32), seed: '7' } }),
    training: JSON.stringify({ options: { initial_weights: 'imagenet' } }),
    card: '# Model card\n',
  });
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HUB_DISABLE_TELEMETRY: '1' };
  const read = parsed.parse(JSON.parse(await run(pythonOf('hf'), ['-c', PROGRAM, card], { env })));
  expect(read).toMatchObject({
    license: 'cc-by-4.0',
    base_model: 'timm/resnet50.tv2_in1k',
    metrics: ['accuracy', 'f1'],
    name: 'diatoms-baltic',
    results: [
      ['image-classification', 'set.zip', 'accuracy', 0.9],
      ['image-classification', 'set.zip', 'f1', 0.9],
    ],
  });
  expect(read.text).toContain('## Contact and licence');
});
