import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Driver, StartRequest } from '../../src/gpu-server/driver.ts';
import { type Host, openHost } from '../../src/gpu-server/host.ts';
import { openSlurm } from '../../src/gpu-server/slurm-driver.ts';
import type { SlurmSettings } from '../../src/gpu-server/slurm-inputs.ts';
import { slurmScript } from '../../src/gpu-server/slurm-script.ts';
import { run } from '../helpers/commands.ts';
import { failureOf } from '../helpers/failure.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { setEnvironment } from '../helpers/runner.ts';
import { type SlurmCluster, startSlurm } from '../helpers/slurm.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const REPOSITORY = 'example/diatoms';
const NAME = 'diatom-1-1';
/** Each has one GPU. */
const NODES = 2;
const SOON = { timeout: 60_000, interval: 250 };

let cluster: SlurmCluster;
let ssh: SshServer;
let api: GithubApi;
let folder: string;
let work: string;
let host: Host;

beforeAll(async () => {
  cluster = await startSlurm({ nodes: NODES, gpus: 1 });
  ssh = await startSshd({ environment: cluster.environment });
});

afterAll(async () => {
  await cluster?.stop();
  await ssh?.stop();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slurm-driver-'));
  work = join(folder, 'runners');
  api = await startGithubApi();
  host = await openHost({ ...ssh, jump: undefined }, context());
});

