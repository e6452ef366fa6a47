import { appendFileSync, existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';
import { appending } from '../../src/runner/command-file.ts';
import { setOutputs, writeSummary } from '../../src/runner/outputs.ts';
import { keepForPost, requireKeptForPost } from '../../src/runner/state.ts';
import { captureOutput, commandFile, setEnvironment } from '../helpers/runner.ts';

test('outputs go to the runner’s file, numbers as text, and a later value replaces an earlier one', () => {
  const file = commandFile('GITHUB_OUTPUT');
  const output = captureOutput();
  setOutputs({ seed: 'demo', 'archive-bytes': 1234, classes: '{"a":1}\n', 'archive-url': '' });
  setOutputs({ 'archive-url': 'https://cloud.example.org/a' });
  expect(parseOutputs(file())).toEqual({
    seed: 'demo',
    'archive-bytes': '1234',
    classes: '{"a":1}\n',
    'archive-url': 'https://cloud.example.org/a',
  });
  expect(output.text()).toBe('');
});

test('the summary is added to the runner’s file, each part once', async () => {
  const file = commandFile('GITHUB_STEP_SUMMARY');
  await writeSummary('## One');
  await writeSummary('## Two');
  expect(file()).toMatch(/^## One\r?\n## Two\r?\n$/);
});

describe.runIf(existsSync('/dev/full'))('a full disk', () => {
  test('is a warning that names the cause, and no error', async () => {
    setEnvironment({
      GITHUB_ACTIONS: 'true',
      GITHUB_OUTPUT: '/dev/full',
      GITHUB_STEP_SUMMARY: '/dev/full',
      GITHUB_STATE: '/dev/full',
    });
    const output = captureOutput();
    setOutputs({ seed: 'demo' });
    await writeSummary('## One');
    expect(keepForPost('server', 'diatom-1-1')).toBe(false);
    expect(output.text().match(/^::warning::.+ENOSPC/gm)).toHaveLength(3);
    expect(output.text()).toContain('The outputs of this step could not be written');
    expect(output.text()).toContain('The job summary could not be written');
    expect(() => requireKeptForPost('server', 'diatom-1-1')).toThrow('Nothing was begun');
  });

  test('of a size: what was written by half is taken back, as the runner would end the step over it', () => {
    const file = commandFile('GITHUB_OUTPUT');
    captureOutput();
    setOutputs({ seed: 'demo' });
    const before = file();
    const path = process.env['GITHUB_OUTPUT'] ?? '';
    const failure = appending(path, () => {
      appendFileSync(path, 'classes<<ghadelimiter_1\nhalf of it');
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    });
    expect(failure).toContain('the disk is full');
    expect(file()).toBe(before);
  });
});

test('files that are not there are a warning, and a summary that failed is not written with the next one', async () => {
  setEnvironment({ GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: '/nowhere/output', GITHUB_STEP_SUMMARY: '/nowhere/summary' });
  const output = captureOutput();
  setOutputs({ seed: 'demo' });
  await writeSummary('## One');
  expect(output.text().match(/^::warning::/gm)).toHaveLength(2);
  const summary = commandFile('GITHUB_STEP_SUMMARY');
  await writeSummary('## Two');
  expect(summary()).toMatch(/^## Two\r?\n$/);
});

test('without a runner nothing is printed and nothing fails', async () => {
  setEnvironment({ GITHUB_OUTPUT: undefined, GITHUB_STEP_SUMMARY: undefined });
  const output = captureOutput();
  setOutputs({ seed: 'demo' });
  await writeSummary('## One');
  expect(output.text()).toBe('');
});
