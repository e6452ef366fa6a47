import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runAction } from '../../scripts/run-action.ts';
import { ACTION, type RunOptions, runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { startApache } from '../helpers/apache.ts';
import { modelDir } from '../helpers/model.ts';
import { SETTINGS_PATH, settingsFile } from '../helpers/settings-file.ts';

/** A workflow that calls one of ours, in a repository with settings. */
function call(name: string, { lines = '', ...options }: RunOptions & { lines?: string }): Promise<WorkflowRun> {
  const secrets = Object.keys(options.secrets ?? {}).map((secret) => `${secret}: "\${{ secrets.${secret} }}"`);
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
    secrets: { ${secrets.join(', ')} }
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

test('a repository without a settings file rolls a model back by settings that are text in its workflow', async () => {
  const apache = await startApache();
  onTestFinished(() => apache.close());
  for (const version of ['v1', 'v2']) {
    const folder = await modelDir(version);
    const inputs = {
      'model-dir': folder,
      'model-name': 'diatoms',
      version,
      'owncloud-url': apache.url,
      'owncloud-username': apache.username,
      'owncloud-password': apache.password,
      'no-worse-than-production': 'false',
    };
    const stored = await runAction({ action: 'publish-model', workspace: join(folder, '..'), inputs });
    expect(stored.exitCode, stored.stdout).toBe(0);
  }
  const inProduction = () => readFile(join(apache.directory, 'models', 'diatoms', 'production', 'VERSION'), 'utf8');
  expect((await inProduction()).trim()).toBe('v2');

  const run = await call('publish-model', {
    lines: `
settings: |
  owncloud: { url: "${apache.url}", username: ${apache.username}, password: secret OWNCLOUD_PASSWORD }
  publish: { model-name: diatoms }
promote-version: v1
`,
    secrets: { OWNCLOUD_PASSWORD: apache.password },
  });
  expect(run.exitCode, run.log).toBe(0);
  expect(run.log).not.toContain(apache.password);
  expect((await inProduction()).trim()).toBe('v1');
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
