import { chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { run } from '../helpers/commands.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil, startGpuServer } from '../helpers/gpu-server.ts';
import { type SlurmCluster, startSlurm } from '../helpers/slurm.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const GPUS = 8;
const SOON = { timeout: 60_000, interval: 500 };
/** Slurm looks at time limits every half minute, and gives a job `KillWait` to go. */
const PAST_THE_DEADLINE = { timeout: 240_000, interval: 1_000 };
/** The shortest that Slurm can: one minute. */
const SHORT = { 'lifetime-hours': '0.017', 'start-timeout-minutes': '1' };

let cluster: SlurmCluster;
let ssh: SshServer;
/** One for all runs: a start reaps what belongs to a run that GitHub does not know. */
let api: GithubApi;
const folders: string[] = [];

beforeAll(async () => {
  cluster = await startSlurm({ gpus: GPUS });
  ssh = await startSshd({ environment: cluster.environment });
  api = await startGithubApi();
});

afterAll(async () => {
  await cluster?.stop();
  await ssh?.stop();
  await api?.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A run of the workflow on a cluster of its own, as far as it can see. */
interface Case {
  readonly name: string;
  readonly work: string;
  readonly folder: string;
  action(mode: string, more?: Partial<GpuServerRun>): GpuServerRun;
  /** What is left of it in Slurm. */
  jobs(): Promise<string[]>;
  files(): string[];
}

async function aRun(
  runId: string,
  { inputs = {}, attempt = 1, env = {} }: Pick<Partial<GpuServerRun>, 'inputs' | 'attempt' | 'env'> = {},
): Promise<Case> {
  const folder = await mkdtemp(join(tmpdir(), 'slurm-action-'));
  api.runs.set(runId, { status: 'in_progress', run_attempt: attempt });
  folders.push(folder);
  const work = join(folder, 'runners');
  await mkdir(work);
  const name = `diatom-${runId}-${attempt}`;
  return {
    name,
    work,
    folder,
    action: (mode, more = {}) => ({
      workspace: folder,
      api,
      runId,
      attempt,
      env,
      ...more,
      inputs: {
        mode,
        driver: 'slurm',
        'runner-dir': STAND_IN,
        'slurm-work-dir': work,
        'lifetime-hours': '1',
        'stop-timeout-minutes': '1',
        ...ssh.inputs,
        ...inputs,
        ...more.inputs,
      },
    }),
    jobs: async () => (await cluster.jobs()).filter((job) => job.startsWith(`diatom-${runId}-`)),
    files: () => filesBelow(work).filter((file) => !/\/(log|repository|stopped)$/.test(file)),
  };
}

/** Nothing of it costs anything, and nothing of it is a secret. */
async function expectNothingLeft({ jobs, files, name }: Case): Promise<void> {
  expect(await jobs()).toEqual([]);
  expect(files()).toEqual([]);
  expect(api.runnerNamed(name)).toBeUndefined();
}

function giveJob({ name }: Case): Promise<void> {
  api.giveJob(name);
  return vi.waitFor(() => expect(api.runnerNamed(name)?.busy).toBe(true), SOON);
}

test('start, train, stop: the job stands while it is needed, and nothing is left of it', async () => {
  const one = await aRun('100', { inputs: { 'price-per-hour': '2' } });
  const started = await runGpuServer(one.action('start'));
  expect(started).toMatchObject({
    exitCode: 0,
    outputs: {
      name: one.name,
      label: one.name,
      'runs-on': JSON.stringify(['self-hosted', one.name]),
      deadline: expect.stringMatching(/^\d{4}-/),
    },
  });
  expect(await one.jobs()).toEqual([one.name]);
  await giveJob(one);
  api.finishJob(one.name);
  const stopped = await runGpuServer(one.action('stop'));
  expect(stopped).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  await expectNothingLeft(one);
});

test('the same on the login node itself, without ssh', async () => {
  const one = await aRun('101', {
    inputs: { 'ssh-host': '', 'ssh-user': '', 'ssh-key': '', 'ssh-known-hosts': '' },
    env: { ...cluster.environment },
  });
  expect(await runGpuServer(one.action('start'))).toMatchObject({ exitCode: 0 });
  await giveJob(one);
  expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  await expectNothingLeft(one);
});

test('runs at the same time do not meet', async () => {
  const runs = await Promise.all(['102', '103', '104'].map((id) => aRun(id)));
  const starts = await Promise.all(runs.map((one) => runGpuServer(one.action('start'))));
  expect(starts.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  const [first, ...others] = runs;
  if (!first) throw new Error('No run');
  await runGpuServer(first.action('stop'));
  await expectNothingLeft(first);
  for (const other of others) {
    expect(await other.jobs()).toEqual([other.name]);
    expect(api.runnerNamed(other.name)?.status).toBe('online');
    await runGpuServer(other.action('stop'));
    await expectNothingLeft(other);
  }
});

test('no secret is seen in Slurm, among the processes, in the log of the action or of the job', async () => {
  const one = await aRun('105');
  let jit = '';
  const started = await runGpuServer({
    ...one.action('start'),
    onOutput: (text) => {
      jit ||= /::add-mask::(ey[^\r\n]+)/.exec(text)?.[1] ?? '';
    },
  });
  expect(jit).not.toBe('');
  const [id = ''] = (await cluster.command('squeue', '--noheader', '--format=%i', `--name=${one.name}`)).split('\n');
  await cluster.command('scontrol', 'write', 'batch_script', id, join(one.folder, 'script'));
  const seen = [
    await cluster.command('scontrol', 'show', 'job', '--details', id),
    await readFile(join(one.folder, 'script'), 'utf8'),
    await readFile(join(one.work, one.name, 'log'), 'utf8'),
    await readFile(join(cluster.folder, 'slurmctld.log'), 'utf8'),
    await readFile(join(cluster.folder, 'slurmd-node1.log'), 'utf8'),
    await run('ps', ['-eww', '-o', 'args']),
    // What the runner of this step would show: it keeps commands to itself.
    (started.stdout + started.stderr).replaceAll(/^::.*$/gm, ''),
    JSON.stringify(started.outputs) + started.summary,
  ];
  const secrets = [jit, api.runnerToken, api.jobToken, ssh.key.split('\n')[1] ?? ''];
  for (const text of seen) for (const secret of secrets) expect(text).not.toContain(secret);
  await runGpuServer(one.action('stop'));
  await expectNothingLeft(one);
});

describe('a start that was killed, with nobody who stops anything: Slurm ends the job at its deadline', () => {
  test.concurrent.each([
    { point: 'before its runner was registered', line: POINTS.beforeRegistration, runId: '201' },
    { point: 'before the job was asked for', line: POINTS.beforeStart, runId: '202' },
    { point: 'after the job was asked for', line: POINTS.afterStart, runId: '203' },
    { point: 'while its runner was waited for', line: POINTS.waitingForRunner, runId: '204' },
  ])('$point', async ({ line, runId }) => {
    const one = await aRun(runId, { inputs: SHORT });
    expect(await runUntil(one.action('start'), line, 'SIGKILL')).toMatchObject({ exitCode: 137 });
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), PAST_THE_DEADLINE);
    expect(one.files()).toEqual([]);
    // What costs nothing, the registration, the reaper removes.
    api.runs.set(runId, { status: 'completed', run_attempt: 1 });
    expect(await runGpuServer(one.action('reap', { runId: '299' }))).toMatchObject({ exitCode: 0 });
    await expectNothingLeft(one);
  });

  test.concurrent('while it trains', async () => {
    const one = await aRun('205', { inputs: SHORT });
    await runGpuServer(one.action('start'));
    await giveJob(one);
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), PAST_THE_DEADLINE);
    await expectNothingLeft(one);
  });

  test.concurrent('and earlier, when its runner gets no job', async () => {
    const one = await aRun('206', { inputs: { 'pick-up-minutes': '0.1' } });
    await runUntil(one.action('start'), POINTS.afterStart, 'SIGKILL');
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), SOON);
    expect(one.files()).toEqual([]);
  });

  test.concurrent('and also when the stop was killed', async () => {
    const one = await aRun('208', { inputs: SHORT });
    await runGpuServer(one.action('start'));
    await giveJob(one);
    await runUntil(one.action('stop'), POINTS.beforeStop, 'SIGKILL');
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), PAST_THE_DEADLINE);
    await expectNothingLeft(one);
  });

  test.concurrent('and while the job queues, which never begins', async () => {
    // All GPUs at once are not free while somebody uses one.
    await cluster.command('sbatch', '--gres=gpu:1', '--time=600', '--output=/dev/null', '--wrap=sleep 3600');
    const one = await aRun('207', { inputs: { ...SHORT, 'slurm-gres': `gpu:${GPUS}` } });
    await runUntil(one.action('start'), POINTS.waitingForRunner, 'SIGKILL');
    expect(await one.jobs()).toEqual([one.name]);
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), PAST_THE_DEADLINE);
    // Nobody was there to remove the configuration; whoever looks for left-overs later does.
    const file = join(one.work, one.name, 'jit');
    const earlier = new Date(Date.now() - 15 * 60_000);
    await utimes(file, earlier, earlier);
    api.runs.set('207', { status: 'completed', run_attempt: 1 });
    // Slurm goes on listing a job for a moment that is over.
    await vi.waitFor(async () => {
      await runGpuServer(one.action('reap', { runId: '299' }));
      await expectNothingLeft(one);
    }, SOON);
  });
});

