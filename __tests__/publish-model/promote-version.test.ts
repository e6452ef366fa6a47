import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseGate } from '../../src/model/gate.ts';
import { refusalOf } from '../../src/publish-model/outcome.ts';
import { failureOf } from '../helpers/failure.ts';
import {
  CLASSES,
  comparison,
  filesOf,
  MODEL_FOLDER,
  metrics,
  modelDir,
  promoteTask,
  publishTask,
  RULES,
  recordOf,
  rollBackTask,
  runPublish,
} from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

const STRICT = { ...RULES, gate: parseGate('macro_f1 >= 0.85'), noWorse: true };

/** Stores a version that was compared with the one given, as a run does whose promotion has to wait. */
async function store(url: string, version: string, compared: string | null, changes: Record<string, unknown> = {}) {
  const folder = await modelDir(version, { 'comparison.json': comparison(compared), ...changes });
  return runPublish({ url, task: publishTask(folder, version, { rules: STRICT, promote: false }) });
}

const production = (directory: string) => filesOf(directory, 'production')?.['VERSION']?.trim();

test('what was stored and has waited goes to production under the rules that it was stored under', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  const first = await runPublish({ url: server.url, task: promoteTask('v1') });
  expect(first).toMatchObject({ promoted: true, kind: 'promote', decidedBy: 'checks', checks: { passed: true } });
  await store(server.url, 'v2', 'v1');
  expect(production(server.directory)).toBe('v1');
  const second = await runPublish({ url: server.url, task: promoteTask('v2') });
  expect(second.checks.verdicts).toMatchObject([{ passed: true, condition: { figure: 'macro_f1', limit: 0.85 } }]);
  expect(second.checks.findings.map(({ sentence }) => sentence).join(' ')).toContain(
    'is not certain, on 18 test images',
  );
  expect(production(server.directory)).toBe('v2');
  expect(recordOf(server.directory, 'v2').promotions).toMatchObject([{ by: 'checks', replaced: 'v1' }]);
});

test('when another model has gone to production meanwhile, it is refused, says so, and keeps the reason', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  await runPublish({ url: server.url, task: promoteTask('v1') });
  await store(server.url, 'v2', 'v1');
  await store(server.url, 'v3', 'v1');
  await runPublish({ url: server.url, task: promoteTask('v3') });
  const late = await runPublish({ url: server.url, task: promoteTask('v2') });
  expect(late).toMatchObject({ promoted: false, production: { version: 'v3' } });
  expect(refusalOf(late)).toContain('compared with version v1, but v3 is in production now');
  expect(refusalOf(late)).toContain('run with promote-version: v2');
  expect(production(server.directory)).toBe('v3');
  expect(recordOf(server.directory, 'v2').judged).toMatchObject({ passed: false, production: 'v3' });
  // A person may decide otherwise.
  const task = { ...promoteTask('v2'), rules: undefined };
  expect(await runPublish({ url: server.url, task })).toMatchObject({ promoted: true });
  expect(recordOf(server.directory, 'v2')).toMatchObject({
    judged: { passed: false },
    promotions: [{ by: 'person', replaced: 'v3' }],
  });
});

test('other classes in production by then refuse it, too', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  const classes = { 'classes.json': CLASSES.toReversed(), 'metrics.json': metrics({}, CLASSES.toReversed()) };
  await runPublish({ url: server.url, task: publishTask(await modelDir('hand', classes), 'hand') });
  expect(refusalOf(await runPublish({ url: server.url, task: promoteTask('v1') }))).toContain(
    'the same in another order',
  );
  expect(production(server.directory)).toBe('hand');
});

test('a version that is in production already stays there, however often it is promoted or published again', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  await runPublish({ url: server.url, task: promoteTask('v1') });
  const changes = { 'comparison.json': comparison('v1') };
  const folder = await modelDir('v2', changes);
  const task = publishTask(folder, 'v2', { rules: STRICT });
  for (const next of [task, task, promoteTask('v2'), promoteTask('v2')]) {
    expect(await runPublish({ url: server.url, task: next })).toMatchObject({ promoted: true });
  }
  expect(recordOf(server.directory, 'v2').promotions).toHaveLength(1);
});

test('with check-again: anew, a refused version is judged by other rules, without training again', async () => {
  const server = await ownServer();
  const weak = { 'metrics.json': metrics({ macro_f1: 0.6 }) };
  expect(refusalOf(await store(server.url, 'v1', null, weak))).toContain('required is >= 0.85');
  const again = await runPublish({ url: server.url, task: promoteTask('v1') });
  expect(refusalOf(again)).toContain('required is >= 0.85');
  const rules = { ...STRICT, gate: parseGate('macro_f1 >= 0.55') };
  const outcome = await runPublish({ url: server.url, task: promoteTask('v1', rules) });
  expect(outcome).toMatchObject({ promoted: true, checks: { passed: true } });
  expect(recordOf(server.directory, 'v1').judged).toMatchObject({
    passed: true,
    gate: 'macro_f1 >= 0.55',
    reasons: [],
  });
});

test('without a record or without figures there is nothing to check by: it is refused with the ways out', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  const file = (name: string) => join(server.directory, MODEL_FOLDER, 'v1', name);
  const record = await readFile(file('verdict.json'));
  await rm(file('verdict.json'));
  const message = async () => (await failureOf(runPublish({ url: server.url, task: promoteTask('v1') }))).message;
  expect(await message()).toContain('has no verdict.json that says by which rules');
  await writeFile(file('verdict.json'), record);
  await rm(file('metrics.json'));
  expect(await message()).toContain('has no metrics.json that can be read');
  expect(production(server.directory)).toBeUndefined();
});

test('a version of an older release, without a record, can be rolled back to, and gets one', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  await rm(join(server.directory, MODEL_FOLDER, 'v1', 'verdict.json'));
  const outcome = await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(outcome).toMatchObject({ promoted: true, decidedBy: 'person', warnings: [] });
  expect(recordOf(server.directory, 'v1')).toMatchObject({
    stored: null,
    judged: null,
    promotions: [{ by: 'person' }],
  });
});

test('of two promotions that were agreed to at once, one waits for the other, and then finds what it left', async () => {
  const server = await ownServer();
  await store(server.url, 'v1', null);
  await runPublish({ url: server.url, task: promoteTask('v1') });
  await store(server.url, 'v2', 'v1');
  await store(server.url, 'v3', 'v1');
  const patience = { staleMs: 3_600_000, waitMs: 30_000, pollMs: 20 };
  const outcomes = await Promise.all(
    ['v2', 'v3'].map((to) => runPublish({ url: server.url, task: promoteTask(to), context: { patience } })),
  );
  expect(outcomes.map(({ promoted }) => promoted).sort()).toEqual([false, true]);
  const winner = outcomes.find(({ promoted }) => promoted);
  expect(production(server.directory)).toBe(winner?.version);
});
