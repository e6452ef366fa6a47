import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { bootWhatIsLaunched, type MachineRoom } from '../helpers/ec2-machine.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil, startGpuServer } from '../helpers/gpu-server.ts';
import { type AwsRequest, type Moto, startMoto } from '../helpers/moto.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const REGION = 'eu-central-1';
const SOON = { timeout: 60_000, interval: 500 };
/** About half a minute, counted from the machine's boot. */
const SHORT = { 'lifetime-hours': '0.008' };

let base: string;
/** A runner that is installed, and never gets online. */
let slowRunner: string;
let moto: Moto;
let room: MachineRoom;
/** One for all runs, which go on at the same time as far as it knows: each start reaps what no live run owns. */
let api: GithubApi;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ec2-action-'));
  slowRunner = join(base, 'slow-runner');
  await mkdir(slowRunner);
  await writeFile(join(slowRunner, 'run.sh'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  moto = await startMoto();
  room = bootWhatIsLaunched(moto);
  api = await startGithubApi();
});

afterAll(async () => {
  await room?.close();
  await moto?.close();
  await api?.close();
  await rm(base, { recursive: true, force: true });
});

/** A run of the workflow. */
interface Case {
  readonly name: string;
  action(mode: string, more?: Partial<GpuServerRun>): GpuServerRun;
  /** States of the instances of its name; an instance that was terminated stays in sight for a while. */
  states(): Promise<string[]>;
  /** Whether a request is the launch of this one’s instance. */
  isLaunch(request: AwsRequest): boolean;
}

async function aRun(runId: string, inputs: Readonly<Record<string, string>> = {}): Promise<Case> {
  const workspace = await mkdtemp(join(base, 'workspace-'));
  api.runs.set(runId, { status: 'in_progress', run_attempt: 1 });
  const name = `diatom-${runId}-1`;
  return {
    name,
    action: (mode, more = {}) => ({
      workspace,
      api,
      runId,
      ...more,
      env: { ...moto.env, ...more.env },
      inputs: {
        mode,
        driver: 'ec2',
        'runner-dir': STAND_IN,
        'ec2-regions': REGION,
        'ec2-ami': moto.ami,
        'ec2-instance-types': 'g6.xlarge',
        'lifetime-hours': '1',
        'stop-timeout-minutes': '1',
        ...inputs,
        ...more.inputs,
      },
    }),
    states: async () =>
      (await moto.instances(REGION)).filter((one) => one.tag('diatom:name') === name).map((one) => one.State.Name),
    isLaunch: ({ action, parameters }) => action === 'RunInstances' && [...parameters.values()].includes(name),
  };
}

async function expectNothingLeft({ states, name }: Case): Promise<void> {
  for (const state of await states()) expect(state).toBe('terminated');
  expect(api.runnerNamed(name)).toBeUndefined();
}

/** Nobody ends it but the machine itself, whose instance EC2 then terminates. */
async function expectToEndItself({ name, states }: Case): Promise<void> {
  expect(await room.machineOf(name)?.isOff).toBe('shutdown');
  expect(await states()).toEqual(['terminated']);
}

function giveJob({ name }: Case): Promise<void> {
  api.giveJob(name);
  return vi.waitFor(() => expect(api.runnerNamed(name)?.busy).toBe(true), SOON);
}

/** Kills the start while its request for an instance is under way: then, or when EC2 has made it and not answered yet. */
async function killAtLaunch(one: Case, when: 'before' | 'after', signal: NodeJS.Signals = 'SIGKILL') {
  let isDone = () => {};
  const done = new Promise<void>((resolve) => {
    isDone = resolve;
  });
  const action = startGpuServer(one.action('start'));
  moto.onRequest((request, now) => {
    if (!one.isLaunch(request)) return;
    if (now === when) action.kill(signal);
    if (now === 'after') isDone();
  });
  // What the program was told, it carries out, even when nobody is there any more to hear of it.
  const [result] = await Promise.all([action.result, done]);
  return result;
}