describe('a start that was killed', () => {
  const points = [
    { point: 'before its runner was registered', line: POINTS.beforeRegistration },
    { point: 'before the job was asked for', line: POINTS.beforeStart },
    { point: 'after the job was asked for', line: POINTS.afterStart },
    { point: 'while its runner was waited for', line: POINTS.waitingForRunner },
  ];

  test.each(points)('$point is ended by a stop that knows nothing of it', async ({ line }) => {
    const one = await aRun('301');
    await runUntil(one.action('start'), line, 'SIGKILL');
    expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    await expectNothingLeft(one);
  });

  test.each(points)('$point is ended by its post step', async ({ line }) => {
    const one = await aRun('302');
    const { state } = await runUntil(one.action('start'), line, 'SIGKILL');
    expect(await runGpuServer(one.action('start', { state }))).toMatchObject({ exitCode: 0 });
    await expectNothingLeft(one);
  });

  test('after the job was asked for is reaped, once its run is over, by the next start', async () => {
    const one = await aRun('303');
    await runUntil(one.action('start'), POINTS.waitingForRunner, 'SIGKILL');
    const kept = await runGpuServer(one.action('reap', { runId: '399' }));
    expect(kept.summary).toContain('its run goes on');
    expect(await one.jobs()).toEqual([one.name]);
    api.runs.set('303', { status: 'completed', run_attempt: 1 });
    const next = await runGpuServer(one.action('start', { runId: '304' }));
    expect(next.stdout).toContain('diatom-303-1: stopped, its run is over');
    expect(await cluster.jobs()).toContain('diatom-304-1');
    await runGpuServer(one.action('stop', { runId: '304' }));
    await expectNothingLeft(one);
  });

  test('while sbatch was at work leaves no job, though the stop comes before it', async () => {
    const one = await aRun('305', {
      inputs: { 'ssh-host': '', 'ssh-user': '', 'ssh-key': '', 'ssh-known-hosts': '' },
    });
    const sbatch = (await run('which', ['sbatch'])).trim();
    const slow = join(one.folder, 'slow');
    await mkdir(slow);
    await writeFile(
      join(slow, 'sbatch'),
      `#!/bin/sh\ntouch ${one.folder}/sent\nsleep 6\n${sbatch} "$@"\ncode=$?\ntouch ${one.folder}/taken\nexit $code\n`,
    );
    await chmod(join(slow, 'sbatch'), 0o755);
    const env = { ...cluster.environment, PATH: `${slow}${delimiter}${process.env['PATH']}` };
    const action = startGpuServer(one.action('start', { env }));
    await vi.waitFor(() => stat(join(one.folder, 'sent')), SOON);
    action.kill('SIGKILL');
    await action.result;
    expect(await runGpuServer(one.action('stop', { env }))).toMatchObject({ exitCode: 0 });
    await vi.waitFor(() => stat(join(one.folder, 'taken')), SOON);
    await vi.waitFor(async () => expect(await one.jobs()).toEqual([]), SOON);
    await expectNothingLeft(one);
  });
});

