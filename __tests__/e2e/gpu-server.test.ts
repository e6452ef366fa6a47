import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type RunOptions, runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { startApache } from '../helpers/apache.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, type DockerEngine, makeSmallImage, startDocker } from '../helpers/docker.ts';
import { bootWhatIsLaunched } from '../helpers/ec2-machine.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { startMoto } from '../helpers/moto.ts';
import { sendFile } from '../helpers/served-zip.ts';
import { type SlurmCluster, startSlurm } from '../helpers/slurm.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';
import { workflowFiles } from '../helpers/workflow-files.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates', 'workflows');
const STAND_IN = join(import.meta.dirname, '..', 'helpers', 'stand-in-runner');
const IMAGE = 'diatom-actions-tests/gpu-server:1';
const REGION = 'eu-central-1';
const SOON = { timeout: 60_000, interval: 500 };

/** “Images” are texts: nothing here looks at them. */
const ZIP = buildZip({
  entries: ['train', 'test'].flatMap((split) =>
    ['Gomphonema', 'Hannaea'].map((label) => ({ name: `results/${split}/${label}/1.png`, data: `${split} ${label}` })),
  ),
});

/** Stand in for `train.py` and `test.py`: write what they must. */
const TRAIN = `echo weights >$OUTPUT_DIR/model.pth; echo '["Gomphonema", "Hannaea"]' >$OUTPUT_DIR/classes.json`;
const METRICS = {
  ...{ format: 1, accuracy: 1, accuracy_ci: [0.5, 1], macro_f1: 1, macro_f1_ci: [0.5, 1], n_test: 2 },
  labels: ['Gomphonema', 'Hannaea'],
  classes: {
    Gomphonema: { precision: 1, recall: 1, f1: 1, support: 1 },
    Hannaea: { precision: 1, recall: 1, f1: 1, support: 1 },
  },
};
const TEST = `echo '${JSON.stringify(METRICS)}' >$OUTPUT_DIR/metrics.json`;

let docker: DockerEngine;
let api: GithubApi;
/** What a person has set up in the repository, whatever the driver is. */
let variables: Readonly<Record<string, string>>;

beforeAll(async () => {
  docker = await startDocker();
  await makeSmallImage(IMAGE);
  api = await startGithubApi();
  variables = {
    RUNNER_APP_ID: api.app.id,
    RUNNER_DIR: STAND_IN,
    LIFETIME_HOURS: '1',
    GPUS: 'none',
    SHM_SIZE: '64m',
    TRAIN_COMMAND: TRAIN,
    TEST_COMMAND: TEST,
  };
});

afterAll(async () => {
  await api?.close();
  if (docker) await run('docker', ['image', 'rm', '--force', IMAGE]);
  await docker?.close();
});

/** The template of the pipeline with a GPU server, as its comments tell; data set and image are there, nothing is published. */
async function pipeline(driver: string): Promise<string> {
  const template = await readFile(join(TEMPLATES, 'pipeline.yml'), 'utf8');
  return template
    .replace('# driver: slurm', `driver: ${driver}`)
    .replace('# RUNNER_APP_KEY:', 'RUNNER_APP_KEY:')
    .replace('# SSH_KEY:', 'SSH_KEY:')
    .replaceAll(/^ +owncloud-.*\n/gm, '')
    .replace(/gate: .*/, `image: ${IMAGE}\n      publish: false`);
}

/** Serves the data set, and looks around when it is asked for: then the training has begun. */
async function dataset(onAsked: () => Promise<void> = async () => {}): Promise<string> {
  let asked: Promise<void> | undefined;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    asked ??= onAsked();
    await asked;
    sendFile(request, response, ZIP, {});
  };
  const server = await startServer((request, response) => void serve(request, response));
  onTestFinished(() => server.close());
  return `${server.origin}/diatom_set.zip`;
}

/** What every step of a run gets. */
async function environmentOf(runId: string): Promise<Record<string, string>> {
  api.runs.set(runId, { status: 'in_progress', run_attempt: 1 });
  const { environment } = await startArtifactServer();
  return { ...environment, GITHUB_API_URL: api.url, GITHUB_RUN_ID: runId };
}

