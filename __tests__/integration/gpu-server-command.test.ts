import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { requireCommand } from '../helpers/commands.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil, startGpuServer } from '../helpers/gpu-server.ts';
import { PASSWORD, USER } from '../helpers/owncloud.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';

let sshd: SshServer;
/** What the timers keep on the ssh host. */
let state: string;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'gpu-command-state-'));
  sshd = await startSshd({ environment: { XDG_STATE_HOME: state } });
});

afterAll(async () => {
  await sshd.stop();
  await rm(state, { recursive: true, force: true });
});

/** A “server” on the ssh host: a process that would run for ever. Everything of it lies in one folder. */
interface Machine {
  /** The action’s inputs except for `mode`; a run of it. */
  run(mode: string, run?: Partial<GpuServerRun>): GpuServerRun;
  readonly api: GithubApi;
  /** What a command wrote down each time it ran. */
  log(command: 'start' | 'stop'): string[];
  isRunning(): boolean;
  /** Command lines of the programs that keep the time for it. */
  timers(): string[];
  /** Files about it on the host. */
  readonly folder: string;
}

interface MachineOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  /** Shell text that start-command runs before it starts the server. */
  readonly beforeServer?: string;
  /** Without it, nothing is reached by ssh. */
  readonly remote?: boolean;
  /** Instead of the one that stops the server. */
  readonly stopCommand?: (stop: string, folder: string) => string;
}

async function machine(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  options: MachineOptions = {},
): Promise<Machine> {
  const { beforeServer = '', remote = true, stopCommand = (stop) => stop } = options;
  const folder = await mkdtemp(join(tmpdir(), 'gpu-command-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const api = await startGithubApi();
  onTestFinished(() => api.close());
  api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'lab'], status: 'online' });
  const pid = join(folder, 'server.pid');
  const isAlive = `[ -f ${pid} ] && kill -0 "$(cat ${pid})" 2>/dev/null`;
  const inputs = {
    driver: 'command',
    ...(remote ? sshd.inputs : {}),
    'lifetime-hours': '1',
    'start-timeout-minutes': '2',
    'stop-timeout-minutes': '1',
    'start-command': [
      `echo "$DIATOM_SERVER_NAME $DIATOM_MAX_SECONDS" >>${folder}/start.log`,
      beforeServer.replaceAll('$FOLDER', folder),
      `if ${isAlive}; then exit 0; fi`,
      // It keeps what it was given for its output open, as programs do that nobody made a service of.
      'nohup sleep 100000 &',
      `echo $! >${pid}`,
    ].join('\n'),
    'stop-command': stopCommand(
      `echo "$DIATOM_SERVER_NAME" >>${folder}/stop.log\nif ${isAlive}; then kill "$(cat ${pid})"; fi`,
      folder,
    ),
    'status-command': `if ${isAlive}; then echo running; else echo stopped; fi`,
    'runner-labels': 'self-hosted, lab',
    ...options.inputs,
  };
  const processes = () => execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const server = () => (existsSync(pid) ? readFileSync(pid, 'utf8').trim() : '');
  const isRunning = () => server() !== '' && processes().some((line) => line.trim() === `${server()} sleep 100000`);
  onTestFinished(() => {
    if (isRunning()) process.kill(Number(server()), 'SIGKILL');
  });
  return {
    api,
    folder,
    isRunning,
    run: (mode, run = {}) => ({ workspace: folder, api, ...run, inputs: { ...inputs, mode, ...run.inputs } }),
    log: (command) => {
      const file = join(folder, `${command}.log`);
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    },
    timers: () => processes().filter((line) => line.includes('/timer ') && line.includes(' diatom-')),
  };
}

