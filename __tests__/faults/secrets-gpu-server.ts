import { generateKeyPairSync } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { ActionResult } from '../../scripts/run-action.ts';
import { fakeEngine } from '../helpers/fake-engine.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';
import type { Case, World } from './secrets-world.ts';

type Texts = Readonly<Record<string, string>>;

interface Given {
  readonly inputs?: (server: {
    readonly api: GithubApi;
    readonly ssh: SshServer | undefined;
    readonly world: World;
  }) => Texts;
  readonly env?: Texts;
  readonly hasSsh?: boolean;
  readonly before?: (api: GithubApi) => void;
}

function serve(mode: string, given: Given = {}): (world: World) => Promise<ActionResult> {
  return async (world) => {
    const { canaries, evidence } = world;
    const tokens = ['job token', 'runner token', 'installation token'].map((name) => canaries.make(name));
    const api = await startGithubApi({
      tokens: [tokens[0] ?? '', tokens[1] ?? '', tokens[2] ?? ''],
      mark: canaries.make('JIT configuration'),
    });
    onTestFinished(() => api.close());
    api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'gpu'], status: 'online' });
    given.before?.(api);
    evidence.push(() => [{ place: 'addresses asked of GitHub', data: api.requests.join('\n') }]);
    const ssh = given.hasSsh ? await startSshd() : undefined;
    if (ssh) onTestFinished(() => ssh.stop());
    const aws = fakeEngine('aws', [
      { match: 'get-caller-identity', stdout: '{"Account":"1"}' },
      { match: '.', stderr: 'An error occurred (UnauthorizedOperation) when calling the operation', exitCode: 254 },
    ]);
    evidence.push(() => aws.calls().map(({ args }) => ({ place: 'arguments of aws', data: args.join(' ') })));
    return world.run({
      action: 'gpu-server',
      inputs: {
        ...api.inputs,
        mode,
        driver: 'local',
        'start-timeout-minutes': '0.05',
        'stop-timeout-minutes': '0.05',
        ...given.inputs?.({ api, ssh, world }),
      },
      env: {
        ...api.environment,
        PATH: process.env['PATH'],
        AWS_ACCESS_KEY_ID: canaries.make('AWS key'),
        AWS_SECRET_ACCESS_KEY: canaries.make('AWS secret'),
        AWS_SESSION_TOKEN: canaries.make('AWS session'),
        ...given.env,
      },
    });
  };
}

const COMMANDS: Texts = {
  driver: 'command',
  'start-command': 'true',
  'stop-command': 'true',
  'status-command': 'echo running',
  'server-limit': 'a person',
};
const SLURM: Texts = { driver: 'slurm', 'slurm-partition': 'gpu', 'slurm-gres': 'gpu:1' };
const EC2: Texts = {
  driver: 'ec2',
  'ec2-mode': 'existing',
  'ec2-instance-id': 'i-0123456789abcdef0',
  'ec2-regions': 'eu-central-1',
};
const GCE: Texts = {
  driver: 'gce',
  'gce-project': 'lab-diatoms',
  'gce-zones': 'europe-west4-a',
  'gce-machine-types': 'g2-standard-4',
  'gce-image': 'diatoms-gpu',
};
const OPENSTACK: Texts = {
  driver: 'openstack',
  'openstack-auth-url': 'http://127.0.0.1:9/v3',
  'openstack-credential-id': 'c0ffee',
  'openstack-delete-id': 'dead',
  'openstack-image': 'Ubuntu',
  'openstack-flavors': 'gpu.t4',
};
const bySsh =
  (inputs: Texts): NonNullable<Given['inputs']> =>
  ({ ssh }) => ({ ...inputs, ...ssh?.inputs });

/** A key of the right form that no mark can be in: what is looked for is a line in its middle. */
function privateKey(world: World, name: string): string {
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const lines = key.export({ type: 'pkcs1', format: 'pem' }).toString().split('\n');
  return lines.with(3, world.canaries.make(name)).join('\n');
}