describe('with slurm, a job with a runner in it stands in the cluster while the model is trained, and is gone afterwards', () => {
  let cluster: SlurmCluster;
  let ssh: SshServer;
  let work: string;

  beforeAll(async () => {
    cluster = await startSlurm();
    ssh = await startSshd({ environment: cluster.environment });
    work = await mkdtemp(join(tmpdir(), 'gpu-server-'));
  });

  afterAll(async () => {
    await cluster?.stop();
    await ssh?.stop();
    if (work) await rm(work, { recursive: true });
  });

  async function train(runId: string, workflow: string, options: RunOptions = {}): Promise<WorkflowRun> {
    const name = `diatom-${runId}-1-model`;
    const seen: unknown[] = [];
    const look = async () => {
      seen.push(await cluster.command('squeue', '--noheader', '--format=%j %T'));
      api.giveJob(name);
      await vi.waitFor(() => expect(api.runnerNamed(name)).toMatchObject({ status: 'online', busy: true }), SOON);
      seen.push(api.runnerNamed(name)?.labels);
    };
    const result = await runWorkflow(workflow, {
      inputs: { dataset: await dataset(look), ...options.inputs },
      secrets: {
        GITHUB_TOKEN: api.jobToken,
        RUNNER_APP_KEY: api.app.privateKey,
        SSH_KEY: ssh.key,
        ...options.secrets,
      },
      variables: {
        ...variables,
        SSH_HOST: ssh.host,
        SSH_PORT: String(ssh.port),
        SSH_USER: ssh.user,
        SSH_KNOWN_HOSTS: ssh.knownHosts,
        SLURM_PARTITION: 'gpu',
        SLURM_WORK_DIR: work,
        ...options.variables,
      },
      environment: await environmentOf(runId),
    });
    // The last label marks the registration.
    expect(seen, result.log).toEqual([`${name} RUNNING\n`, ['self-hosted', name, expect.any(String)]]);
    expect(result.log).toContain(`${name} is gone.`);
    expect(await cluster.jobs()).toEqual([]);
    expect([...api.runners.values()]).toEqual([]);
    expect(result.leftovers).toEqual([]);
    for (const secret of [ssh.key.split('\n')[1] ?? '', api.app.privateKey.split('\n')[1] ?? '', api.jobToken]) {
      expect(result.log).not.toContain(secret);
    }
    return result;
  }

  test('in the pipeline', async () => {
    const { exitCode, log } = await train('100', await pipeline('slurm'));
    expect(exitCode, log).toBe(0);
  });

  test('in the pipeline, when the training fails', async () => {
    const variables = { TRAIN_COMMAND: 'echo no such class; exit 3' };
    const { exitCode, log } = await train('101', await pipeline('slurm'), { variables });
    expect(exitCode).toBe(1);
    expect(log).toContain('no such class');
  });

  test('in jobs of one’s own, by the template, which also publishes the model', async () => {
    const apache = await startApache();
    onTestFinished(() => apache.close());
    const command = (name: string) => `\${{ vars.${name}_COMMAND }}`;
    const workflow = (await readFile(join(TEMPLATES, 'train-on-gpu-server.yml'), 'utf8'))
      .replaceAll(/ssh-host: .*/g, `ssh-host: ${ssh.host}\n          ssh-port: ${ssh.port}`)
      .replaceAll(/ssh-user: .*/g, `ssh-user: ${ssh.user}`)
      .replaceAll(/slurm-setup: .*/g, `slurm-work-dir: ${work}\n          runner-dir: ${STAND_IN}`)
      .replaceAll(/owncloud-url: .*/g, `owncloud-url: ${apache.url}`)
      .replaceAll(/owncloud-username: .*/g, `owncloud-username: ${apache.username}`)
      .replaceAll(/^ +registry-(username|password): .*\n/gm, '')
      // No GPU is here, and no Apptainer.
      .replace('engine: apptainer', 'gpus: none')
      .replace(/train-command: .*/, `train-command: ${command('TRAIN')}`)
      .replace(/test-command: .*/, `test-command: ${command('TEST')}`);
    const inputs = { image: IMAGE };
    const { exitCode, log } = await train('102', workflow, {
      inputs,
      secrets: { OWNCLOUD_PASSWORD: apache.password },
    });
    expect(exitCode, log).toBe(0);
    expect(await readdir(join(apache.directory, 'models', 'diatoms', 'production'))).toContain('model.pth');
  });
});