afterEach(async () => {
  await cluster.cancelAll();
  await api.close();
  await host.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a start', () => {
  it('makes a job whose runner comes online, and nothing of it is secret', async () => {
    const request = await aStart();
    await slurm({ setup: `echo "This is slurm-setup on $(hostname)."` }).start(request);
    await online(NAME);
    expect(await slurm().status(NAME)).toMatchObject({
      state: 'running',
      detail: expect.stringMatching(/^job \d+ runs on .+ until .+ UTC at the latest$/),
      runningSince: expect.any(Date),
    });
    const log = await (await slurm().status(NAME)).lastLines();
    expect(log).toContain('This is slurm-setup on');
    expect(log).toContain('The runner is started.');
    await expectNoSecret(jitOf(request));
    expect(await readdir(join(work, NAME))).not.toContain('jit');
  });

  it('keeps the configuration of a job that queues in a file that nobody else can read', async () => {
    await occupyGpus();
    const request = await aStart();
    await slurm().start(request);
    const file = join(work, NAME, 'jit');
    expect(await readFile(file, 'utf8')).toBe(`${jitOf(request)}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(work, NAME))).mode & 0o777).toBe(0o700);
    await vi.waitFor(
      async () =>
        expect(await slurm().status(NAME)).toMatchObject({
          state: 'waiting',
          detail: expect.stringMatching(/^job \d+ waits: the GPUs it asks for are taken \(Resources\)/),
          runningSince: undefined,
        }),
      SOON,
    );
    await expectNoSecret(jitOf(request));
  });

  it('that is repeated finds the job of the first, also while that queues', async () => {
    await occupyGpus();
    const request = await aStart();
    for (let count = 0; count < 3; count++) await slurm().start(request);
    expect(await jobIds()).toHaveLength(1);
    await cluster.command('scancel', '--name=occupies');
    await online(NAME);
    await slurm().start(request);
    expect(await jobIds()).toHaveLength(1);
    expect(await readdir(join(work, NAME))).not.toContain('jit');
  });

  it('that is made several times at once makes one runner', async () => {
    const request = await aStart();
    await Promise.all(Array.from({ length: 4 }, () => slurm().start(request)));
    await online(NAME);
    expect((await cluster.command('squeue', '--noheader', '--states=RUNNING', `--name=${NAME}`)).trim()).toMatch(
      /^.+$/,
    );
    await slurm().stop(NAME);
    await gone(NAME);
    expect(await jobIds()).toEqual([]);
  });

  it('does not meet that of another run', async () => {
    const names = ['diatom-1-1', 'diatom-1-2'];
    for (const name of names) await slurm().start(await aStart({ name }));
    await Promise.all(names.map(online));
    await slurm().stop('diatom-1-1');
    await gone('diatom-1-1');
    expect(await slurm().status('diatom-1-2')).toMatchObject({ state: 'running' });
    expect(api.runnerNamed('diatom-1-2')?.status).toBe('online');
  });

  it('with slurm-nodes asks for so many machines, each with its GPU, and makes one runner', async () => {
    await slurm({ nodes: NODES }).start(await aStart());
    await online(NAME);
    const [nodes, list] = (await cluster.command('squeue', '--noheader', '--format=%D %N', `--name=${NAME}`)).split(
      ' ',
    );
    expect([nodes, list?.trim()]).toEqual([String(NODES), 'node[1-2]']);
    await slurm().stop(NAME);
    await gone(NAME);
    expect(await jobIds()).toEqual([]);
  });

  it('gives the job nothing of the environment that it is made in', async () => {
    const local = await openHost(undefined, context());
    setEnvironment({ ...cluster.environment, 'INPUT_RUNNER-TOKEN': 'a-secret', ACTIONS_RUNTIME_TOKEN: 'a-secret' });
    await slurm({ host: local, setup: `env >${folder}/environment` }).start(await aStart());
    await online(NAME);
    const environment = await readFile(join(folder, 'environment'), 'utf8');
    expect(environment).toContain(`SLURM_JOB_NAME=${NAME}`);
    expect(environment).not.toContain('a-secret');
  });

  it.each<[string, Partial<SlurmSettings>, string]>([
    ['partition', { partition: 'none' }, 'Check slurm-partition'],
    ['GPU', { gres: 'tpu:1' }, 'Check slurm-gres'],
    ['number of GPUs', { gres: 'gpu:9' }, 'Check slurm-gres'],
    ['option', { options: ['--no-such-option'] }, 'no-such-option'],
  ])('with a wrong %s says what Slurm says, what to do, and leaves no configuration', async (_, settings, words) => {
    const { code, message } = await failureOf(slurm(settings).start(await aStart()));
    expect(code).toBe('SERVER');
    expect(message).toContain(`Slurm did not take the job of ${NAME} on 127.0.0.1: `);
    expect(message).toContain(words);
    expect(await filesBelow(work)).toEqual([]);
  });

  it('on a machine without Slurm says so', async () => {
    const none: Host = {
      ...host,
      run: (command, options) => host.run(`PATH=/none\n${command.replace('/etc/profile', '/dev/null')}`, options),
    };
    const { message } = await failureOf(slurm({ host: none }).start(await aStart()));
    expect(message).toContain('There is no command sbatch. Slurm’s commands are needed on that machine');
  });
});

describe('a job', () => {
  it('whose slurm-setup fails leaves no configuration behind, and tells why', async () => {
    await slurm({ setup: 'echo "module: command not found"; exit 3' }).start(await aStart());
    await gone(NAME);
    const status = await slurm().status(NAME);
    expect(status.detail).toMatch(/has ended: FAILED \(NonZeroExitCode\)/);
    expect(await status.lastLines()).toBe('module: command not found');
    expect((await readdir(join(work, NAME))).toSorted()).toEqual(['log', 'repository']);
  });

  it('is ended by Slurm when its time is up, though its runner refuses to go', async () => {
    const directory = join(folder, 'stubborn');
    await mkdir(directory);
    await writeFile(join(directory, 'run.sh'), `#!/bin/bash\ntrap '' INT TERM\ntouch ${folder}/begun\nsleep 1000\n`);
    await chmod(join(directory, 'run.sh'), 0o755);
    await slurm().start(await aStart({ maxMinutes: 1, directory }));
    await vi.waitFor(() => stat(join(folder, 'begun')), SOON);
    expect(await cluster.command('squeue', '--noheader', '--format=%l', `--name=${NAME}`)).toBe('1:00\n');
    await vi.waitFor(async () => expect(await jobIds()).toEqual([]), { timeout: 200_000, interval: 1_000 });
    await vi.waitFor(async () => expect(await run('ps', ['-eo', 'args'])).not.toContain('sleep 1000'), SOON);
  });

  it('that can’t begin while anybody waits for it is taken off the queue', async () => {
    await occupyGpus();
    await slurm({ queueMinutes: 1 }).start(await aStart({ maxMinutes: 1 }));
    expect(await jobIds()).toHaveLength(1);
    await vi.waitFor(async () => expect(await jobIds()).toEqual([]), { timeout: 200_000, interval: 1_000 });
  });
});

describe('a stop', () => {
  it('ends a job that runs: its runner signs off and only the log stays', async () => {
    await slurm().start(await aStart());
    await online(NAME);
    await slurm().stop(NAME);
    await gone(NAME);
    expect(api.runnerNamed(NAME)?.status).toBe('offline');
    expect(await filesBelow(work)).toEqual([`${NAME}/log`, `${NAME}/repository`, `${NAME}/stopped`]);
  });

  it('ends a job that queues, with its configuration', async () => {
    await occupyGpus();
    await slurm().start(await aStart());
    await slurm().stop(NAME);
    await gone(NAME);
    expect(await filesBelow(work)).toEqual([`${NAME}/repository`, `${NAME}/stopped`]);
  });

  it('can be repeated, and is fine with nothing', async () => {
    await slurm().stop(NAME);
    await slurm().stop(NAME);
    expect((await slurm().status(NAME)).state).toBe('gone');
  });

  it('also ends a job that is still on its way', async () => {
    // A session in which sbatch takes its time.
    const slow = join(folder, 'slow');
    await mkdir(slow);
    const sbatch = (await run('which', ['sbatch'])).trim();
    await writeFile(join(slow, 'sbatch'), `#!/bin/sh\ntouch ${folder}/sent\nsleep 3\nexec ${sbatch} "$@"\n`);
    await chmod(join(slow, 'sbatch'), 0o755);
    const path = `PATH=${slow}${delimiter}$PATH`;
    const late: Host = { ...host, run: (command, options) => host.run(`${path}\n${command}`, options) };
    const started = slurm({ host: late }).start(await aStart());
    await vi.waitFor(() => stat(join(folder, 'sent')), SOON);
    await slurm().stop(NAME);
    await started;
    await gone(NAME);
    expect(api.runnerNamed(NAME)?.status).toBe('offline');
    expect(await filesBelow(work)).not.toContain(`${NAME}/jit`);
  });

  it('does not keep the same run from starting again', async () => {
    await slurm().start(await aStart());
    await online(NAME);
    await slurm().stop(NAME);
    await gone(NAME);
    await removeRegistration();
    await slurm().start(await aStart());
    await online(NAME);
  });
});

describe('a list', () => {
  it('has the jobs of this repository alone', async () => {
    await slurm().start(await aStart());
    await slurm().start(await aStart({ name: 'diatom-2-1', repository: 'example/other' }));
    await cluster.command('sbatch', '--job-name=diatom-analysis', '--wrap=sleep 100', '--output=/dev/null');
    await vi.waitFor(
      async () =>
        expect(await slurm().list()).toEqual([
          { name: NAME, state: 'running', detail: expect.stringContaining('runs on'), deadline: expect.any(Date) },
        ]),
      SOON,
    );
    const [job] = await slurm().list();
    const minutes = ((job?.deadline?.getTime() ?? 0) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(50);
    expect(minutes).toBeLessThan(60);
  });

  it('knows its jobs by name and folder where the cluster overwrites their comment', async () => {
    await slurm().start(await aStart());
    await slurm().start(await aStart({ name: 'diatom-2-1', repository: 'example/other' }));
    for (const id of (await cluster.command('squeue', '--noheader', '--format=%i')).split('\n').filter(Boolean)) {
      await cluster.command('scontrol', 'update', `JobId=${id}`, 'Comment=project 4711');
    }
    expect((await slurm().list()).map(({ name }) => name)).toEqual([NAME]);
  });

  it('tidies up after a job that was ended by force, and leaves what is somebody’s', async () => {
    const [dead, logged, others, own] = ['diatom-7-1', 'diatom-8-1', 'diatom-results', NAME].map((name) =>
      join(work, name),
    );
    if (!dead || !logged || !others || !own) throw new Error('No folders');
    await slurm().start(await aStart());
    await online(NAME);
    await mkdir(join(dead, 'runner-abc'), { recursive: true });
    for (const file of ['jit', 'log', 'runner-abc/.credentials']) await writeFile(join(dead, file), 'x');
    await mkdir(logged);
    await mkdir(others);
    for (const file of [join(logged, 'log'), join(others, 'log'), join(others, 'jit')]) await writeFile(file, 'x');
    const old = new Date(Date.now() - 8 * 86_400_000);
    for (const path of [join(dead, 'jit'), join(dead, 'runner-abc'), logged, join(others, 'jit'), others]) {
      await utimes(path, old, old);
    }
    await utimes(own, old, old);
    await slurm().list();
    expect(await filesBelow(dead)).toEqual(['log']);
    expect(await readdir(work)).not.toContain('diatom-8-1');
    expect((await filesBelow(others)).toSorted()).toEqual(['jit', 'log']);
    expect(await readdir(own)).toContainEqual(expect.stringMatching(/^runner-/));
  });
});

describe('a controller that does not answer', () => {
  it('makes a job neither gone nor stopped', async () => {
    await slurm().start(await aStart());
    await online(NAME);
    await cluster.stopController();
    try {
      expect(await slurm().status(NAME)).toMatchObject({
        state: 'unknown',
        detail: expect.stringContaining('Slurm on 127.0.0.1 does not answer:'),
      });
      const stopped = await failureOf(slurm().stop(NAME));
      expect(stopped.message).toContain(`The job of ${NAME} could not be stopped on 127.0.0.1:`);
      expect(stopped.message).toContain('try again later');
      expect(stopped.message).toContain(`“scancel --name=${NAME}”`);
      await failureOf(slurm().list());
      const started = await failureOf(slurm().start(await aStart({ name: 'diatom-2-1' })));
      expect(started.message).toContain('try again later');
    } finally {
      await cluster.startController();
    }
    await slurm().stop(NAME);
    await gone(NAME);
  });
});

it('the whole job is a script that shellcheck has nothing to say about', async () => {
  const file = join(folder, 'job.sh');
  const software = { url: 'https://example.org/runner', sha256: 'a'.repeat(64), version: '2.340.0' };
  await writeFile(file, slurmScript('module load apptainer', { software, pickUpMinutes: 15 }));
  await run('shellcheck', ['--severity=warning', '--exclude=SC1112', file], {
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
});

function context() {
  return {
    signal: new AbortController().signal,
    env: {},
    temporary: folder,
    limits: { answerMs: 30_000, stopMs: 30_000, startMs: 30_000 },
    repository: REPOSITORY,
    onWarning: (message: string) => expect.unreachable(message),
  };
}

function slurm(settings: Partial<SlurmSettings & { host: Host }> = {}): Driver {
  return openSlurm(
    {
      host,
      partition: '',
      account: '',
      gres: 'gpu:1',
      nodes: 1,
      cpus: undefined,
      memory: '',
      options: [],
      setup: '',
      workDir: work,
      queueMinutes: 30,
      ...settings,
    },
    context(),
  );
}

/** A start with a runner that is registered, unless one of that name is. */
async function aStart({
  name = NAME,
  repository = REPOSITORY,
  maxMinutes = 60,
  directory = STAND_IN,
}: {
  name?: string;
  repository?: string;
  maxMinutes?: number;
  directory?: string;
} = {}): Promise<StartRequest> {
  const response = await fetch(`${api.url}/repos/example/diatoms/actions/runners/generate-jitconfig`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.runnerToken}` },
    body: JSON.stringify({ name, runner_group_id: 1, labels: [name] }),
  });
  const { encoded_jit_config: jitConfig }: { encoded_jit_config: string } = JSON.parse(await response.text());
  return { name, repository, maxMinutes, runner: { jitConfig, software: { directory }, pickUpMinutes: 30 } };
}

function jitOf({ runner }: StartRequest): string {
  if (!runner) throw new Error('No runner');
  return runner.jitConfig;
}

async function removeRegistration(): Promise<void> {
  const runner = api.runnerNamed(NAME);
  if (runner) api.runners.delete(runner.id);
}

function online(name: string): Promise<void> {
  return vi.waitFor(() => expect(api.runnerNamed(name)?.status).toBe('online'), SOON);
}

function gone(name: string): Promise<void> {
  return vi.waitFor(async () => expect((await slurm().status(name)).state).toBe('gone'), SOON);
}

/** Takes all GPUs away, until the end of the test. */
async function occupyGpus(): Promise<void> {
  const options = ['--job-name=occupies', `--nodes=${NODES}`, '--gres=gpu:1', '--time=60', '--output=/dev/null'];
  await cluster.command('sbatch', ...options, '--wrap=sleep 3600');
  await vi.waitFor(
    async () =>
      expect(await cluster.command('squeue', '--noheader', '--format=%T', '--name=occupies')).toBe('RUNNING\n'),
    SOON,
  );
}

async function jobIds(): Promise<string[]> {
  const text = await cluster.command('squeue', '--noheader', '--format=%i', `--name=${NAME}`);
  return text.split('\n').filter((line) => line !== '');
}

/** Looks where other users of the cluster could. */
async function expectNoSecret(secret: string): Promise<void> {
  const [id = ''] = await jobIds();
  await cluster.command('scontrol', 'write', 'batch_script', id, join(folder, 'batch-script'));
  const seen = [
    await cluster.command('scontrol', 'show', 'job', '--details', id),
    await readFile(join(folder, 'batch-script'), 'utf8'),
    await run('ps', ['-eww', '-o', 'args']),
    await (await slurm().status(NAME)).lastLines(),
    await readFile(join(cluster.folder, 'slurmctld.log'), 'utf8'),
    await readFile(join(cluster.folder, 'slurmd-node1.log'), 'utf8'),
  ];
  for (const text of seen) expect(text).not.toContain(secret);
}
