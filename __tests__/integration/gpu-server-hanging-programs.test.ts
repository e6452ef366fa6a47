import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import { openModeContext } from '../../src/gpu-server/mode-context.ts';
import { stopRun } from '../../src/gpu-server/stop.ts';
import { run } from '../helpers/commands.ts';
import { failureOf } from '../helpers/failure.ts';
import { type GithubApi, REPOSITORY, startGithubApi } from '../helpers/github-api.ts';
import { defaultsOf, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

/** Programs of this folder come first on the PATH. They are stand-ins, which write down that they were called. */
let programs: string;
let api: GithubApi;

beforeEach(async () => {
  programs = temporaryFolder();
  api = await startGithubApi();
  // What a stop leaves for a server that is still to come lies at home.
  setEnvironment({ PATH: `${programs}${delimiter}${process.env['PATH']}`, HOME: temporaryFolder() });
});
afterEach(() => api.close());

/** So long, no program of anything else sleeps. */
const FOREVER = `sleep ${100_000 + process.pid}`;

function program(name: string, text: string): void {
  const file = join(programs, name);
  writeFileSync(file, `#!/bin/sh\necho "${name} $*" >>${programs}/called\n${text}\n`);
  chmodSync(file, 0o755);
}

const called = () =>
  existsSync(join(programs, 'called')) ? readFileSync(join(programs, 'called'), 'utf8').split('\n') : [];

/** What a stop ends with whose programs get a second each. */
async function stop(inputs: Readonly<Record<string, string>>): Promise<string> {
  const limits = { 'answer-timeout-seconds': '1', 'stop-timeout-minutes': '0.06' };
  setInputs({ ...defaultsOf('gpu-server'), ...limits, ...api.inputs, mode: 'stop', ...inputs });
  const environment = {
    ...api.environment,
    GITHUB_REPOSITORY: REPOSITORY,
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
  };
  const env = { ...process.env, ...environment, RUNNER_TEMP: temporaryFolder() };
  const session = await openModeContext(readInputs(env), env, {
    signal: new AbortController().signal,
    onWarning: () => {},
  });
  const { message } = await failureOf(stopRun(session));
  await session.close();
  return message;
}

/** Nothing that was started is left. */
async function expectNoneLeft(): Promise<void> {
  expect((await run('ps', ['-eo', 'args='])).split('\n')).not.toContain(FOREVER);
}

const COMMANDS = { driver: 'command', 'start-command': 'true' };
const RUNNING = `printf '%s\\n' '7|diatom-1-1|RUNNING|N/A|N/A|gpu1|None|diatom ${REPOSITORY}'`;

test('squeue that hangs keeps no job from being cancelled, and is said by name', async () => {
  program('sbatch', '');
  program('scancel', '');
  program('squeue', FOREVER);
  expect(await stop({ driver: 'slurm' })).toContain('squeue did not end within 1 s on this runner');
  expect(called().filter((line) => /scancel .*--name=diatom-1-1/.test(line)).length).toBeGreaterThan(1);
  await expectNoneLeft();
});

test('scancel that hangs is sent again, and said by name', async () => {
  program('sbatch', '');
  program('squeue', RUNNING);
  program('scancel', FOREVER);
  expect(await stop({ driver: 'slurm' })).toContain('scancel did not end within 1 s on this runner');
  expect(called().filter((line) => /scancel .*--name=diatom-1-1/.test(line)).length).toBeGreaterThan(1);
  await expectNoneLeft();
});

test('a status-command that hangs keeps no stop-command from running, and is said by name', async () => {
  const commands = { ...COMMANDS, 'status-command': FOREVER, 'stop-command': `echo stop >>${programs}/called` };
  expect(await stop(commands)).toContain('status-command did not end within 1 s on this runner');
  expect(called()).toContain('stop');
  await expectNoneLeft();
});

test('a stop-command that hangs is run again, and said by name', async () => {
  const commands = {
    ...COMMANDS,
    'status-command': 'echo running',
    'stop-command': `echo stop >>${programs}/called; ${FOREVER}`,
  };
  expect(await stop(commands)).toContain('stop-command did not end within 1 s on this runner');
  expect(called().filter((line) => line === 'stop').length).toBeGreaterThan(1);
  await expectNoneLeft();
});

test('ssh that hangs is said by name, with what it was to run', async () => {
  program('ssh', FOREVER);
  const ssh = { 'ssh-host': 'gpu', 'ssh-user': 'me', 'ssh-key': 'KEY', 'ssh-known-hosts': 'gpu ssh-ed25519 A' };
  const message = await stop({ ...COMMANDS, ...ssh, 'status-command': 'echo running', 'stop-command': 'true' });
  expect(message).toMatch(/ssh did not end within \d+ s, and was ended\. It was to run (stop|status)-command on gpu/);
  await expectNoneLeft();
});

test('aws that hangs in one region keeps no instance of another from being terminated, and is said by name', async () => {
  const tags = [
    { Key: 'diatom:name', Value: 'diatom-1-1' },
    { Key: 'diatom:mode', Value: 'ephemeral' },
  ];
  const instance = {
    ...{ id: 'i-1', type: 'g6.xlarge', lifecycle: null, launched: '2026-11-22T12:00:00Z', zone: 'eu-west-1a' },
    ...{ state: 'running', reason: null, tags },
  };
  program(
    'aws',
    [
      `case "$*" in *eu-central-1*) exec ${FOREVER} ;; esac`,
      `case "$2" in describe-instances) echo '${JSON.stringify([instance])}' ;; describe-spot*) echo '[]' ;; esac`,
    ].join('\n'),
  );
  const message = await stop({ driver: 'ec2', 'ec2-regions': 'eu-central-1, eu-west-1' });
  expect(message).toContain('aws did not end within 1 s, and was ended. It was to ask AWS in eu-central-1');
  expect(called().filter((line) => /^aws ec2 terminate-instances --instance-ids i-1 /.test(line))).not.toEqual([]);
  await expectNoneLeft();
});

test('gcloud that hangs is said by name, and asked again', async () => {
  program('gcloud', FOREVER);
  const message = await stop({ driver: 'gce', 'gce-project': 'lab-diatoms' });
  expect(message).toContain('gcloud did not end within 1 s, and was ended. It was to ask Compute Engine about the');
  expect(called().filter((line) => line.startsWith('gcloud compute instances list')).length).toBeGreaterThan(1);
  await expectNoneLeft();
});

test('gcloud that hangs in one zone keeps no instance of another from being deleted, and is said by name', async () => {
  const zone = 'https://www.googleapis.com/compute/v1/projects/lab-diatoms/zones/europe-west4-b';
  const instance = { name: 'diatom-1-1', zone, status: 'RUNNING' };
  program(
    'gcloud',
    [
      `case "$*" in *"--zones europe-west4-a"*) exec ${FOREVER} ;; esac`,
      `case "$3" in list) echo '${JSON.stringify([instance])}' ;; esac`,
      `case "$*" in *--zones*) ;; *) echo 'WARNING: Some requests did not succeed.' >&2 ;; esac`,
    ].join('\n'),
  );
  const zones = { 'gce-zones': 'europe-west4-a, europe-west4-b' };
  const message = await stop({ driver: 'gce', 'gce-project': 'lab-diatoms', ...zones });
  expect(message).toContain('gcloud did not end within 1 s, and was ended.');
  expect(
    called().filter((line) => /^gcloud compute instances delete diatom-1-1 --zone europe-west4-b /.test(line)),
  ).not.toEqual([]);
  await expectNoneLeft();
});
