import { expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';
import { keepForPost, keptFromMain } from '../../src/runner/state.ts';
import { captureOutput, commandFile, setEnvironment } from '../helpers/runner.ts';

test('what the main step keeps goes to the runner’s file, and comes back to the post step by the runner', () => {
  const file = commandFile('GITHUB_STATE');
  keepForPost('server', 'diatom-1-1');
  const kept = parseOutputs(file());
  expect(kept).toEqual({ server: 'diatom-1-1' });
  expect(keptFromMain('server')).toBe('');
  setEnvironment({ STATE_server: kept['server'] });
  expect(keptFromMain('server')).toBe('diatom-1-1');
});

test('without a runner nothing is kept and nothing printed', () => {
  setEnvironment({ GITHUB_STATE: undefined });
  const output = captureOutput();
  keepForPost('server', 'diatom-1-1');
  expect(output.text()).toBe('');
});