test('with ec2, what a run leaves behind that was ended by force while it trained, the reaper of the template stops', async () => {
  const moto = await startMoto();
  onTestFinished(() => moto.close());
  const room = bootWhatIsLaunched(moto);
  onTestFinished(() => room.close());
  const states = async () => (await moto.instances(REGION)).map(({ State }) => State.Name);
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...awsEnvironment } = moto.env;
  const secrets = {
    GITHUB_TOKEN: api.jobToken,
    RUNNER_APP_KEY: api.app.privateKey,
    AWS_ACCESS_KEY_ID: AWS_ACCESS_KEY_ID ?? '',
    AWS_SECRET_ACCESS_KEY: AWS_SECRET_ACCESS_KEY ?? '',
  };
  const keys = Object.keys(secrets).filter((name) => name.startsWith('AWS_'));

  onTestFinished(async () => {
    // The machine that died had its containers in it; here, they are in ours.
    for (const name of await containersNamed('diatom-200-1-')) await run('docker', ['rm', '--force', name]);
  });
  const death = new AbortController();
  const workflow = await pipeline('ec2');
  const killed = await runWorkflow(
    workflow.replace(
      /^ +SSH_KEY: .*\n/m,
      (line) => line + keys.map((name) => `      ${name}: \${{ secrets.${name} }}\n`).join(''),
    ),
    {
      inputs: { dataset: await dataset() },
      secrets,
      variables: {
        ...variables,
        TRAIN_COMMAND: 'echo epoch 1; sleep 600',
        AWS_REGION: REGION,
        EC2_AMI: moto.ami,
        EC2_INSTANCE_TYPES: 'g6.xlarge',
      },
      environment: { ...awsEnvironment, ...(await environmentOf('200')) },
      onOutput: (text) => {
        if (/\| epoch 1$/m.test(text)) death.abort();
      },
      death: death.signal,
    },
  );
  expect(death.signal.aborted, killed.log).toBe(true);
  expect(await states()).toEqual(['running']);
  expect(api.runnerNamed('diatom-200-1-model')).toMatchObject({ status: 'online' });

  api.runs.set('200', { status: 'completed', run_attempt: 1 });
  const reaper = (await readFile(join(TEMPLATES, 'gpu-reaper.yml'), 'utf8'))
    .replace(/^( +)(- uses: .*\/gpu-server@)/m, `$1${signInToAws()}\n$1$2`)
    .replace('driver: slurm', 'driver: ec2')
    .replaceAll(/^ +ssh-.*\n/gm, '');
  const reaped = await runWorkflow(reaper, {
    secrets,
    variables,
    environment: { ...awsEnvironment, ...(await environmentOf('201')) },
  });
  expect(reaped.exitCode, reaped.log).toBe(0);
  expect(reaped.log).toContain('diatom-200-1-model: stopped, its run is over');
  expect(await states()).toEqual(['terminated']);
  expect([...api.runners.values()]).toEqual([]);
  expect(reaped.leftovers).toEqual([]);
});

/** A step, as the reusable workflow has it. */
function signInToAws(): string {
  const text = workflowFiles('.github/workflows').find(({ name }) => name === 'train-model')?.text ?? '';
  const [, uses] = /uses: (aws-actions\/\S+)/.exec(text) ?? [];
  if (uses === undefined) throw new Error('train-model.yml does not sign in to AWS');
  const input = (name: string) => `\${{ secrets.${name} }}`;
  return `- uses: ${uses}
        with:
          aws-region: ${REGION}
          aws-access-key-id: ${input('AWS_ACCESS_KEY_ID')}
          aws-secret-access-key: ${input('AWS_SECRET_ACCESS_KEY')}`;
}