test('start, train, stop: the instance stands while it is needed, ends with its runner, and nothing is left', async () => {
  const priced = { 'ec2-market': 'spot', 'max-price': '2', currency: 'USD' };
  const one = await aRun('100', { gpu: 'L4', 'ec2-instance-types': '', ...priced });
  const started = await runGpuServer(one.action('start'));
  expect(started).toMatchObject({ exitCode: 0, outputs: { name: one.name, label: one.name } });
  expect(moto.requests.find(one.isLaunch)?.parameters.get('InstanceType')).toBe('g6.xlarge');
  expect(room.machineOf(one.name)?.log()[0]).toMatch(/^shutdown -P \+60 /);
  expect(await one.states()).toEqual(['running']);
  await giveJob(one);
  api.finishJob(one.name);
  expect(await room.machineOf(one.name)?.isOff).toBe('shutdown');
  expect(await one.states()).toEqual(['terminated']);
  const stopped = await runGpuServer(one.action('stop'));
  expect(stopped).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  expect(stopped.summary).toMatch(/`diatom-100-1` \| gone \| 0\.\d+ h \| 0\.\d+ h × 0\.0000 USD = 0\.0000 USD/);
  await expectNothingLeft(one);
});

test('a stop ends an instance whose runner is at work', async () => {
  const one = await aRun('101', { 'price-per-hour': '2' });
  const started = await runGpuServer(one.action('start'));
  await giveJob(one);
  const stopped = await runGpuServer(one.action('stop'));
  expect(stopped).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  expect(await one.states()).toEqual(['terminated']);
  const jit = /::add-mask::(ey[^\r\n]+)/.exec(started.stdout)?.[1] ?? '';
  expect(jit).not.toBe('');
  // The line that hides it is the only one that has it.
  expect(started.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(jit);
});

describe('a start that was killed, with nobody who stops anything: the instance ends at its deadline', () => {
  test.concurrent.each(['before', 'after'] as const)('in its request for an instance, %s EC2 made it', async (when) => {
    const one = await aRun(when === 'before' ? '201' : '202', SHORT);
    expect(await killAtLaunch(one, when)).toMatchObject({ exitCode: 137 });
    expect(await one.states()).toEqual(['running']);
    await expectToEndItself(one);
  });

  test.concurrent('while its runner was waited for', async () => {
    const one = await aRun('203', { ...SHORT, 'runner-dir': slowRunner });
    await runUntil(one.action('start'), POINTS.waitingForRunner, 'SIGKILL');
    await expectToEndItself(one);
  });

  test.concurrent('and while it trains', async () => {
    const one = await aRun('204', { 'lifetime-hours': '0.014' });
    await runGpuServer(one.action('start'));
    await giveJob(one);
    await expectToEndItself(one);
  });

  test.concurrent('and earlier, when its runner gets no job', async () => {
    const one = await aRun('205', { 'pick-up-minutes': '0.1' });
    await killAtLaunch(one, 'after');
    await expectToEndItself(one);
  });
});

describe('a start that was killed', () => {
  test.concurrent.each([
    { point: 'before its runner was registered', line: POINTS.beforeRegistration, runId: '300' },
    { point: 'while its runner was waited for', line: POINTS.waitingForRunner, runId: '301' },
  ])('$point is ended by a stop that knows nothing of it', async ({ line, runId }) => {
    const one = await aRun(runId, { 'runner-dir': slowRunner });
    await runUntil(one.action('start'), line, 'SIGKILL');
    expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    await expectNothingLeft(one);
  });

  test.concurrent('after EC2 had made the instance is ended by its post step', async () => {
    const one = await aRun('302');
    const { state } = await killAtLaunch(one, 'after');
    expect(await runGpuServer(one.action('start', { state }))).toMatchObject({ exitCode: 0 });
    expect(await one.states()).toEqual(['terminated']);
    await expectNothingLeft(one);
  });

  test.concurrent('leaves an instance that comes into being after its stop, which ends itself: its registration is gone', async () => {
    const one = await aRun('303');
    let isStopped = () => {};
    const stopped = new Promise<void>((resolve) => {
      isStopped = resolve;
    });
    const killed = killAtLaunch(one, 'before');
    moto.onRequest((request, when) => (one.isLaunch(request) && when === 'before' ? stopped : undefined));
    await vi.waitFor(() => expect(moto.requests.some(one.isLaunch)).toBe(true), SOON);
    const stop = await runGpuServer(one.action('stop'));
    expect(stop).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    isStopped();
    await killed;
    await expectToEndItself(one);
    await expectNothingLeft(one);
  });

  test.concurrent('is reaped once its run is over, and not while it goes on', async () => {
    const one = await aRun('304');
    await killAtLaunch(one, 'after');
    const kept = await runGpuServer(one.action('reap', { runId: '399' }));
    expect(kept.summary).toContain('its run goes on');
    expect(await one.states()).toEqual(['running']);
    api.runs.set('304', { status: 'completed', run_attempt: 1 });
    expect(await runGpuServer(one.action('reap', { runId: '399' }))).toMatchObject({ exitCode: 0 });
    expect(await one.states()).toEqual(['terminated']);
    await expectNothingLeft(one);
  });

  test.concurrent('is reaped by the next start', async () => {
    const one = await aRun('305');
    await killAtLaunch(one, 'after');
    api.runs.set('305', { status: 'completed', run_attempt: 1 });
    api.runs.set('306', { status: 'in_progress', run_attempt: 1 });
    const next = await runGpuServer(one.action('start', { runId: '306' }));
    expect(next.stdout).toContain('diatom-305-1: stopped, its run is over');
    expect(await one.states()).toEqual(['terminated']);
    expect(await runGpuServer(one.action('stop', { runId: '306' }))).toMatchObject({ exitCode: 0 });
  });
});

describe('cancelled as a runner cancels', () => {
  test.concurrent('in its request for an instance, a start waits for the answer and stops it', async () => {
    const one = await aRun('401');
    const cancelled = await killAtLaunch(one, 'before', 'SIGINT');
    expect(cancelled.exitCode).not.toBe(0);
    expect(await one.states()).toEqual(['terminated']);
    expect(api.runnerNamed(one.name)).toBeUndefined();
  });

  test.concurrent('while its runner is waited for, a start stops it, and its post step makes sure', async () => {
    const one = await aRun('402', { 'runner-dir': slowRunner });
    const cancelled = await runUntil(one.action('start'), POINTS.waitingForRunner, 'cancel');
    expect(cancelled.exitCode).not.toBe(0);
    await runGpuServer(one.action('start', { state: cancelled.state }));
    expect(await one.states()).toEqual(['terminated']);
    await expectNothingLeft(one);
  });
});

describe('a stop that was killed', () => {
  test.concurrent.each([
    { point: 'before it had begun', line: POINTS.beforeStop, runId: '500' },
    { point: 'while it waited', line: POINTS.duringStop, runId: '501' },
  ])('$point is finished by the next', async ({ line, runId }) => {
    const one = await aRun(runId);
    await runGpuServer(one.action('start'));
    await runUntil(one.action('stop'), line, 'SIGKILL');
    expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    await expectNothingLeft(one);
  });

  test.concurrent('is made up for by the deadline', async () => {
    const one = await aRun('502', { 'lifetime-hours': '0.014' });
    await runGpuServer(one.action('start'));
    await giveJob(one);
    await runUntil(one.action('stop'), POINTS.beforeStop, 'SIGKILL');
    await expectToEndItself(one);
  });
});

describe('an instance that EC2 lists only 25 s after its launch', () => {
  /** To everybody who asks, there is no such instance until then. */
  function listLate(one: Case): void {
    let since: number | undefined;
    let id = '';
    moto.onRequest((request, when, answer) => {
      if (!one.isLaunch(request) || when === 'before') return;
      since = Date.now();
      id = /<instanceId>(i-[0-9a-f]+)</.exec(answer)?.[1] ?? '';
    });
    moto.refuse(({ action, parameters }) => {
      if (since === undefined || Date.now() > since + 25_000) return undefined;
      const asked = [...parameters.values()];
      if (asked.includes(id)) return { code: 'InvalidInstanceID.NotFound' };
      return action === 'DescribeInstances' && asked.includes(one.name) ? 'none' : undefined;
    });
  }

  test.concurrent('is waited for by its start', async () => {
    const one = await aRun('611');
    listLate(one);
    expect(await runGpuServer(one.action('start'))).toMatchObject({ exitCode: 0 });
    expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    await expectNothingLeft(one);
  });

  test.concurrent('is found by the stop after a start that was killed', async () => {
    const one = await aRun('612', { 'runner-dir': slowRunner, 'stop-timeout-minutes': '6' });
    listLate(one);
    await killAtLaunch(one, 'after');
    expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    await expectNothingLeft(one);
  });
});

test('a stop in another region than its start is red while GitHub shows the runner online', async () => {
  const one = await aRun('613');
  expect(await runGpuServer(one.action('start'))).toMatchObject({ exitCode: 0 });
  const elsewhere = { 'ec2-regions': 'eu-west-1', 'stop-timeout-minutes': '0.3' };
  const stopped = await runGpuServer(one.action('stop', { inputs: elsewhere }));
  expect(stopped).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
  expect(stopped.stdout).toMatch(/GitHub shows its runner diatom-613-1 online.*Check ec2-regions/);
  expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0 });
  await expectNothingLeft(one);
});

