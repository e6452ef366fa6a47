import { describe, expect, test } from 'vitest';
import { commandInputs } from '../../src/gpu-server/command-inputs.ts';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import { sshInputs } from '../../src/gpu-server/ssh-inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, defaultsOf, setEnvironment, setInputs } from '../helpers/runner.ts';

const RUN = { GITHUB_REPOSITORY: 'example/diatoms', GITHUB_RUN_ID: '7', GITHUB_RUN_ATTEMPT: '2' };

const COMMANDS = {
  driver: 'command',
  'start-command': 'wakeonlan x',
  'stop-command': 'poweroff',
  'status-command': 'echo running',
};

const SSH = {
  'ssh-host': 'gpu.example.org',
  'ssh-user': 'me',
  'ssh-key': 'KEY',
  'ssh-known-hosts': 'gpu ssh-ed25519 A',
};

function read(inputs: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = RUN) {
  setInputs({ ...defaultsOf('gpu-server'), mode: 'start', driver: 'local', 'github-token': 'TOKEN', ...inputs });
  return readInputs(env);
}

test('the defaults are those of action.yml', () => {
  expect(read()).toEqual({
    mode: 'start',
    openDriver: expect.any(Function),
    isSignInRefused: false,
    run: { runId: '7', attempt: 2, key: '' },
    name: 'diatom-7-2',
    repository: 'example/diatoms',
    apiUrl: 'https://api.github.com',
    maxMinutes: 720,
    pricePerHour: undefined,
    maxPrice: undefined,
    monthlyBudget: undefined,
    hoursPlace: undefined,
    currency: 'EUR',
    startTimeoutMs: 30 * 60_000,
    stopTimeoutMs: 15 * 60_000,
    watchMs: (15 * 60_000) / 8,
    limits: { answerMs: 120_000, stopMs: 5 * 60_000, startMs: 24 * 60_000 },
    pickUpMinutes: 15,
    githubToken: 'TOKEN',
    runnerAuth: undefined,
    runnerOwner: { scope: 'repository', owner: 'example', name: 'diatoms' },
    runnerGroup: '',
    runnerLabels: [],
    runnerVersion: undefined,
    runnerSha256: undefined,
    architecture: 'x64',
    runnerDir: '',
  });
});

test('what is set is read', () => {
  const inputs = read(
    {
      ...COMMANDS,
      ...SSH,
      'lifetime-hours': '0.005',
      'price-per-hour': '1.2',
      currency: '€',
      'app-id': '12',
      'app-private-key': 'PEM',
      'runner-scope': 'organization',
      'runner-labels': 'self-hosted, lab\ngpu',
      'runner-version': 'v2.340.0',
      'runner-sha256': 'AB'.repeat(32),
      'server-limit': 'Google ends it',
    },
    { ...RUN, GITHUB_API_URL: 'https://ghes.example.org/api/v3' },
  );
  expect(inputs).toMatchObject({
    apiUrl: 'https://ghes.example.org/api/v3',
    maxMinutes: 0.3,
    pricePerHour: 1.2,
    currency: '€',
    runnerAuth: { app: { id: '12', privateKey: 'PEM' } },
    runnerOwner: { scope: 'organization', owner: 'example' },
    runnerLabels: ['self-hosted', 'lab', 'gpu'],
    runnerVersion: '2.340.0',
    runnerSha256: 'ab'.repeat(32),
  });
  expect(commandInputs(true)).toMatchObject({ startCommand: 'wakeonlan x', limit: 'Google ends it', isRemote: true });
  const ssh = { host: 'gpu.example.org', port: 22, user: 'me', key: 'KEY', knownHosts: 'gpu ssh-ed25519 A' };
  expect(sshInputs()).toMatchObject(ssh);
});

test('inputs of a driver that was not chosen are not even looked at', () => {
  expect(() => read({ 'ec2-regions': 'nowhere!', 'ssh-host': '-oProxyCommand=x', 'slurm-cpus': 'many' })).not.toThrow();
});

test('a lifetime above max-hours is refused, before anything could be started', async () => {
  const error = await failureOf(() => read({ 'lifetime-hours': '24' }));
  expect(error).toMatchObject({ code: 'INPUT' });
  expect(error.message).toContain('Input lifetime-hours: 24 is more than max-hours (12) allows');
  expect(read({ 'lifetime-hours': '24', 'max-hours': '24' }).maxMinutes).toBe(24 * 60);
});

