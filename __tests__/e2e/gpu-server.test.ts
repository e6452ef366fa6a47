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
import { SETTINGS_PATH, settingsFile, withInputs } from '../helpers/settings-file.ts';
import { type SlurmCluster, startSlurm } from '../helpers/slurm.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates', 'workflows');
const STAND_IN = join(import.meta.dirname, '..', 'helpers', 'stand-in-runner');
const IMAGE = 'diatom-actions-tests/gpu-server:1';
const REGION = 'eu-central-1';
const SOON = { timeout: 60_000, interval: 500 };

/** “Images” are texts: nothing here looks at them. */
const ZIP = buildZip({
  entries: ['train', 'test'].flatMap((split) =>
    ['Gomphonema', 'Hannaea'].map((label, kind) => ({
      name: `results/${split}/${label}/1.bmp`,
      data: bmp(2 * Number(split === 'test') + kind),
    })),
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
/** What a person has written into the settings, whatever the driver is. */
let settings: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  docker = await startDocker();
  await makeSmallImage(IMAGE);
  api = await startGithubApi();
  settings = {
    'gpu-server.app-id': api.app.id,
    'gpu-server.app-private-key': 'secret RUNNER_APP_KEY',
    'gpu-server.runner-dir': STAND_IN,
    'gpu-server.lifetime-hours': 1,
    'train.gpus': 'none',
    'train.shm-size': '64m',
    'train.train-command': TRAIN,
    'train.test-command': TEST,
    'publish.gate': undefined,
  };
});

afterAll(async () => {
  await api?.close();
  if (docker) await run('docker', ['image', 'rm', '--force', IMAGE]);
  await docker?.close();
});

/** The template of the pipeline; data set and image are there, and nothing is published. */
async function pipeline(): Promise<string> {
  return withInputs(await readFile(join(TEMPLATES, 'pipeline.yml'), 'utf8'), { image: IMAGE, publish: 'false' });
}

const NO_OWNCLOUD = { owncloud: undefined, publish: undefined };

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

  const onSlurm = () => ({
    ...settings,
    'gpu-server.driver': 'slurm',
    'gpu-server.ssh-host': ssh.host,
    'gpu-server.ssh-port': ssh.port,
    'gpu-server.ssh-user': ssh.user,
    'gpu-server.ssh-key': 'secret SSH_KEY',
    'gpu-server.ssh-known-hosts': ssh.knownHosts,
    'gpu-server.slurm-partition': 'gpu',
    'gpu-server.slurm-work-dir': work,
  });

  async function train(
    runId: string,
    workflow: string,
    more: Readonly<Record<string, unknown>>,
    options: RunOptions = {},
  ): Promise<WorkflowRun> {
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
      files: {
        [SETTINGS_PATH]: settingsFile({ ...onSlurm(), ...more }),
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
    const { exitCode, log } = await train('100', await pipeline(), NO_OWNCLOUD);
    expect(exitCode, log).toBe(0);
  });

  test('in the pipeline, when the training fails', async () => {
    const failing = { ...NO_OWNCLOUD, 'train.train-command': 'echo no such class; exit 3' };
    const { exitCode, log } = await train('101', await pipeline(), failing);
    expect(exitCode).toBe(1);
    expect(log).toContain('no such class');
  });

  test('in the pipeline, and a second one goes on from the checkpoint when the time of the first is up', async () => {
    const apache = await startApache();
    onTestFinished(() => apache.close());
    const kept = '$OUTPUT_DIR/checkpoint/checkpoint.pt';
    const stopped = `mkdir -p $OUTPUT_DIR/checkpoint; trap 'echo state >${kept}; exit 143' TERM; while true; do sleep 0.1; done`;
    const { exitCode, log } = await runWorkflow(await pipeline(), {
      inputs: { dataset: await dataset() },
      secrets: {
        GITHUB_TOKEN: api.jobToken,
        RUNNER_APP_KEY: api.app.privateKey,
        SSH_KEY: ssh.key,
        OWNCLOUD_PASSWORD: apache.password,
      },
      files: {
        [SETTINGS_PATH]: settingsFile({
          ...onSlurm(),
          publish: undefined,
          'owncloud.url': apache.url,
          'owncloud.username': apache.username,
          'train.retries': 1,
          'train.timeout-minutes': 0.2,
          'train.train-command': `if [ -e ${kept} ]; then echo going "on"; ${TRAIN}; exit 0; fi; ${stopped}`,
        }),
      },
      environment: await environmentOf('103'),
    });
    for (const name of ['diatom-103-1-model', 'diatom-103-1-model-retry-2']) expect(log).toContain(`${name} is gone.`);
    expect(log.match(/\| going on$/gm), log).toHaveLength(1);
    expect(log).toMatch(
      /another attempt of this run goes on from it[\s\S]*An earlier attempt of this training was cut/,
    );
    expect(exitCode, log).toBe(0);
    expect(await cluster.jobs()).toEqual([]);
    expect([...api.runners.values()]).toEqual([]);
    const [folder = ''] = await readdir(join(apache.directory, 'data sets', 'unpublished'));
    expect(await readdir(join(apache.directory, 'data sets', 'unpublished', folder))).toContain('model.pth');
    expect(await readdir(join(apache.directory, 'data sets', 'checkpoints'))).toEqual([]);
  });

  test('in jobs of one’s own, by the template, which also publishes the model', async () => {
    const apache = await startApache();
    onTestFinished(() => apache.close());
    const workflow = await readFile(join(TEMPLATES, 'train-on-gpu-server.yml'), 'utf8');
    const owncloud = { 'owncloud.url': apache.url, 'owncloud.username': apache.username };
    const { exitCode, log } = await train('102', workflow, owncloud, {
      inputs: { image: IMAGE },
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
  onTestFinished(async () => {
    // The machine that died had its containers in it; here, they are in ours.
    for (const name of await containersNamed('diatom-200-1-')) await run('docker', ['rm', '--force', name]);
  });
  const death = new AbortController();
  const files = (more: Readonly<Record<string, unknown>> = {}) => ({
    [SETTINGS_PATH]: settingsFile({
      ...settings,
      ...NO_OWNCLOUD,
      'gpu-server.driver': 'ec2',
      'gpu-server.aws-region': REGION,
      'gpu-server.ec2-ami': moto.ami,
      'gpu-server.ec2-instance-types': 'g6.xlarge',
      ...more,
    }),
  });
  const killed = await runWorkflow(await pipeline(), {
    inputs: { dataset: await dataset() },
    secrets,
    files: files({ 'train.train-command': 'echo epoch 1; sleep 600' }),
    environment: { ...awsEnvironment, ...(await environmentOf('200')) },
    onOutput: (text) => {
      if (/\| epoch 1$/m.test(text)) death.abort();
    },
    death: death.signal,
  });
  expect(death.signal.aborted, killed.log).toBe(true);
  expect(await states()).toEqual(['running']);
  expect(api.runnerNamed('diatom-200-1-model')).toMatchObject({ status: 'online' });

  api.runs.set('200', { status: 'completed', run_attempt: 1 });
  const reaped = await runWorkflow(await readFile(join(TEMPLATES, 'gpu-reaper.yml'), 'utf8'), {
    secrets,
    files: files(),
    environment: { ...awsEnvironment, ...(await environmentOf('201')) },
  });
  expect(reaped.exitCode, reaped.log).toBe(0);
  expect(reaped.log).toContain('diatom-200-1-model: stopped, its run is over');
  expect(await states()).toEqual(['terminated']);
  expect([...api.runners.values()]).toEqual([]);
  expect(reaped.leftovers).toEqual([]);
});
