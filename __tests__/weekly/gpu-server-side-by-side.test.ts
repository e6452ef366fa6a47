import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { GPU_PLACES, type GpuPlace } from '../helpers/gpu-places.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil } from '../helpers/gpu-server.ts';
import { type SshServer, startSshd } from '../helpers/sshd.ts';

/** The two trainings of one run, such as the parts of a matrix. */
const [FOREST, LAKE] = ['Forest streams', 'lake'];
const RUN = '700';
const [FOREST_SERVER, LAKE_SERVER] = [
  expect.stringMatching(/^diatom-700-1-forest-streams-[0-9a-f]{6}$/),
  'diatom-700-1-lake',
];
const SOON = { timeout: 60_000, interval: 500 };
const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'side-by-side-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function github({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<GithubApi> {
  const api = await startGithubApi();
  onTestFinished(() => api.close());
  api.runs.set(RUN, { status: 'in_progress', run_attempt: 1 });
  return api;
}

/** The action as one of the trainings has it. */
type Training = (mode: string, key: string, more?: Partial<GpuServerRun>) => GpuServerRun;

describe('the driver “command”, over ssh', () => {
  let sshd: SshServer;
  beforeAll(async () => {
    sshd = await startSshd({ environment: { XDG_STATE_HOME: join(folder, 'state') } });
  });
  afterAll(() => sshd?.stop());

  const processes = () => execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const timersOf = (name: string) =>
    processes().filter((line) => line.includes('/timer ') && line.includes(` ${name}`));

  /** Commands for a process that would run for ever: one for each file that `pid` names. */
  function setUp(context: Pick<TestContext, 'onTestFinished'>, api: GithubApi, pid: string) {
    const place = mkdtempSync(join(folder, 'servers-'));
    const file = `${place}/${pid}`;
    const isAlive = `[ -f "${file}" ] && kill -0 "$(cat "${file}")" 2>/dev/null`;
    const training: Training = (mode, key, more = {}) => ({
      workspace: place,
      api,
      runId: RUN,
      ...more,
      inputs: {
        mode,
        key,
        driver: 'command',
        'lifetime-hours': '1',
        'start-timeout-minutes': '1',
        'stop-timeout-minutes': '1',
        'start-command': `if ${isAlive}; then exit 0; fi\nnohup sleep 100000 >/dev/null 2>&1 &\necho $! >"${file}"`,
        'stop-command': `if ${isAlive}; then kill "$(cat "${file}")"; fi`,
        'status-command': `if ${isAlive}; then echo running; else echo stopped; fi`,
        ...sshd.inputs,
        ...more.inputs,
      },
    });
    /** Names of the files whose process runs. */
    const running = () =>
      readdirSync(place)
        .filter((name) => name.endsWith('.pid'))
        .filter((name) => {
          const number = execFileSync('cat', [join(place, name)], { encoding: 'utf8' }).trim();
          return processes().some((line) => line.trim() === `${number} sleep 100000`);
        })
        .map((name) => name.replace(/\.pid$/, ''));
    context.onTestFinished(
      () => void execFileSync('sh', ['-c', `cat ${place}/*.pid 2>/dev/null | xargs -r kill -9 || :`]),
    );
    return { training, running };
  }

  test('with a server for each name: both train at once, and the stop of one leaves the other', async (context) => {
    const api = await github(context);
    const { training, running } = setUp(context, api, '$DIATOM_SERVER_NAME.pid');
    // What the start-up script of such a server does: it registers a runner with the name as a label.
    const register = (text: string) => {
      const name = /Waiting for a runner with the labels .*, (diatom-\S+)/.exec(text)?.[1];
      if (name) api.addRunner({ name: `of ${name}`, labels: ['self-hosted', 'gpu', name], status: 'online' });
    };
    const started = await Promise.all(
      [FOREST, LAKE].map((key) => runGpuServer({ ...training('start', key), onOutput: register })),
    );
    // A runner ends with its machine.
    const end = (name: string) => Object.assign(api.runnerNamed(`of ${name}`) ?? {}, { status: 'offline' });
    expect(started.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const [forest = '', lake = ''] = started.map(({ outputs }) => outputs['name']);
    expect([forest, lake]).toEqual([FOREST_SERVER, LAKE_SERVER]);
    expect(started.map(({ outputs }) => outputs['runs-on'])).toEqual(
      [forest, lake].map((name) => JSON.stringify(['self-hosted', 'gpu', name])),
    );
    expect(running().sort()).toEqual([forest, lake]);

    const reaped = await runGpuServer(training('reap', '', { runId: '701' }));
    expect(reaped).toMatchObject({ exitCode: 0 });
    for (const name of [forest, lake]) expect(reaped.stdout).toContain(`${name}: kept, its run goes on`);

    end(forest);
    const stopped = await runGpuServer(training('stop', FOREST));
    expect(stopped).toMatchObject({ exitCode: 0, outputs: { name: forest, state: 'gone' } });
    expect(running()).toEqual([lake]);
    await vi.waitFor(() => expect(timersOf(forest)).toEqual([]), SOON);
    expect(timersOf(lake)).toHaveLength(1);

    end(lake);
    expect(await runGpuServer(training('stop', LAKE))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(running()).toEqual([]);
    await vi.waitFor(() => expect(timersOf(lake)).toEqual([]), SOON);
    expect((await runGpuServer(training('reap', '', { runId: '701' }))).summary).toContain('No server');
  });

  test('with a server for each name: a start that was killed is reaped, and the other training goes on', async (context) => {
    const api = await github(context);
    const { training, running } = setUp(context, api, '$DIATOM_SERVER_NAME.pid');
    const old = training('start', LAKE, { runId: '690', inputs: { 'runner-labels': 'nobody' } });
    await runUntil(old, POINTS.waitingForRunner, 'SIGKILL');
    const other = training('start', FOREST, { inputs: { 'runner-token': '' } });
    const { outputs, stdout } = await runGpuServer(other);
    expect(stdout).toContain('diatom-690-1-lake: stopped, its run was deleted');
    expect(running()).toEqual([outputs['name']]);
    await runGpuServer(training('stop', FOREST));
  });

  test('with one server for all: the second start is refused, and neither it nor its stop touches the first', async (context) => {
    const api = await github(context);
    api.addRunner({ name: 'lab', labels: ['self-hosted', 'gpu'], status: 'online' });
    const { training, running } = setUp(context, api, 'server.pid');
    const started = await Promise.all([FOREST, LAKE].map((key) => runGpuServer(training('start', key))));
    expect(started.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    const [first, second] = started[0]?.exitCode === 0 ? [FOREST, LAKE] : [LAKE, FOREST];
    const refused = started.find(({ exitCode }) => exitCode === 1);
    const name = started.find(({ exitCode }) => exitCode === 0)?.outputs['name'] ?? '';
    expect(refused).toMatchObject({ outputs: { refused: 'true' }, state: { unfinished: 'done' } });
    expect(refused?.stdout).toContain(`is that of ${name}, and two trainings can’t use it at once`);
    expect(refused?.stdout).not.toContain('Stopping');
    const stopped = await runGpuServer(training('stop', second));
    expect(stopped).toMatchObject({ exitCode: 0 });
    expect(running()).toEqual(['server']);
    expect(timersOf(name)).toHaveLength(1);

    // Also under the first one's key, as two parts of a matrix have it that were given none.
    const same = await runGpuServer(training('start', first));
    expect(same).toMatchObject({ exitCode: 1, outputs: { refused: 'true' }, state: { unfinished: 'done' } });
    expect(running()).toEqual(['server']);
    await runGpuServer(training('stop', first));
    expect(running()).toEqual([]);
    // What is over stands in nobody's way.
    expect(await runGpuServer(training('start', second))).toMatchObject({ exitCode: 0 });
    await runGpuServer(training('stop', second));
    expect(running()).toEqual([]);
  });
});

describe.each(GPU_PLACES)('the driver “$driver”', ({ open }) => {
  let place: GpuPlace;
  beforeAll(async () => {
    place = await open();
  });
  afterAll(() => place?.close());

  function setUp(api: GithubApi): Training {
    const workspace = mkdtempSync(join(folder, 'workspace-'));
    const { inputs, env } = place;
    return (mode, key, more = {}) => ({
      ...{ workspace, api, env, runId: RUN },
      ...more,
      inputs: {
        mode,
        key,
        'runner-dir': STAND_IN,
        'lifetime-hours': '1',
        'stop-timeout-minutes': '1',
        ...inputs,
        ...more.inputs,
      },
    });
  }

  test('two trainings of one run have a server each, and the stop of one leaves the other at work', async (context) => {
    const api = await github(context);
    const training = setUp(api);
    const started = await Promise.all([FOREST, LAKE].map((key) => runGpuServer(training('start', key))));
    expect(started.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const [forest = '', lake = ''] = started.map(({ outputs }) => outputs['name']);
    expect([forest, lake]).toEqual([FOREST_SERVER, LAKE_SERVER]);
    for (const name of [forest, lake]) api.giveJob(name);
    await vi.waitFor(() => expect(api.runnerNamed(lake)?.busy).toBe(true), SOON);

    const reaped = await runGpuServer(training('reap', '', { runId: '701' }));
    expect(reaped).toMatchObject({ exitCode: 0 });
    for (const name of [forest, lake]) expect(reaped.stdout).toMatch(new RegExp(`${name}: kept, its .*goes on`));

    expect(await runGpuServer(training('stop', FOREST))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(await place.servers()).toEqual([lake]);
    expect(api.runnerNamed(lake)).toMatchObject({ status: 'online', busy: true });

    // A third, which was given the second one's key.
    const refused = await runGpuServer(training('start', LAKE));
    expect(refused).toMatchObject({ exitCode: 1, outputs: { refused: 'true' }, state: { unfinished: 'done' } });
    expect(refused.stdout).toContain(`Another job of this run has a server of the name ${lake}`);
    expect(await place.servers()).toEqual([lake]);
    expect(api.runnerNamed(lake)).toMatchObject({ status: 'online', busy: true });

    expect(await runGpuServer(training('stop', LAKE))).toMatchObject({ exitCode: 0 });
    expect(await place.servers()).toEqual([]);
  });

  test('two trainings of one run, one after the other: each has its own server, and its own stop', async (context) => {
    const training = setUp(await github(context));
    for (const key of [FOREST, LAKE]) {
      const { exitCode, outputs } = await runGpuServer(training('start', key));
      expect(exitCode).toBe(0);
      expect(await place.servers()).toEqual([outputs['name']]);
      expect(await runGpuServer(training('stop', key))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
      expect(await place.servers()).toEqual([]);
    }
  });

  test('of two trainings the reaper ends the one whose run is over, and the other goes on', async (context) => {
    const api = await github(context);
    const training = setUp(api);
    api.runs.set('690', { status: 'in_progress', run_attempt: 1 });
    await runUntil(training('start', LAKE, { runId: '690' }), POINTS.waitingForRunner, 'SIGKILL');
    const { outputs } = await runGpuServer(training('start', FOREST));
    const name = outputs['name'] ?? '';
    expect([...(await place.servers())].sort()).toEqual(['diatom-690-1-lake', name]);
    api.runs.set('690', { status: 'completed', run_attempt: 1 });
    const reaped = await runGpuServer(training('reap', '', { runId: '701' }));
    expect(reaped).toMatchObject({ exitCode: 0 });
    expect(reaped.stdout).toContain('diatom-690-1-lake: stopped, its run is over');
    expect(await place.servers()).toEqual([name]);
    expect(await runGpuServer(training('stop', FOREST))).toMatchObject({ exitCode: 0 });
    expect(await place.servers()).toEqual([]);
  });

  test('two starts of one key at the same moment: one server, whose training goes on', async (context) => {
    const api = await github(context);
    const training = setUp(api);
    const started = await Promise.all([1, 2].map(() => runGpuServer(training('start', LAKE))));
    expect(started.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    expect(started.find(({ exitCode }) => exitCode === 1)?.outputs['refused']).toBe('true');
    expect(await place.servers()).toEqual([LAKE_SERVER]);
    expect(api.runnerNamed('diatom-700-1-lake')?.status).toBe('online');
    await runGpuServer(training('stop', LAKE));
    expect(await place.servers()).toEqual([]);
  });
});