test.each([
  [{ mode: 'begin' }, 'Input mode is “begin”, allowed is start or stop or status or reap.'],
  [{ driver: 'gcp' }, 'Input driver is “gcp”'],
  [{ 'max-hours': '0' }, 'Input max-hours is “0”'],
  [{ 'max-hours': '500' }, 'a number above 0 and up to 120'],
  [{ 'lifetime-hours': '1h' }, 'Input lifetime-hours is “1h”'],
  [{ 'price-per-hour': '-1' }, 'Input price-per-hour is “-1”'],
  [{ 'max-price': '10' }, 'max-price: is for servers that are started, and driver is local'],
  [{ currency: '| x' }, 'Input currency is “| x”'],
  [{ 'pick-up-minutes': 'soon' }, 'Input pick-up-minutes is “soon”'],
  [{ 'runner-labels': 'a b' }, 'Input runner-labels is “a b”'],
  [{ 'runner-scope': 'enterprise' }, 'Input runner-scope is “enterprise”'],
  [{ 'runner-version': '2.300.0' }, 'a version from 2.336.0 on'],
  [{ 'runner-version': '2.340.0', 'runner-sha256': 'abc' }, 'a SHA-256 of 64 hexadecimal digits'],
  [{ 'runner-sha256': 'ab'.repeat(32) }, 'Input runner-sha256: is set without runner-version'],
  [{ 'runner-dir': 'runner' }, 'the absolute path of a folder on the server'],
  [{ 'runner-token': 'x', 'app-id': '1', 'app-private-key': 'y' }, 'runner-token: is set, and so is app-id'],
  [
    { 'gce-key': 'x', 'gce-workload-identity-provider': 'y' },
    'gce-key: is set, and so is gce-workload-identity-provider',
  ],
  [{ 'app-id': '1' }, 'Input app-private-key is missing, and app-id is set'],
  [{ 'app-private-key': '1' }, 'Input app-id is missing, and app-private-key is set'],
  [{ ...COMMANDS, 'status-command': '' }, 'Input status-command is missing'],
  [{ ...COMMANDS, 'stop-command': '' }, 'Input stop-command is missing'],
  [{ ...COMMANDS, ...SSH, 'ssh-host': '-oProxyCommand=x' }, 'Input ssh-host is “-oProxyCommand=x”'],
  [{ ...COMMANDS, ...SSH, 'ssh-user': '-x' }, 'Input ssh-user is “-x”'],
  [{ ...COMMANDS, ...SSH, 'ssh-port': '0' }, 'Input ssh-port is “0”'],
  [{ ...COMMANDS, ...SSH, 'ssh-key': '' }, 'Input ssh-key is missing'],
  [{ ...COMMANDS, ...SSH, 'ssh-known-hosts': '' }, 'ssh-keyscan gpu.example.org'],
])('%j is refused', async (inputs, message) => {
  const error = await failureOf(() => read(inputs));
  expect(error).toMatchObject({ code: 'INPUT' });
  expect(error.message).toContain(message);
});

test('a GPU is chosen by its name at Amazon and Google only, and nothing else may choose besides', async () => {
  const said = async (inputs: Readonly<Record<string, string>>) =>
    (await failureOf(() => read({ gpu: 'L4', ...inputs }))).message;
  const ec2 = { driver: 'ec2', 'ec2-regions': 'eu-central-1', 'ec2-ami': 'ami-0a' };
  expect(() => read({ gpu: 'L4', ...ec2 })).not.toThrow();
  const gce = { driver: 'gce', 'gce-project': 'lab-diatoms', 'gce-zones': 'europe-west4-a', 'gce-image': 'gpu' };
  expect(() => read({ gpu: 'L4', ...gce })).not.toThrow();
  expect(await said({ ...gce, 'gce-machine-types': 'g2-standard-4' })).toContain('go with gce-machine-types, which');
  expect(await said({ ...gce, gpu: 'A10G' })).toContain(
    'is “A10G”, allowed with gce is any or T4 (16 GB) or L4 (24 GB)',
  );
  expect(await said({ ...ec2, 'ec2-instance-types': 'g5.xlarge' })).toContain(
    'Input gpu: does not go with ec2-instance-types, which chooses, too: set one of them.',
  );
  expect(await said({ ...ec2, 'ec2-mode': 'existing' })).toContain('does not go with ec2-mode: existing');
  expect(await said({ ...ec2, 'runner-architecture': 'arm64' })).toContain('all that it chooses from are x64');
  expect(await said({ driver: 'openstack' })).toContain('name those with that GPU in openstack-flavors');
  expect(await said({ driver: 'slurm' })).toContain('ask for that GPU with slurm-gres');
  expect(await said({ driver: 'local' })).toContain('is for ec2 and gce, and driver is local');
});

test('outside of a job it says what is missing', async () => {
  expect((await failureOf(() => read({}, {}))).message).toContain('GITHUB_REPOSITORY is “”: this action runs in a job');
});

describe('secrets', () => {
  test('are hidden before anything is refused', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    await failureOf(() =>
      read({ mode: 'x', 'runner-token': 'S1', 'app-private-key': 'S2', 'ssh-key': 'S3', 'github-token': 'S4' }),
    );
    for (const secret of ['S1', 'S2', 'S3', 'S4']) expect(output.text()).toContain(`::add-mask::${secret}`);
  });
});
