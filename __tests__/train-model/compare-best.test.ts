import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DiatomError } from '../../src/errors.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { type BestRequest, compareWithBest, withBest } from '../../src/train-model/compare-best.ts';
import type { DatasetImage } from '../../src/train-model/images.ts';
import { failureOf } from '../helpers/failure.ts';
import { MODEL_FOLDER, metrics } from '../helpers/model.ts';
import { ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';

const UNSEEN = Array.from({ length: 40 }, (_, index): DatasetImage => {
  const label = index % 2 ? 'a' : 'b';
  const path = `test/${label}/${index}.png`;
  return { path, label, split: 'test', sha256: sha256(path), group: '' };
});

/** Writes what a test writes: of a good model every answer is right, and of any other every one is “a”. */
function answer(folder: string, isGood: boolean): void {
  const rows = UNSEEN.map(({ path, label }) => `${path},${label},${isGood ? label : 'a'}\n`);
  writeFileSync(join(folder, 'predictions.csv'), `path,label,predicted\n${rows.join('')}`);
}

/** A server where v1, the best, was replaced by v2; and what asks for it. */
async function request(changes: Readonly<Record<string, string | undefined>> = {}) {
  const server = await ownServer();
  const record = (replaced: string | null) =>
    JSON.stringify({ promotions: [{ time: '2026-01-01T00:00:00Z', by: 'checks', replaced }] });
  const store = (name: string, files: Readonly<Record<string, string | undefined>>) => {
    const folder = join(server.directory, MODEL_FOLDER, name);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      if (text !== undefined) writeFileSync(join(folder, file), text);
    }
  };
  const files = {
    'model.pth': 'best',
    'classes.json': '["a","b"]',
    'training-images.csv': `sha256,group\n${sha256('x')},\n`,
  };
  const best = { ...files, 'verdict.json': record(null), 'metrics.json': JSON.stringify(metrics({ accuracy: 0.99 })) };
  store('v1', { ...best, ...changes });
  store('v2', { ...files, 'verdict.json': record('v1'), 'metrics.json': JSON.stringify(metrics()) });
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const remote = await connect({ url: server.url, username: USER, password: PASSWORD }, { http, policy: SWIFT });
  const warnings: string[] = [];
  const tested: string[] = [];
  const candidate = temporaryFolder();
  answer(candidate, false);
  const asked: BestRequest = {
    ...{ place: `${MODEL_FOLDER}/production`, workspace: temporaryFolder(), remote, labels: ['a', 'b'], candidate },
    production: { folder: '', version: 'v2', labels: ['a', 'b'], training: undefined, isLocal: false },
    unseen: UNSEEN,
    target: join(temporaryFolder(), 'best'),
    test: async (model) => {
      tested.push(readFileSync(join(model, 'model.pth'), 'utf8'));
      answer(model, true);
    },
    signal: new AbortController().signal,
    onWarning: (message) => void warnings.push(message),
  };
  return { asked, warnings, tested };
}

test('the best version that was in production is tested on the same images, and its answers stand beside the others', async () => {
  const { asked, warnings, tested } = await request();
  const { best, answers } = await compareWithBest(asked);
  expect([best, tested, warnings]).toEqual([{ version: 'v1', notCompared: undefined }, ['best'], []]);
  expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(UNSEEN.map(({ path, label }) => [path, label])));
  const image = { path: 'test/a/1.png', sha256: '', label: 'a', candidate: 'b', production: 'b' };
  expect(withBest([image, { ...image, path: 'test/c/1.png' }], answers)).toEqual([
    { ...image, best: 'a' },
    { ...image, path: 'test/c/1.png' },
  ]);
});

test('images that it was trained on do not count, and when the others are too few it is not even tested', async () => {
  const rows = (count: number) =>
    `sha256,group\n${UNSEEN.slice(0, count)
      .map((image) => `${image.sha256},\n`)
      .join('')}`;
  const some = await request({ 'training-images.csv': rows(10) });
  expect((await compareWithBest(some.asked)).answers.size).toBe(30);
  const most = await request({ 'training-images.csv': rows(11) });
  expect(await compareWithBest(most.asked)).toMatchObject({
    best: { version: 'v1', notCompared: 'only 29 test images are new to it as well, and at least 30 are needed' },
  });
  expect(most.tested).toEqual([]);
});

test.each([
  ['whose weights are gone', { 'model.pth': undefined }, 'is incomplete: expected model.pth'],
  ['that does not say what it was trained on', { 'training-images.csv': undefined }, 'it has no training-images.csv'],
  ['that is damaged', { SHA256SUMS: `${'0'.repeat(64)}  model.pth\n` }, 'is not the one that its SHA256SUMS names'],
])('one %s is said, and production alone counts', async (_, changes, words) => {
  const { asked, warnings } = await request(changes);
  const { best, answers } = await compareWithBest(asked);
  expect(best).toEqual({ version: 'v1', notCompared: expect.stringContaining(words) });
  expect(answers.size).toBe(0);
  expect(warnings).toEqual([expect.stringMatching(/best other version that was in production, v1: .*[^.]\.$/)]);
});

test('one that does not run in this image, or writes no predictions, is said', async () => {
  const failing = await request();
  const fails = () => Promise.reject(new DiatomError('CONTAINER', 'The test-command failed.'));
  expect((await compareWithBest({ ...failing.asked, test: fails })).best?.notCompared).toBe('The test-command failed');
  const silent = await request();
  const says = async () => undefined;
  expect((await compareWithBest({ ...silent.asked, test: says })).best?.notCompared).toContain('predictions.csv');
});

test('without a server, or beside a model that is no production of ours, nobody is asked', async () => {
  const { asked, tested } = await request();
  const { production } = asked;
  for (const changes of [
    { remote: undefined },
    { place: 'models/diatoms/v1' },
    { production: { ...production, isLocal: true } },
    { production: { ...production, version: undefined } },
  ]) {
    expect(await compareWithBest({ ...asked, ...changes })).toEqual({ best: undefined, answers: new Map() });
  }
  expect(tested).toEqual([]);
});

test('a run that is cancelled ends there, and is not taken for one without a best version', async () => {
  const { asked, warnings } = await request();
  const cancel = new AbortController();
  const test = async () => {
    cancel.abort();
    throw new DiatomError('CONTAINER', 'The container was stopped.');
  };
  expect((await failureOf(compareWithBest({ ...asked, test, signal: cancel.signal }))).code).toBe('CANCELLED');
  expect(warnings).toEqual([]);
});