export const GPU_SERVER: readonly Case[] = [
  ['a start', 'green', serve('start')],
  ['a stop', 'green', serve('stop')],
  ['a status', 'green', serve('status')],
  [
    'a start without rights',
    /runner-token/,
    serve('start', { inputs: ({ api }) => ({ 'runner-token': api.jobToken }) }),
  ],
  [
    'a start with a token of nobody',
    /runner-token|401/,
    serve('start', { inputs: ({ world }) => ({ 'runner-token': world.canaries.make('wrong token') }) }),
  ],
  [
    'a refusal that quotes',
    /::error::/,
    serve('start', {
      before: (api) => api.failNext({ path: 'runners', status: 422, message: `Bad: ${api.runnerToken}` }),
    }),
  ],
  [
    'a text that is no key of an App',
    /app-private-key/,
    serve('start', {
      inputs: ({ world }) => ({ 'runner-token': '', 'app-id': '1', 'app-private-key': privateKey(world, 'App key') }),
    }),
  ],
  [
    'an App that GitHub does not know',
    /::error::/,
    serve('start', {
      inputs: ({ api, world }) => ({
        'runner-token': '',
        'app-id': world.canaries.make('none') && '12',
        'app-private-key': api.app.privateKey,
      }),
    }),
  ],
  [
    'a start by an App',
    'green',
    serve('start', {
      inputs: ({ api }) => ({ 'runner-token': '', 'app-id': api.app.id, 'app-private-key': api.app.privateKey }),
    }),
  ],
  [
    'a start at Google, with a key that gcloud does not take',
    /Google refuses/,
    serve('start', {
      inputs: ({ world }) => ({
        ...GCE,
        'gce-key': JSON.stringify({
          ...{ type: 'service_account', project_id: 'lab-diatoms', client_email: 'gpu@example.org', client_id: '1' },
          ...{ private_key_id: world.canaries.make('Google key id'), private_key: privateKey(world, 'Google key') },
          token_uri: 'http://127.0.0.1:9/token',
        }),
      }),
    }),
  ],
  [
    'a start at OpenStack, which can’t be reached',
    /openstack-auth-url/,
    serve('start', {
      inputs: ({ world }) => ({
        ...OPENSTACK,
        'openstack-credential-secret': world.canaries.make('OpenStack secret'),
        'openstack-delete-secret': world.canaries.make('OpenStack delete secret'),
      }),
    }),
  ],
  ['a start by commands', 'green', serve('start', { inputs: () => COMMANDS })],
  [
    'a start-command that fails',
    /start-command/,
    serve('start', { inputs: () => ({ ...COMMANDS, 'start-command': 'echo no >&2; exit 3' }) }),
  ],
  [
    'a start by ssh',
    'green',
    serve('start', { hasSsh: true, inputs: bySsh({ ...COMMANDS, 'lifetime-hours': '0.01' }) }),
  ],
  [
    'a stop by ssh',
    'green',
    serve('stop', { hasSsh: true, inputs: bySsh({ ...COMMANDS, 'status-command': 'echo stopped' }) }),
  ],
  [
    'a key that ssh does not take',
    /ssh/,
    serve('start', {
      hasSsh: true,
      inputs: ({ ssh, world }) => ({ ...COMMANDS, ...ssh?.inputs, 'ssh-key': privateKey(world, 'ssh key') }),
    }),
  ],
  [
    'a host that is not there',
    /ssh|reach/,
    serve('start', { hasSsh: true, inputs: ({ ssh }) => ({ ...COMMANDS, ...ssh?.inputs, 'ssh-port': '9' }) }),
  ],
  ['a machine that is no cluster', /sbatch|Slurm/, serve('start', { hasSsh: true, inputs: bySsh(SLURM) })],
  ['an account of AWS without rights', /::error::/, serve('start', { inputs: () => EC2 })],
  ['a check of AWS', /::error::|::warning::/, serve('status', { inputs: () => EC2 })],
  [
    'settings with a token in them',
    /settings/,
    serve('start', { inputs: ({ api }) => ({ settings: JSON.stringify({ 'runner-token': api.runnerToken }) }) }),
  ],
];
