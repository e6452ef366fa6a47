import { expect, test } from 'vitest';
import type { OwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { parseGate } from '../../src/model/gate.ts';
import type { JudgeTask } from '../../src/publish-model/inputs.ts';
import { refusalOf } from '../../src/publish-model/outcome.ts';
import { summaryMarkdown } from '../../src/publish-model/summary.ts';
import { failureOf } from '../helpers/failure.ts';
import {
  CLASSES,
  comparedImages,
  comparison,
  filesOf,
  metrics,
  modelDir,
  publishTask,
  RULES,
  rollBackTask,
  runPublish,
} from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

const STRICT = { ...RULES, gate: parseGate('macro_f1 >= 0.85') };
const LAX = { ...STRICT, gate: parseGate('macro_f1 >= 0.4') };

const judge = (server: OwncloudServer, version: string, changes: Partial<JudgeTask> = {}) =>
  runPublish({ url: server.url, task: { kind: 'judge', version, rules: STRICT, promote: true, ...changes } });
const production = (server: OwncloudServer) => filesOf(server.directory, 'production')?.['VERSION']?.trim();

/** A server with v1 in production, and with v2, which the gate has refused. */
async function serverWithRefused() {
  const server = await ownServer();
  await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1', { rules: STRICT }) });
  const weak = await modelDir('b', {
    'metrics.json': metrics({ macro_f1: 0.5 }),
    'comparison.json': comparison('v1'),
  });
  await runPublish({ url: server.url, task: publishTask(weak, 'v2', { rules: STRICT }) });
  return server;
}

test('what was refused by the same rules is named with its reason, and is green; nothing on the server changes', async () => {
  const server = await serverWithRefused();
  const before = filesOf(server.directory, 'v2');
  const outcome = await judge(server, 'v2');
  expect(outcome).toMatchObject({
    promoted: false,
    settled: { waits: false, sentence: expect.stringContaining('v2 was refused before') },
  });
  expect(outcome.settled?.sentence).toContain('macro_f1: the model has 0.5, required is >= 0.85');
  expect(refusalOf(outcome)).toBeUndefined();
  expect(summaryMarkdown(outcome, { warnings: [], failure: undefined })).toMatch(
    /^## diatoms: nothing new\n\nv2 was refused/,
  );
  expect(filesOf(server.directory, 'v2')).toEqual(before);
  expect(production(server)).toBe('v1');
});

test('by another gate it is judged again: promoted when it passes', async () => {
  const server = await serverWithRefused();
  const outcome = await judge(server, 'v2', { rules: LAX });
  expect([outcome.promoted, outcome.settled]).toEqual([true, undefined]);
  expect(production(server)).toBe('v2');
  expect((await judge(server, 'v2')).settled).toEqual({ sentence: 'v2 is in production already.', waits: false });
});

test('by another gate that it fails as well it is refused once, red, and from then on named', async () => {
  const server = await serverWithRefused();
  const rules = { ...STRICT, gate: parseGate('macro_f1 >= 0.6') };
  const first = await judge(server, 'v2', { rules });
  expect(refusalOf(first)).toContain('required is >= 0.6');
  const second = await judge(server, 'v2', { rules });
  expect(second.settled?.sentence).toContain('required is >= 0.6');
  expect(refusalOf(second)).toBeUndefined();
  expect(production(server)).toBe('v1');
});

test('beside another production it is judged again', async () => {
  const server = await serverWithRefused();
  await runPublish({ url: server.url, task: publishTask(await modelDir('c'), 'v3', { rules: STRICT }) });
  const outcome = await judge(server, 'v2');
  expect(outcome.settled).toBeUndefined();
  expect(refusalOf(outcome)).toContain('macro_f1');
});

test('the comparison that was made in training counts as it did then', async () => {
  const server = await ownServer();
  await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1', { rules: LAX }) });
  const [label = ''] = CLASSES;
  const images = comparedImages([{ label, images: 40, production: 36, candidate: 20 }]);
  const worse = comparison('v1', { images, n_compared: 40 });
  const folder = await modelDir('b', { 'comparison.json': worse });
  await runPublish({ url: server.url, task: publishTask(folder, 'v2', { rules: { ...LAX, noWorse: true } }) });
  const again = await judge(server, 'v2', { rules: { ...STRICT, noWorse: true } });
  expect(refusalOf(again)).toContain('The model is worse than production’s');
  const lax = { ...LAX, worseClasses: 'allow' as const };
  expect(await judge(server, 'v2', { rules: lax })).toMatchObject({ promoted: true });
});

test('what a person has rolled back is never promoted again by itself', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version, { rules: STRICT }) });
  }
  await runPublish({ url: server.url, task: rollBackTask('v1') });
  const outcome = await judge(server, 'v2', { rules: LAX });
  expect(outcome.settled?.sentence).toContain('v2 was in production before');
  expect(production(server)).toBe('v1');
});

test('what waits for a promotion is promoted when that is asked for, and only then', async () => {
  const server = await ownServer();
  await runPublish({
    url: server.url,
    task: publishTask(await modelDir('a'), 'v1', { rules: STRICT, promote: false }),
  });
  expect((await judge(server, 'v1', { promote: false })).settled).toMatchObject({ waits: true });
  expect(production(server)).toBeUndefined();
  expect(await judge(server, 'v1')).toMatchObject({ promoted: true });
  expect(production(server)).toBe('v1');
});

test('a version that is not there is named', async () => {
  const server = await serverWithRefused();
  expect((await failureOf(judge(server, 'v9'))).message).toContain('Input judge-version: the version v9 is not in');
});