/** `ownServer` would be gone when another of the tests that run side by side ends. */
async function ownCloud({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const directory = await mkdtemp(join(tmpdir(), 'gpu-hours-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const server = await startOwncloudServer({ directory, username: USER, password: PASSWORD });
  onTestFinished(() => server.close());
  return server;
}

/** Waits until something is so; fails the test with its name when it does not come. */
async function until(name: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (isSo()) return;
    await sleep(200);
  }
  throw new Error(`It never came about: ${name}`);
}

/** Nobody keeps the time any more: a timer that was left could end a later run’s server. */
const expectNoTimer = (name: string, { timers }: Machine) =>
  until('no timer is left', () => timers().every((line) => !line.includes(` ${name}`)));

// Most of the time is waiting; each test has a machine, a stand-in for GitHub and a run of its own.
describe.concurrent('the driver “command”', () => {
  test('a start and a stop: the commands run on the ssh host, and nothing is left', async (context) => {
    const owncloud = await ownCloud(context);
    const account = { 'owncloud-url': owncloud.url, 'owncloud-username': USER, 'owncloud-password': PASSWORD };
    const budget = { 'price-per-hour': '36', currency: 'EUR', 'monthly-budget': '40', ...account };
    const server = await machine(context, { inputs: budget });
    const started = await runGpuServer(server.run('start', { runId: '11' }));
    expect(started).toMatchObject({ exitCode: 0, state: { unfinished: 'done' } });
    expect(started.outputs).toMatchObject({ name: 'diatom-11-1', label: '', 'runs-on': '["self-hosted","lab"]' });
    expect(Date.parse(started.outputs['deadline'] ?? '')).toBeGreaterThan(Date.now());
    expect(started.summary).toContain('36.00 EUR');
    expect(server.log('start')).toEqual(['diatom-11-1 3600']);
    expect(server.isRunning()).toBe(true);
    expect(server.timers().filter((line) => line.includes('diatom-11-1'))).toHaveLength(1);

    const status = await runGpuServer(server.run('status', { runId: '11' }));
    expect(status).toMatchObject({ exitCode: 0, outputs: { state: 'running' } });
    expect(status.summary).toContain('lab-1 (online)');

    const stopped = await runGpuServer(server.run('stop', { runId: '11' }));
    expect(stopped).toMatchObject({ exitCode: 0, outputs: { name: 'diatom-11-1', state: 'gone' } });
    expect(stopped.summary).toMatch(/`diatom-11-1` \| gone \| [\d.]+ h \| [\d.]+ h × 36\.00 EUR = [\d.]+ EUR/);
    expect(server.isRunning()).toBe(false);
    await expectNoTimer('diatom-11-1', server);

    const again = await runGpuServer(server.run('stop', { runId: '11' }));
    expect(again).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(again.summary).toContain('there was none');
    const hours = readFileSync(join(owncloud.directory, 'gpu-hours.csv'), 'utf8').trimEnd().split('\n');
    expect(hours).toEqual([hours[0], expect.stringMatching(/^diatom-11-1,.*Z,[\d.]+,36,[\d.]+,EUR$/)]);
  });

  test('commands and keys are in no command line of the host', async (context) => {
    const server = await machine(context, { beforeServer: 'ps -eo args= >$FOLDER/seen; SECRET=in-the-command' });
    await runGpuServer(server.run('start', { runId: '12' }));
    const seen = readFileSync(join(server.folder, 'seen'), 'utf8');
    expect(seen).toContain('/timer ');
    expect(seen).not.toContain('in-the-command');
    expect(seen).not.toContain('server.pid');
    await runGpuServer(server.run('stop', { runId: '12' }));
  });

  describe('killed by force, with no stop and no post step, the server is gone at its deadline', () => {
    test.for([
      { point: 'before it is started', line: POINTS.beforeStart, runId: '21' },
      { point: 'after it was started', line: POINTS.afterStart, runId: '22' },
      { point: 'while the runner is waited for', line: POINTS.waitingForRunner, runId: '23' },
    ])('$point', async ({ line, runId }, context) => {
      const server = await machine(context, { inputs: { 'lifetime-hours': '0.004', 'runner-labels': 'nobody' } });
      const killed = await runUntil(server.run('start', { runId }), line, 'SIGKILL');
      expect(killed.exitCode).toBe(137);
      await sleep(15_000);
      await until('the server is gone', () => !server.isRunning());
      await expectNoTimer(`diatom-${runId}-1`, server);
      if (line !== POINTS.beforeStart) expect(server.log('stop')).toContain(`diatom-${runId}-1`);
    });

    test('while start-command runs, which then starts nothing late', async (context) => {
      const server = await machine(context, {
        inputs: { 'lifetime-hours': '0.004' },
        beforeServer: 'sleep 25',
      });
      const action = startGpuServer(server.run('start', { runId: '24' }));
      await until('start-command runs', () => server.log('start').length > 0);
      action.kill('SIGKILL');
      await action.result;
      await until('the timer has run stop-command', () => server.log('stop').length > 0);
      await sleep(15_000);
      expect(server.isRunning()).toBe(false);
      await expectNoTimer('diatom-24-1', server);
    });

    test('after the start, while training', async (context) => {
      const server = await machine(context, { inputs: { 'lifetime-hours': '0.004' } });
      expect(await runGpuServer(server.run('start', { runId: '25' }))).toMatchObject({ exitCode: 0 });
      await until('the server is gone', () => !server.isRunning());
      expect(server.log('stop')).toContain('diatom-25-1');
      await expectNoTimer('diatom-25-1', server);
    });

    test.for([
      { point: 'before it stops', line: POINTS.beforeStop, runId: '26' },
      { point: 'during the stop', line: POINTS.duringStop, runId: '27' },
    ])('$point', async ({ line, runId }, context) => {
      const server = await machine(context, {
        inputs: { 'lifetime-hours': '0.006' },
        // The first attempts of it have no effect.
        stopCommand: (stop, folder) =>
          `echo x >>${folder}/asked; [ "$(wc -l <${folder}/asked)" -ge 3 ] || exit 0\n${stop}`,
      });
      expect(await runGpuServer(server.run('start', { runId }))).toMatchObject({ exitCode: 0 });
      const killed = await runUntil(server.run('stop', { runId }), line, 'SIGKILL');
      expect(killed).toMatchObject({ exitCode: 137, state: { unfinished: 'stop' } });
      await until('the server is gone', () => !server.isRunning());
      await expectNoTimer(`diatom-${runId}-1`, server);
    });
  });

  describe('the post step', () => {
    test.for([
      { point: 'before it is started', line: POINTS.beforeStart, runId: '31' },
      { point: 'after it was started', line: POINTS.afterStart, runId: '32' },
      { point: 'while the runner is waited for', line: POINTS.waitingForRunner, runId: '33' },
    ])('stops the server of a start that was killed $point', async ({ line, runId }, context) => {
      const server = await machine(context, { inputs: { 'runner-labels': 'nobody' } });
      const killed = await runUntil(server.run('start', { runId }), line, 'SIGKILL');
      expect(killed).toMatchObject({ exitCode: 137, state: { unfinished: 'stop' } });
      const post = await runGpuServer(server.run('start', { runId, state: killed.state }));
      expect(post).toMatchObject({ exitCode: 0 });
      expect(server.isRunning()).toBe(false);
      await expectNoTimer(`diatom-${runId}-1`, server);
    });

    test('ends a start-command that still runs', async (context) => {
      const server = await machine(context, { beforeServer: 'sleep 20' });
      const action = startGpuServer(server.run('start', { runId: '34' }));
      await until('start-command runs', () => server.log('start').length > 0);
      action.kill('SIGKILL');
      const { state } = await action.result;
      expect(await runGpuServer(server.run('start', { runId: '34', state }))).toMatchObject({ exitCode: 0 });
      await sleep(25_000);
      expect(server.isRunning()).toBe(false);
    });

    test('does nothing after a start that came to its end', async (context) => {
      const server = await machine(context);
      const { state } = await runGpuServer(server.run('start', { runId: '35' }));
      const post = await runGpuServer(server.run('start', { runId: '35', state }));
      expect(post).toMatchObject({ exitCode: 0, stdout: '' });
      expect(server.isRunning()).toBe(true);
      await runGpuServer(server.run('stop', { runId: '35' }));
    });
  });

  describe('cancelled as a runner cancels', () => {
    test.for([
      { point: 'before the server is started', line: POINTS.beforeStart, runId: '41' },
      { point: 'while the runner is waited for', line: POINTS.waitingForRunner, runId: '42' },
    ])('$point, a start stops it, and its post step makes sure', async ({ line, runId }, context) => {
      const server = await machine(context, { inputs: { 'runner-labels': 'nobody' } });
      const cancelled = await runUntil(server.run('start', { runId }), line, 'cancel');
      expect(cancelled.exitCode).not.toBe(0);
      expect(cancelled.state).toEqual({ unfinished: 'stop' });
      expect(await runGpuServer(server.run('start', { runId, state: cancelled.state }))).toMatchObject({ exitCode: 0 });
      expect(server.isRunning()).toBe(false);
      await expectNoTimer(`diatom-${runId}-1`, server);
    });

    test('a stop goes on to its end', async (context) => {
      const server = await machine(context);
      await runGpuServer(server.run('start', { runId: '43' }));
      const stop = startGpuServer({
        ...server.run('stop', { runId: '43' }),
        onOutput: (text) => {
          if (POINTS.beforeStop.test(text)) stop.kill('SIGINT');
        },
      });
      expect(await stop.result).toMatchObject({ outputs: { state: 'gone' } });
      expect(server.isRunning()).toBe(false);
    });
  });

  test('a start whose runner does not come stops the server, and says how it was', async (context) => {
    const server = await machine(context, { inputs: { 'runner-labels': 'nobody', 'start-timeout-minutes': '0.1' } });
    const result = await runGpuServer(server.run('start', { runId: '51' }));
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/Waited 6 s for a runner with the labels nobody.*The server is running/);
    expect(result.state).toEqual({ unfinished: 'done' });
    expect(server.isRunning()).toBe(false);
  });

  test('a start-command that never ends is given up, and stopped', async (context) => {
    const server = await machine(context, { inputs: { 'start-timeout-minutes': '1' }, beforeServer: 'sleep 1000' });
    const result = await runGpuServer(server.run('start', { runId: '52' }));
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('start-command did not end within 48 s on 127.0.0.1');
    expect(server.isRunning()).toBe(false);
  });

  test('a start-command that fails is red with what it said', async (context) => {
    const server = await machine(context, { beforeServer: 'echo no power >&2; exit 255' });
    const result = await runGpuServer(server.run('start', { runId: '53' }));
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('start-command failed on 127.0.0.1 with exit code 255: no power');
    await expectNoTimer('diatom-53-1', server);
  });

  test('a stop that has no effect is red, names the server and what to do, and leaves the timer armed', async (context) => {
    const server = await machine(context, {
      inputs: { 'stop-timeout-minutes': '0.1' },
      stopCommand: (stop, folder) => `[ -e ${folder}/works ] || exit 1\n${stop}`,
    });
    await runGpuServer(server.run('start', { runId: '54' }));
    const result = await runGpuServer(server.run('stop', { runId: '54' }));
    expect(result).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
    expect(result.stdout).toMatch(/diatom-54-1 may still run and cost money.*run stop-command yourself/);
    expect(result.summary).toContain('CAUTION');
    expect(server.timers().filter((line) => line.includes('diatom-54-1'))).toHaveLength(1);
    writeFileSync(join(server.folder, 'works'), '');
    expect(await runGpuServer(server.run('stop', { runId: '54' }))).toMatchObject({ exitCode: 0 });
  });

  test('a second run that starts the same server takes it over: the first one’s stop and timer leave it alone', async (context) => {
    const server = await machine(context, { inputs: { 'lifetime-hours': '0.005' } });
    server.api.runs.set('61', { status: 'in_progress', run_attempt: 1 });
    await runGpuServer(server.run('start', { runId: '61' }));
    await runGpuServer(server.run('start', { runId: '62', inputs: { 'lifetime-hours': '1' } }));
    const stopped = await runGpuServer(server.run('stop', { runId: '61' }));
    expect(stopped.exitCode).toBe(0);
    await expectNoTimer('diatom-61-1', server);
    expect(server.isRunning()).toBe(true);
    expect(server.log('stop')).toEqual([]);
    await runGpuServer(server.run('stop', { runId: '62' }));
    expect(server.isRunning()).toBe(false);
  });

  describe('reap', () => {
    test('stops a server whose run is over, and leaves one whose run goes on', async (context) => {
      const server = await machine(context);
      server.api.runs.set('71', { status: 'in_progress', run_attempt: 1 });
      await runUntil(server.run('start', { runId: '71' }), POINTS.afterStart, 'SIGKILL');
      const kept = await runGpuServer(server.run('reap', { runId: '79' }));
      expect(kept).toMatchObject({ exitCode: 0 });
      expect(kept.summary).toContain('its run goes on');
      expect(server.isRunning()).toBe(true);
      server.api.runs.set('71', { status: 'completed', run_attempt: 1 });
      const reaped = await runGpuServer(server.run('reap', { runId: '79' }));
      expect(reaped).toMatchObject({ exitCode: 0 });
      expect(reaped.summary).toMatch(/`diatom-71-1` .* stopped \| its run is over/);
      expect(server.isRunning()).toBe(false);
    });

    test('disarms the timer of a run that is over, which would end what somebody switches on by hand', async (context) => {
      const server = await machine(context);
      await runUntil(server.run('start', { runId: '76' }), POINTS.afterStart, 'SIGKILL');
      await until('the timer is armed', () => server.timers().some((line) => line.includes(' diatom-76-1')));
      await until('the server runs', server.isRunning);
      execFileSync('sh', ['-c', `kill "$(cat ${server.folder}/server.pid)"`]);
      await until('somebody has switched it off', () => !server.isRunning());
      server.api.runs.set('76', { status: 'completed', run_attempt: 1 });
      expect(await runGpuServer(server.run('reap', { runId: '79' }))).toMatchObject({ exitCode: 0 });
      await expectNoTimer('diatom-76-1', server);
    });

    test('comes first in every start', async (context) => {
      const server = await machine(context);
      await runUntil(server.run('start', { runId: '72' }), POINTS.afterStart, 'SIGKILL');
      const next = await runGpuServer(server.run('start', { runId: '73' }));
      expect(next.stdout).toContain('diatom-72-1: stopped, its run was deleted');
      expect(server.log('stop')).toEqual(['diatom-72-1']);
      expect(server.isRunning()).toBe(true);
      await runGpuServer(server.run('stop', { runId: '73' }));
    });

    test('leaves alone what it can’t judge, and is red', async (context) => {
      const server = await machine(context);
      await runUntil(server.run('start', { runId: '74' }), POINTS.afterStart, 'SIGKILL');
      server.api.failNext({ path: '/runs/74', status: 401, message: 'Bad credentials' });
      const result = await runGpuServer(server.run('reap', { runId: '79' }));
      expect(result.exitCode).toBe(1);
      expect(result.stdout).toContain('diatom-74-1 was left alone');
      expect(server.isRunning()).toBe(true);
      await runGpuServer(server.run('stop', { runId: '74' }));
    });

    test('stops a server without a timer’s files only when no run of the repository goes on', async (context) => {
      const server = await machine(context, { remote: false });
      await runGpuServer(server.run('start', { runId: '75' }));
      expect(server.isRunning()).toBe(true);
      const kept = await runGpuServer(server.run('reap', { runId: '79' }));
      expect(kept.summary).toContain('it may belong to run 1');
      expect(server.isRunning()).toBe(true);
      server.api.runs.clear();
      expect(await runGpuServer(server.run('reap', { runId: '79' }))).toMatchObject({ exitCode: 0 });
      expect(server.isRunning()).toBe(false);
    });
  });

  describe('without ssh-host', () => {
    test('start warns when nothing ends the server by itself, and not when the user says what does', async (context) => {
      const server = await machine(context, { remote: false });
      const warned = await runGpuServer(server.run('start', { runId: '81' }));
      expect(warned.stdout).toContain('::warning::Nothing ends');
      const told = await runGpuServer(server.run('start', { runId: '81', inputs: { 'server-limit': 'GCE ends it' } }));
      expect(told.stdout).not.toContain('::warning::');
      await runGpuServer(server.run('stop', { runId: '81' }));
      expect(server.isRunning()).toBe(false);
    });

    test('a server that comes on after the stop of a start that was killed is stopped again', async (context) => {
      const server = await machine(context, { remote: false, beforeServer: 'sleep 6' });
      const action = startGpuServer(server.run('start', { runId: '84' }));
      await until('start-command runs', () => server.log('start').length > 0);
      action.kill('SIGKILL');
      await action.result;
      // Another runner, where nobody knows of that start-command.
      const elsewhere = { runId: '84', env: { RUNNER_TEMP: await mkdtemp(join(server.folder, 'elsewhere-')) } };
      expect(await runGpuServer(server.run('stop', elsewhere))).toMatchObject({ exitCode: 0 });
      expect(server.log('stop').length).toBeGreaterThan(1);
      expect(server.isRunning()).toBe(false);
    });

    test('a start that was killed is cleaned up by its post step', async (context) => {
      const server = await machine(context, { remote: false, inputs: { 'runner-labels': 'nobody' } });
      const killed = await runUntil(server.run('start', { runId: '82' }), POINTS.waitingForRunner, 'SIGKILL');
      // Its command has begun it, which may take a moment more.
      await until('the server runs', server.isRunning);
      await runGpuServer(server.run('start', { runId: '82', state: killed.state }));
      expect(server.isRunning()).toBe(false);
    });

    test('waits for the server itself when there is no token for runners', async (context) => {
      const server = await machine(context, { remote: false });
      const result = await runGpuServer(server.run('start', { runId: '83', inputs: { 'runner-token': '' } }));
      expect(result).toMatchObject({ exitCode: 0 });
      expect(result.stdout).toContain('nobody can say');
      await runGpuServer(server.run('stop', { runId: '83' }));
    });
  });

  describe('a machine as institutions have them', () => {
    test.for([
      { shell: 'tcsh', runId: '95' },
      { shell: 'sh', runId: '96' },
    ])(
      'whose login shell is $shell, and says things of its own, before and after',
      async ({ shell, runId }, context) => {
        requireCommand(shell, `“apt-get install ${shell}”`, ['-c', 'exit 0']);
        const noise = `echo "Welcome to the cluster"; echo running; echo "Quota: all" >&2`;
        const chatty = await startSshd({
          environment: { XDG_STATE_HOME: state },
          command: `/bin/sh -c '${noise}; ${shell} -c "$SSH_ORIGINAL_COMMAND"; echo stopped; echo Goodbye'`,
        });
        context.onTestFinished(() => chatty.stop());
        const server = await machine(context, { inputs: chatty.inputs });
        expect(await runGpuServer(server.run('start', { runId }))).toMatchObject({ exitCode: 0 });
        expect(server.isRunning()).toBe(true);
        const status = await runGpuServer(server.run('status', { runId }));
        expect(status).toMatchObject({ exitCode: 0, outputs: { state: 'running' } });
        expect(await runGpuServer(server.run('stop', { runId }))).toMatchObject({ exitCode: 0 });
        expect(server.isRunning()).toBe(false);
        await expectNoTimer(`diatom-${runId}-1`, server);
      },
    );

    test('that is reached through another one only (ssh-jump), each with its own host key', async (context) => {
      const jump = await startSshd({ publicKey: sshd.publicKey });
      context.onTestFinished(() => jump.stop());
      const through = { 'ssh-jump': `${jump.user}@127.0.0.1:${jump.port}` };
      const both = { ...through, 'ssh-known-hosts': `${sshd.knownHosts}\n${jump.knownHosts}` };
      const server = await machine(context, { inputs: both });
      expect(await runGpuServer(server.run('start', { runId: '97' }))).toMatchObject({ exitCode: 0 });
      expect(server.isRunning()).toBe(true);
      const unknown = await runGpuServer(server.run('status', { runId: '97', inputs: { ...sshd.inputs, ...through } }));
      expect(unknown.exitCode).toBe(1);
      expect(unknown.stdout).toContain('or that of 127.0.0.1 (ssh-jump) is not');
      await jump.stop();
      const cut = await runGpuServer(server.run('status', { runId: '97' }));
      expect(cut.exitCode).toBe(1);
      expect(cut.stdout).toContain('(ssh-jump)');
      expect(await runGpuServer(server.run('stop', { runId: '97', inputs: { 'ssh-jump': '' } }))).toMatchObject({
        exitCode: 0,
      });
      expect(server.isRunning()).toBe(false);
    });
  });

  describe('ssh that fails says why', () => {
    test.for([
      {
        fault: 'another host key',
        inputs: () => ({
          'ssh-known-hosts': `[127.0.0.1]:${sshd.port} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9e9pQZxN5wT5Jkq2y0yq1c6i5q3l0Jm8nq4mP7nB1c`,
        }),
        says: 'its host key is not the one in ssh-known-hosts',
      },
      { fault: 'a wrong user', inputs: () => ({ 'ssh-user': 'nobody-here' }), says: 'does not let “nobody-here” in' },
      { fault: 'no key', inputs: () => ({ 'ssh-key': 'not a key' }), says: 'not a private key that ssh can read' },
      { fault: 'a wrong port', inputs: () => ({ 'ssh-port': '1' }), says: 'nothing answers at port 1' },
    ])('$fault', async ({ inputs, says }, context) => {
      const server = await machine(context);
      const result = await runGpuServer(server.run('status', { runId: '91', inputs: inputs() }));
      expect(result.exitCode).toBe(1);
      expect(result.stdout).toContain(says);
    });
  });
});
