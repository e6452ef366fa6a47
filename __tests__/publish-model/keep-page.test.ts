import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseGate } from '../../src/model/gate.ts';
import {
  MODEL_FOLDER,
  metrics,
  modelDir,
  pageOf,
  publishTask,
  RULES,
  recordOf,
  rollBackTask,
  runPublish,
} from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

const STRICT = { ...RULES, gate: parseGate('macro_f1 >= 0.85') };

/** A folder with v1, and v2 that a gate has refused. */
async function twoVersions(url: string): Promise<void> {
  const provenance = { dataset: { name: 'set-2026.zip' } };
  await runPublish({ url, task: publishTask(await modelDir('a', { 'provenance.json': provenance }), 'v1') });
  const weak = await modelDir('b', { 'metrics.json': metrics({ macro_f1: 0.4 }) });
  await runPublish({ url, task: publishTask(weak, 'v2', { rules: STRICT }) });
}

test('each publication and each roll-back writes the page again from what the versions say about themselves', async () => {
  const server = await ownServer();
  await twoVersions(server.url);
  const first = pageOf(server.directory);
  expect(first).toContain('In production is v1, since ');
  expect(first).toContain('set-2026.zip');
  expect(first).toContain('macro_f1: the model has 0.4, required is &gt;= 0.85, production has 0.9 (gate).');
  await runPublish({ url: server.url, task: { ...rollBackTask('v2'), input: 'promote-version' } });
  const second = pageOf(server.directory);
  expect(second).toContain('In production is v2, since ');
  expect(second).toContain('by a person’s decision');
  expect((await readdir(join(server.directory, MODEL_FOLDER))).filter((name) => name.includes('.uploading-'))).toEqual(
    [],
  );
});

test('the reason of a refusal lies with the version, with the rules it was judged by, and SHA256SUMS knows nothing of it', async () => {
  const server = await ownServer();
  await twoVersions(server.url);
  expect(recordOf(server.directory, 'v2')).toEqual({
    format: 1,
    stored: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    judged: {
      time: expect.any(String),
      passed: false,
      reasons: ['macro_f1: the model has 0.4, required is >= 0.85, production has 0.9 (gate).'],
      gate: 'macro_f1 >= 0.85',
      no_worse_than_production: false,
      margin: 0.02,
      when_unsure: 'promote-if-not-lower',
      worse_classes: 'error',
      allow_class_change: false,
      production: 'v1',
      compared: [],
    },
    promotions: [],
  });
  expect(recordOf(server.directory, 'v1').promotions).toEqual([
    { time: expect.any(String), by: 'checks', replaced: null },
  ]);
  const sums = await readFile(join(server.directory, MODEL_FOLDER, 'v2', 'SHA256SUMS'), 'utf8');
  expect(sums).not.toContain('verdict.json');
});

test('a version with missing or damaged files is listed with what is known, and keeps no other from being read', async () => {
  const server = await ownServer();
  await twoVersions(server.url);
  const folder = (...path: string[]) => join(server.directory, MODEL_FOLDER, ...path);
  await writeFile(folder('v1', 'metrics.json'), '{"accuracy": 0.');
  await writeFile(folder('v1', 'verdict.json'), 'null');
  await rm(folder('v2', 'metrics.json'));
  await mkdir(folder('a notebook'));
  const { warnings } = await runPublish({
    url: server.url,
    task: publishTask(await modelDir('c'), 'v3', { promote: false }),
  });
  expect(warnings.filter((warning) => warning.includes('page'))).toEqual([]);
  const page = pageOf(server.directory);
  expect(page).toMatch(/v1<\/span>.*metrics\.json is not JSON/s);
  expect(page).toMatch(/v2<\/span>.*it has no metrics\.json/s);
  expect(page).toContain('Folders that are not versions: a notebook.');
  expect(page).toContain('>v3</span>');
});