test('a stop while a region can’t be reached is red, and says what to do by hand', async () => {
  const one = await aRun('601', { 'ec2-regions': `${REGION}, us-west-2`, 'stop-timeout-minutes': '0.1' });
  moto.refuse(({ region }) => (region === 'us-west-2' ? 'cut' : undefined));
  const result = await runGpuServer(one.action('stop'));
  expect(result).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
  expect(result.stdout).toMatch(/diatom-601-1 may still run and cost money.*AWS can’t be reached in us-west-2/);
  expect(result.stdout).toContain('If you don’t: the instance shuts itself down');
});

test('a start for which EC2 has no instance is red, and leaves no registration', async () => {
  const one = await aRun('602');
  moto.refuse((request) => (one.isLaunch(request) ? { code: 'InsufficientInstanceCapacity' } : undefined));
  const result = await runGpuServer(one.action('start'));
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toContain('EC2 has no instance to give');
  expect(await one.states()).toEqual([]);
  await expectNothingLeft(one);
});

test('a start whose instance ends before its runner is online is red, and says so', async () => {
  const one = await aRun('603', { 'runner-dir': '/nowhere' });
  const result = await runGpuServer(one.action('start'));
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toContain('diatom-603-1 ended before its runner was online');
  await expectNothingLeft(one);
});

