import { expect, test } from 'vitest';
import { ACTION, type RunOptions, runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { SETTINGS_PATH, settingsFile } from '../helpers/settings-file.ts';

/** A workflow that calls one of ours, in a repository with settings. */
function call(name: string, { lines = '', ...options }: RunOptions & { lines?: string }): Promise<WorkflowRun> {
  return runWorkflow(
    `
name: Call
on: workflow_dispatch
permissions: {}
jobs:
  call:
    permissions: { contents: read, packages: write, attestations: write, id-token: write, actions: read }
    uses: ${ACTION.replace('@', `/.github/workflows/${name}.yml@`)}
    with:
      ${lines.trim().replaceAll('\n', '\n      ')}
`,
    options,
  );
}

const errorsOf = ({ log }: WorkflowRun) => [...log.matchAll(/::error::(.*)/g)].map(([, message = '']) => message);

test('a part of the settings that is lost between two jobs ends the run, with section and cause', async () => {
  const run = await call('pipeline', {
    lines: 'check: true',
    files: { [SETTINGS_PATH]: settingsFile({}) },
    lost: 'publish',
  });
  expect(run.exitCode, run.log).toBe(1);
  expect(errorsOf(run)).toEqual([
    expect.stringMatching(/^The part “publish” of your settings \(\d+ of them\) did not arrive: .*text of a secret/),
  ]);
  expect(run.log).not.toContain('Check/Check');
});

test('settings are taken as text, and what is wrong in them is found before anything else, by line', async () => {
  const run = await call('prepare-data', {
    lines: `
settings: |
  owncloud: { url: "https://cloud.example.org", username: my-name, password: secret OWNCLOUD_PASSWORD }
  data:
    files: secret FILE_LIST
    n-tset: 20%
`,
  });
  expect(run.exitCode, run.log).toBe(1);
  expect(errorsOf(run).join('\n')).toMatch(/n-tset/);
  expect(run.log).toMatch(/4:\d+/);
  expect(run.log).not.toContain('Prepare data/Prepare data');
});

test('a repository without settings that has variables of before is told the lines to write instead', async () => {
  const variables = { OWNCLOUD_URL: 'https://cloud.example.org', MODEL_NAME: 'diatoms-baltic', EPOCHS: '3' };
  const run = await call('prepare-data', { lines: 'dry-run: true', variables });
  expect(run.exitCode, run.log).toBe(1);
  const [error = '', ...others] = errorsOf(run);
  expect(others).toEqual([]);
  expect(error).toContain('.github/diatoms.yml');
  expect(run.log.replaceAll('%0A', '\n')).toMatch(/owncloud:\s+url: https:\/\/cloud\.example\.org/);
  expect(run.log).toContain('model-name: diatoms-baltic');
  expect(run.log).not.toContain('EPOCHS');
});
