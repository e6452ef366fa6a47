import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';
import { run } from '../../src/settings/run.ts';
import { captureOutput, commandFile, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const COMMIT = '0123456789'.repeat(4);

async function runAction(
  inputs: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string | Buffer>> = {},
) {
  const workspace = temporaryFolder();
  await mkdir(join(workspace, '.github'));
  for (const [path, content] of Object.entries(files)) await writeFile(join(workspace, path), content);
  setInputs({ settings: '', variables: '', public: 'false', ...inputs });
  setEnvironment({ GITHUB_ACTIONS: undefined, GITHUB_WORKSPACE: workspace, GITHUB_SHA: COMMIT });
  const outputs = commandFile('GITHUB_OUTPUT');
  const output = captureOutput();
  process.exitCode = 0;
  run();
  const { exitCode } = process;
  process.exitCode = 0;
  return { exitCode, log: output.text(), outputs: parseOutputs(outputs()) };
}

const TEXT = 'owncloud:\n  url: https://cloud.example.org\n';

describe('the settings come', () => {
  test('from .github/diatoms.yml, and each part is one line with the number of its keys', async () => {
    const { exitCode, outputs } = await runAction({}, { '.github/diatoms.yml': TEXT });
    expect(exitCode).toBe(0);
    for (const name of ['data', 'image', 'train', 'gpu-server', 'publish']) {
      expect(outputs[name]).not.toContain('\n');
      expect(Number(outputs[`${name}-keys`])).toBe(Object.keys(JSON.parse(outputs[name] ?? '')).length);
    }
    expect(outputs['gpu-server']).toBe('{}');
    expect(outputs['commit']).toBe(COMMIT);
    expect(Object.keys(JSON.parse(outputs['runners'] ?? ''))).toEqual(['default', 'train', 'server']);
  });

  test('from another path', async () => {
    const { outputs } = await runAction({ settings: 'lab.yml' }, { 'lab.yml': TEXT });
    expect(outputs['data']).toContain('https://cloud.example.org');
  });

  test.each([TEXT, '{"owncloud":{"url":"https://cloud.example.org"}}', 'owncloud: { url: https://cloud.example.org }'])(
    'from the input itself: %j',
    async (settings) => {
      const { outputs } = await runAction({ settings });
      expect(outputs['data']).toContain('https://cloud.example.org');
    },
  );
});

test('wrong settings end red, and nothing is handed on', async () => {
  const { exitCode, log, outputs } = await runAction({}, { '.github/diatoms.yml': 'data:\n  n-tset: 1\n' });
  expect(exitCode).toBe(1);
  expect(log).toContain('.github/diatoms.yml:2:3: data.n-tset: there is no such key. Did you mean n-test?');
  expect(outputs).toEqual({});
});

test('without a file, the variables of before are the lines to paste, and other variables are left alone', async () => {
  const variables = {
    OWNCLOUD_URL: 'https://cloud.example.org',
    KEEP_LAST: '3',
    RUNNER_APP_ID: '17',
    RUNS_ON: '["self-hosted","lab"]',
    TRAIN_ENV: 'EPOCHS=3\nLR=0.1',
    SLURM_PARTITION: 'gpu',
    DRIVER: 'slurm',
    MODEL_NAME: 'diatoms',
    FOO: 'bar',
  };
  const { exitCode, log } = await runAction({ variables: JSON.stringify(variables) });
  expect(exitCode).toBe(1);
  expect(log).toContain('There is no settings file .github/diatoms.yml');
  expect(log).not.toContain('FOO');
  const lines = log.slice(log.indexOf('owncloud:\n'));
  const again = await runAction({}, { '.github/diatoms.yml': lines });
  expect(again.exitCode, again.log).toBe(0);
  expect(JSON.parse(again.outputs['train'] ?? '')).toMatchObject({ env: 'EPOCHS=3\nLR=0.1' });
  expect(JSON.parse(again.outputs['gpu-server'] ?? '')).toEqual({
    'owncloud-url': 'https://cloud.example.org',
    driver: 'slurm',
    'app-id': '17',
    'slurm-partition': 'gpu',
  });
  expect(JSON.parse(again.outputs['data'] ?? '')).toMatchObject({ 'keep-last': '3' });
  expect(JSON.parse(again.outputs['runners'] ?? '')).toMatchObject({ default: '["self-hosted","lab"]' });
});

test('a file at another place is named', async () => {
  const { exitCode, log } = await runAction({}, { 'diatoms.yml': TEXT });
  expect(exitCode).toBe(1);
  expect(log).toContain(
    'There is no settings file .github/diatoms.yml in this repository. There is diatoms.yml: move it',
  );
});

test('a file that an editor saved as UTF-16 is read; one in another encoding than UTF-8 is refused with its line', async () => {
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(TEXT, 'utf16le')]);
  const { outputs } = await runAction({}, { '.github/diatoms.yml': utf16 });
  expect(outputs['data']).toContain('https://cloud.example.org');
  const latin1 = Buffer.from(`${TEXT}publish:\n  model-name: M\u00fcller\n`, 'latin1');
  const { exitCode, log } = await runAction({}, { '.github/diatoms.yml': latin1 });
  expect(exitCode).toBe(1);
  expect(log).toContain('.github/diatoms.yml:4:1: this line has bytes that are not text in UTF-8');
});

test('without a file and without variables, it says what to copy', async () => {
  const { log } = await runAction({ variables: '{}' });
  expect(log).toContain('Copy templates/diatoms.yml');
  expect(log).not.toContain('variables of this repository');
});