describe('cancelled as a runner cancels', () => {
  test.each([
    { point: 'before the job is asked for', line: POINTS.beforeStart, partition: '' },
    { point: 'while its runner is waited for', line: POINTS.waitingForRunner, partition: '' },
    { point: 'while the job queues', line: /job \d+ waits: the partition is closed/, partition: 'closed' },
  ])('$point, a start stops it, and its post step makes sure', async ({ line, partition }) => {
    const one = await aRun('401', { inputs: { 'slurm-partition': partition } });
    const cancelled = await runUntil(one.action('start'), line, 'cancel');
    expect(cancelled.exitCode).not.toBe(0);
    await runGpuServer(one.action('start', { state: cancelled.state }));
    await expectNothingLeft(one);
  });
});

describe('a stop that was killed', () => {
  test.each([
    { point: 'before it had begun', line: POINTS.beforeStop },
    { point: 'while it waited', line: POINTS.duringStop },
  ])('$point is finished by the next, and by its post step', async ({ line }) => {
    for (const mode of ['stop', 'post']) {
      const one = await aRun('501');
      await runGpuServer(one.action('start'));
      await giveJob(one);
      const { state } = await runUntil(one.action('stop'), line, 'SIGKILL');
      const next = await runGpuServer(one.action('stop', mode === 'post' ? { state } : {}));
      expect(next).toMatchObject({ exitCode: 0 });
      await expectNothingLeft(one);
    }
  });
});