test('status says whether a start could work, and starts nothing', async () => {
  const one = await aRun('604');
  expect(await runGpuServer(one.action('status'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  expect(await one.states()).toEqual([]);
});

test('an instance that is there for good is started, stopped, and, after a forced kill, reaped', async () => {
  const made = await moto.ask(
    REGION,
    'ec2',
    'run-instances',
    '--image-id',
    moto.ami,
    '--query',
    'Instances[0].InstanceId',
  );
  const id = z.string().parse(made);
  await moto.ask(REGION, 'ec2', 'stop-instances', '--instance-ids', id);
  const one = await aRun('701', { 'ec2-mode': 'existing', 'ec2-instance-id': id });
  api.addRunner({ name: 'gpu-1', labels: ['self-hosted', 'gpu'], status: 'online' });
  const started = await runGpuServer(one.action('start'));
  expect(started).toMatchObject({ exitCode: 0, outputs: { 'runs-on': '["self-hosted","gpu"]' } });
  expect(started.stdout).toContain('Nothing ends the EC2 instance');
  expect(await one.states()).toEqual(['running']);
  expect(await runGpuServer(one.action('stop'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
  expect(await one.states()).toEqual(['stopped']);

  await runUntil(one.action('start'), POINTS.waitingForRunner, 'SIGKILL');
  expect(await one.states()).toEqual(['running']);
  api.runs.set('701', { status: 'completed', run_attempt: 1 });
  expect(await runGpuServer(one.action('reap', { runId: '799' }))).toMatchObject({ exitCode: 0 });
  expect(await one.states()).toEqual(['stopped']);
});
