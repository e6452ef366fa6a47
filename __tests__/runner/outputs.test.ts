import { expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';
import { setOutputs, writeSummary } from '../../src/runner/outputs.ts';
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

test('without a runner nothing is printed and nothing fails', async () => {
  setEnvironment({ GITHUB_OUTPUT: undefined, GITHUB_STEP_SUMMARY: undefined });
  const output = captureOutput();
  setOutputs({ seed: 'demo' });
  await writeSummary('## One');
  expect(output.text()).toBe('');
});
