import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';
import { run } from '../../src/train-model/run.ts';
import { ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import {
  captureOutput,
  commandFile,
  defaultsOf,
  setEnvironment,
  setInputs,
  temporaryFolder,
} from '../helpers/runner.ts';

/** One file for all runs: the toolkit remembers its path for good. */
const base = mkdtempSync(join(tmpdir(), 'decision-'));
const SUMMARY = join(base, 'summary');
afterAll(() => rmSync(base, { recursive: true }));

/** Runs the action as the pipeline's small job does, where no container engine is. */
async function decided(inputs: Readonly<Record<string, string>>) {
  setInputs({
    ...defaultsOf('train-model'),
    ...{ decide: 'true', image: `lab/diatoms@sha256:${'d'.repeat(64)}`, dataset: 'data sets/set.zip' },
    ...{ 'data-identity': 'A'.repeat(64), 'compare-with': 'models/diatoms/production' },
    ...{ 'owncloud-username': USER, 'owncloud-password': PASSWORD },
    ...inputs,
  });
  setEnvironment({
    GITHUB_ACTIONS: 'true',
    GITHUB_WORKSPACE: temporaryFolder(),
    GITHUB_STEP_SUMMARY: SUMMARY,
    GITHUB_STATE: undefined,
    PATH: '',
  });
  writeFileSync(SUMMARY, '');
  const outputs = commandFile('GITHUB_OUTPUT');
  const output = captureOutput();
  process.exitCode = 0;
  await run();
  return { exitCode: output.exitCode(), log: output.text(), outputs: parseOutputs(outputs()) };
}

test('says in one line whether to train, as outputs and in the summary, without an engine', async () => {
  const { url } = await ownServer();
  const result = await decided({ 'owncloud-url': url });
  const reason = 'Training: the model has no version yet.';
  expect(result).toMatchObject({
    exitCode: 0,
    outputs: { train: 'true', reason, 'judge-version': '', unpublished: '' },
  });
  expect(readFileSync(SUMMARY, 'utf8').trim()).toBe(reason);
  expect(result.log).toContain(reason);
});

test('is red without a server, and when the server is away: nothing is decided then', async () => {
  expect((await decided({ 'owncloud-url': '' })).log).toContain('::error::Input owncloud-url is missing');
  const { url } = await ownServer({ hook: ({ path }) => (path.includes('diatoms') ? { status: 403 } : undefined) });
  const away = await decided({ 'owncloud-url': url });
  expect(away).toMatchObject({ exitCode: 1, outputs: {} });
});
