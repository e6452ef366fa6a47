import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { datasetJson } from '../../src/dataset/manifest.ts';
import { parseMetrics } from '../../src/model/metrics.ts';
import { readInputs as readDataInputs } from '../../src/prepare-data/inputs.ts';
import { modelCard } from '../../src/publish-model/model-card.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { readInputs as readTrainInputs } from '../../src/train-model/inputs.ts';
import { provenanceJson } from '../../src/train-model/provenance.ts';
import { metrics } from '../helpers/model.ts';
import { setInputs } from '../helpers/runner.ts';

const COMMIT = '0123456789'.repeat(4);
const FILE = `
owncloud: { url: https://cloud.example.org, username: ada, password: secret OWNCLOUD_PASSWORD, folder: sets }
data: { n-test: 20%, seed: "7", keep-last: 3 }
train: { env: { EPOCHS: 30 }, gpus: none, shm-size: 1g }
`;
const { parts } = readSettings(FILE, { where: 'x', isPublic: false, inWorkflow: true, commit: COMMIT });
const LIST = JSON.stringify([
  {
    file_url: 'https://example.org/h.zip',
    downloaded_file_name: 'h.zip',
    exploded_folder_name: 'H',
    species_label: 'H',
  },
]);

const recorded = z.object({
  settings: z.nullable(z.object({ commit: z.string(), values: z.record(z.string(), z.string()) })),
});

test('dataset.json names the settings that change a data set, and their commit; no host and no account', async () => {
  setInputs({ settings: JSON.stringify(parts.data), 'settings-keys': '', 'file-list': LIST });
  const { settings, plan: options, imageExtensions } = await readDataInputs({});
  const text = datasetJson({ options, imageExtensions, settings, sources: [], classes: new Map() });
  expect(recorded.parse(JSON.parse(text)).settings).toEqual({
    commit: COMMIT,
    values: { 'n-test': '20%', seed: '7', split: 'keep' },
  });
  expect(text).not.toMatch(/cloud\.example\.org|ada/);
});

test('without settings, dataset.json is what it was', async () => {
  setInputs({ settings: '', 'settings-keys': '', 'file-list': LIST, upload: 'false' });
  const { settings, plan: options, imageExtensions } = await readDataInputs({});
  const text = datasetJson({ options, imageExtensions, settings, sources: [], classes: new Map() });
  expect(JSON.parse(text)).not.toHaveProperty('settings');
});

function provenance(inputs: Readonly<Record<string, string>>): string {
  setInputs({ settings: '', 'settings-keys': '', image: 'lab/model:v1', dataset: 'set.zip', env: '', ...inputs });
  const dataset = { name: 'set.zip', sha256: undefined, seed: undefined, identity: undefined };
  return provenanceJson({ inputs: readTrainInputs({}), imageDigest: undefined, dataset });
}

test('provenance.json and the card name those that change a model', () => {
  const text = provenance({ settings: JSON.stringify(parts.train) });
  expect(recorded.parse(JSON.parse(text)).settings).toEqual({
    commit: COMMIT,
    values: { env: 'EPOCHS=30', gpus: 'none' },
  });
  const card = modelCard({
    name: 'diatoms',
    classes: [],
    metrics: parseMetrics(JSON.stringify(metrics()), 'metrics.json'),
    provenance: text,
    comparison: undefined,
  });
  expect(card).toContain('| Commit of the settings | 0123456789');
  expect(card).toContain('| Setting env | EPOCHS=30 |');
});

test('what an input says instead is not repeated, as it may be a secret', () => {
  const text = provenance({ settings: JSON.stringify(parts.train), env: 'TOKEN=hush' });
  expect(recorded.parse(JSON.parse(text)).settings?.values).toEqual({ gpus: 'none' });
  expect(text).not.toContain('hush');
  expect(recorded.parse(JSON.parse(provenance({}))).settings).toBeNull();
});