test('a stop while Slurm does not answer is red, and says what to do by hand', async () => {
  const one = await aRun('601', { inputs: { 'stop-timeout-minutes': '0.2' } });
  await runGpuServer(one.action('start'));
  await cluster.stopController();
  try {
    const result = await runGpuServer(one.action('stop'));
    expect(result).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
    expect(result.stdout).toMatch(/diatom-601-1 may still run and cost money.*Unable to contact slurm controller/);
    expect(result.stdout).toMatch(/scancel.*If you don’t: Slurm ends the job \(--time\)/);
  } finally {
    await cluster.startController();
  }
  expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0 });
  await expectNothingLeft(one);
});

test('a stop ends what an earlier attempt of the run has left, and no other run’s', async () => {
  const [earlier, other] = [await aRun('602'), await aRun('603')];
  await runUntil(earlier.action('start'), POINTS.waitingForRunner, 'SIGKILL');
  await runGpuServer(other.action('start'));
  expect(await runGpuServer(earlier.action('stop', { attempt: 2 }))).toMatchObject({ exitCode: 0 });
  await expectNothingLeft(earlier);
  expect(await other.jobs()).toEqual([other.name]);
  await runGpuServer(other.action('stop'));
});

test('a start shows why the job queues, and when it can’t begin in time it is stopped and says so', async () => {
  const one = await aRun('604', { inputs: { 'slurm-partition': 'closed', 'start-timeout-minutes': '0.1' } });
  const result = await runGpuServer(one.action('start'));
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toMatch(
    /diatom-604-1: waiting: job \d+ waits: the partition is closed at the moment \(PartitionDown\)/,
  );
  expect(result.stdout).toMatch(/Waited 6 s for the runner diatom-604-1.*waiting: job \d+ waits/);
  await expectNothingLeft(one);
});

test('a start whose job fails is red with the last lines of its log', async () => {
  const one = await aRun('605', { inputs: { 'slurm-setup': 'module load no-such-module || exit 1' } });
  const result = await runGpuServer(one.action('start'));
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toMatch(/diatom-605-1 ended before its runner was online .*FAILED.*Its last lines:/);
  expect(result.stdout).toContain('module');
  await expectNothingLeft(one);
});

test('a start that Slurm refuses is red with what it said, and leaves no registration', async () => {
  const one = await aRun('606', { inputs: { 'slurm-gres': 'gpu:99' } });
  const result = await runGpuServer(one.action('start'));
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toMatch(/Slurm did not take the job of diatom-606-1 on 127\.0\.0\.1.*Check slurm-gres/);
  await expectNothingLeft(one);
});

test('status says whether a start could work, and starts nothing', async () => {
  const one = await aRun('607');
  expect(await runGpuServer(one.action('status'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  await expectNothingLeft(one);
});
