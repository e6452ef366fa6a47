import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod/mini';
import { parseOutputs, type RunActionOptions, runAction, startAction } from '../../scripts/run-action.ts';

/** Runs a line of JavaScript in the place of the bundle, to see what a bundle would see. */
function runCode(code: string, options: Partial<RunActionOptions> = {}) {
  return runAction({
    action: 'prepare-data',
    inputs: {},
    workspace: tmpdir(),
    nodeOptions: ['--input-type=commonjs', '--eval', code],
    ...options,
  });
}

async function environment(options: Partial<RunActionOptions> = {}): Promise<Record<string, string>> {
  const { stdout } = await runCode('console.log(JSON.stringify(process.env))', options);
  return z.record(z.string(), z.string()).parse(JSON.parse(stdout));
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('an action gets', () => {
  test('its inputs as a runner names them, empty without one', async () => {
    const env = await environment({ inputs: { 'n-test': '20%', 'owncloud-folder': 'a b' } });
    expect(env).toMatchObject({
      'INPUT_N-TEST': '20%',
      'INPUT_OWNCLOUD-FOLDER': 'a b',
      'INPUT_DATA-DIR': '',
      INPUT_SEED: '',
    });
  });

  test('a workspace and a temporary folder of its own, which is gone afterwards', async () => {
    const env = await environment();
    expect(env['GITHUB_WORKSPACE']).toBe(tmpdir());
    expect(env['GITHUB_ACTIONS']).toBe('true');
    expect(env['RUNNER_TEMP']).toMatch(/diatom-run-/);
    expect(existsSync(env['RUNNER_TEMP'] ?? '/')).toBe(false);
  });

  test('nothing else of the caller’s environment, which may hold secrets', async () => {
    vi.stubEnv('OWNCLOUD_PASSWORD', 'hush');
    vi.stubEnv('GITHUB_TOKEN', 'hush');
    expect(JSON.stringify(await environment())).not.toContain('hush');
  });

  test('what the caller adds, and not what the caller takes away', async () => {
    const env = await environment({ env: { EXTRA: 'yes', GITHUB_ACTIONS: undefined } });
    expect(env['EXTRA']).toBe('yes');
    expect(env).not.toHaveProperty('GITHUB_ACTIONS');
  });
});

test('the result of an action holds its output, outputs, summary and exit code', async () => {
  const seen: string[] = [];
  const result = await runCode(
    `const { appendFileSync } = require('node:fs');
    appendFileSync(process.env.GITHUB_OUTPUT, 'seed<<E\\n42\\nE\\n');
    appendFileSync(process.env.GITHUB_STEP_SUMMARY, '## Hello');
    console.log('out'); console.error('err'); process.exitCode = 3;`,
    { onOutput: (text) => seen.push(text) },
  );
  expect(result).toEqual({
    exitCode: 3,
    state: {},
    stdout: 'out\n',
    stderr: 'err\n',
    outputs: { seed: '42' },
    summary: '## Hello',
  });
  expect(seen.sort()).toEqual(['err\n', 'out\n']);
});

test('an action can be sent the signal that cancels it', async () => {
  const code = `process.on('SIGINT', () => { console.log('cancelled'); process.exit(7); });
    setInterval(() => {}, 1000); console.log('ready');`;
  const running: { kill?: () => void } = {};
  const action = startAction({
    action: 'prepare-data',
    inputs: {},
    workspace: tmpdir(),
    nodeOptions: ['--input-type=commonjs', '--eval', code],
    onOutput: (text) => text.includes('ready') && running.kill?.(),
  });
  running.kill = () => action.kill('SIGINT');
  const { exitCode, stdout } = await action.result;
  expect(stdout).toContain('ready');
  // Windows has no signals: there the process just ends.
  expect(exitCode).toBe(process.platform === 'win32' ? 130 : 7);
});

test('an input that the action does not have is refused, as a typing error in a test would pass silently', () => {
  expect(() => startAction({ action: 'prepare-data', inputs: { ntest: '1' }, workspace: tmpdir() })).toThrow(
    'has no input “ntest”',
  );
});

test('outputs are read in both forms that a runner takes, with either line end', () => {
  const text =
    'seed<<ghadelimiter_1\r\n42\r\nghadelimiter_1\r\nurl=https://a/?b=c<<d\nclasses<<END\n{\n}\nEND\nempty<<X\n\nX\n';
  expect(parseOutputs(text)).toEqual({ seed: '42', url: 'https://a/?b=c<<d', classes: '{\n}', empty: '' });
});

test('an output that was cut short is an error', () => {
  expect(() => parseOutputs('seed<<END\n42\n')).toThrow('The output seed has no end');
});
