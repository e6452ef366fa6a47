import { expect, test } from 'vitest';
import { refusalOf } from '../../src/publish-model/outcome.ts';
import { filesOf, metrics, modelDir, publishTask, rollBackTask, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

const NO_WEIGHTS = { file: 'other.pth', sha256: '' };
const model = (seed: string, serving: boolean | undefined) =>
  modelDir(seed, {
    'metrics.json': metrics(serving === undefined ? {} : { model: { ...NO_WEIGHTS, serving_contract: serving } }),
  });

async function publishOne(url: string, version: string, serving: boolean | undefined) {
  return runPublish({ url, task: publishTask(await model(version, serving), version) });
}

const production = (directory: string) => filesOf(directory, 'production')?.['VERSION']?.trim();

test.each([true, undefined])(
  'a network that serving can’t load does not replace one that it can (says %s)',
  async (is) => {
    const server = await ownServer();
    await publishOne(server.url, 'v1', is);
    const other = await publishOne(server.url, 'v2', false);
    expect(other.warnings.join(' ')).toContain('can’t load this model');
    expect(refusalOf(other)).toContain('not the ResNet50 that the serving code loads');
    expect(refusalOf(other)).toContain('promote-version: v2');
    expect(production(server.directory)).toBe('v1');
  },
);

test('where nothing is in production, or such a network already, it goes there with a warning', async () => {
  const server = await ownServer();
  expect(await publishOne(server.url, 'v1', false)).toMatchObject({ promoted: true });
  const second = await publishOne(server.url, 'v2', false);
  expect(second).toMatchObject({ promoted: true });
  expect(second.warnings.join(' ')).toContain('can’t load this model');
  expect(await publishOne(server.url, 'v3', true)).toMatchObject({ promoted: true });
});

test('a person who names such a version gets it, and is told', async () => {
  const server = await ownServer();
  await publishOne(server.url, 'v1', true);
  await publishOne(server.url, 'v2', false);
  const done = await runPublish({ url: server.url, task: rollBackTask('v2') });
  expect(done).toMatchObject({ promoted: true });
  expect(done.warnings.join(' ')).toContain('not the ResNet50 that the serving code loads');
  expect(production(server.directory)).toBe('v2');
});

test('a fine-tuned model that does not beat its baseline says so when it is published', async () => {
  const server = await ownServer();
  const baseline = { accuracy: 0.95, macro_f1: 0.94, beaten: false, sentence: 'It does not beat the probe.' };
  const folder = await modelDir('v1', { 'metrics.json': metrics({ baseline }) });
  const { warnings } = await runPublish({ url: server.url, task: publishTask(folder, 'v1') });
  expect(warnings).toContain('It does not beat the probe.');
});