test.each([
  ['PUT', 507],
  ['MOVE', 403],
])('a page that can’t be written (%s: %i) is a warning, and the publication good', async (refused, status) => {
  const server = await ownServer({
    hook: ({ method, path }) => (method === refused && path.includes('/index.html.') ? { status } : undefined),
  });
  const outcome = await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  expect(outcome.promoted).toBe(true);
  expect(outcome.warnings.join('\n')).toContain('models/diatoms/index.html”, was not brought up to date');
  expect(pageOf(server.directory)).toBeUndefined();
});

test('a server that hangs while page or record is written ends neither run nor publication', async () => {
  const never = new Promise<undefined>(() => {});
  const hanging = async (name: RegExp) => {
    const server = await ownServer({
      hook: ({ method, path }) => (method === 'PUT' && name.test(path) ? never : undefined),
    });
    const patience = { staleMs: 3_600_000, waitMs: 0, pollMs: 5, sideLimitMs: 300 };
    return runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1'), context: { patience } });
  };
  const late = 'the server took too long.';
  const page = await hanging(/\/index\.html\./);
  expect(page).toMatchObject({ promoted: true, warnings: [expect.stringContaining(late)] });
  // In the model's folder, that is when it is replaced: with the version comes the first one.
  const record = await hanging(/\/diatoms\/verdict\.json\./);
  expect(record).toMatchObject({ promoted: true });
  expect(record.warnings.join('\n')).toContain(`could not be written into its verdict.json: ${late}`);
});

test('versions that can’t be read at the moment are a line on the page and no reason to fail', async () => {
  let sick = false;
  const server = await ownServer({
    hook: ({ method, path }) =>
      sick && method === 'GET' && path.endsWith('/v1/metrics.json') ? { status: 500 } : undefined,
  });
  await twoVersions(server.url);
  sick = true;
  const outcome = await runPublish({ url: server.url, task: publishTask(await modelDir('c'), 'v3') });
  expect(outcome.promoted).toBe(true);
  expect(pageOf(server.directory)).toMatch(/v1<\/span>.*The version can’t be read whole: /s);
});

test('what a killed run left of page or record is deleted, and an index.html of somebody else stays', async () => {
  const server = await ownServer();
  await twoVersions(server.url);
  const folder = (...path: string[]) => join(server.directory, MODEL_FOLDER, ...path);
  for (const name of ['index.html.uploading-0123abcd', 'verdict.json.uploading-0123abcd', 'notes.uploading-0123abcd'])
    await writeFile(folder(name), 'half');
  await writeFile(folder('index.html'), '<h1>Mine</h1>');
  const { warnings } = await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(await readdir(folder())).toEqual(expect.arrayContaining(['notes.uploading-0123abcd', 'index.html']));
  expect((await readdir(folder())).filter((name) => name.endsWith('.uploading-0123abcd'))).toHaveLength(1);
  expect(pageOf(server.directory)).toBe('<h1>Mine</h1>');
  expect(warnings.join('\n')).toContain('made by somebody else');
});

test('each version costs a page three small reads, at most nine at a time, and an unchanged page is not written', async () => {
  let reads = 0;
  let [now, most] = [0, 0];
  let writes = 0;
  const server = await ownServer({
    hook: async ({ method, path }, proceed) => {
      if (method === 'PUT' && path.includes('/index.html.')) writes += 1;
      if (method !== 'GET' || !/\/m\d+\//.test(path)) return undefined;
      reads += 1;
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const answer = await proceed();
      now -= 1;
      return answer;
    },
  });
  await twoVersions(server.url);
  for (let number = 1; number <= 20; number++) {
    const folder = join(server.directory, MODEL_FOLDER, `m${number}`);
    await mkdir(folder);
    await writeFile(join(folder, 'metrics.json'), JSON.stringify(metrics()));
    await writeFile(join(folder, 'SHA256SUMS'), 'x');
  }
  [reads, writes] = [0, 0];
  await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(reads).toBe(20 * 3);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(9);
  expect(writes).toBe(1);
  await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(writes).toBe(1);
});
