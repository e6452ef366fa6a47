import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiatomError } from '../../src/errors.ts';
import { type Driver, type ServerState, ServerTaken, type StartRequest } from '../../src/gpu-server/driver.ts';
import { openGithub } from '../../src/gpu-server/github.ts';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import type { ModeContext } from '../../src/gpu-server/mode-context.ts';
import { reap, reapRegistrations } from '../../src/gpu-server/reap.ts';
import { start } from '../../src/gpu-server/start.ts';
import { checkStatus } from '../../src/gpu-server/status-mode.ts';
import { stopRun, stopServer } from '../../src/gpu-server/stop.ts';
import { createHttpClient, type HttpClient } from '../../src/http/client.ts';
import { failureOf } from '../helpers/failure.ts';
import { type GithubApi, REPOSITORY, startGithubApi } from '../helpers/github-api.ts';
import { ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import { captureOutput, commandFile, defaultsOf, setEnvironment, setInputs } from '../helpers/runner.ts';

/** Servers in memory, each with a runner that comes online when its server is asked how it is. */
interface Cloud extends Driver {
  readonly servers: Map<string, ServerState>;
  readonly requests: StartRequest[];
  readonly stops: string[];
  /** What the next stops do; then they work. */
  readonly stopFaults: ('throws' | 'has no effect')[];
  deadline: Date | undefined;
  runnerComes: boolean;
}

let api: GithubApi;
let http: HttpClient;
beforeEach(async () => {
  api = await startGithubApi();
  http = createHttpClient();
});
afterEach(async () => {
  await http.close();
  await api.close();
});

function cloud(): Cloud {
  const servers = new Map<string, ServerState>();
  return {
    servers,
    requests: [],
    stops: [],
    stopFaults: [],
    deadline: undefined,
    runnerComes: true,
    description: 'a server in memory',
    makesRunner: true,
    isForOne: true,
    deadMansSwitch: 'the test ends',
    byHand: 'end the test',
    whereToLook: 'the test’s memory',
    async start(request) {
      this.requests.push(request);
      servers.set(request.name, 'waiting');
    },
    async status(name) {
      const state = servers.get(name) ?? 'gone';
      const runner = api.runnerNamed(name);
      if (state === 'waiting' && this.runnerComes && runner) {
        runner.status = 'online';
        servers.set(name, 'running');
      }
      return { state, detail: 'in memory', runningSince: undefined, lastLines: async () => 'no GPU on the bus' };
    },
    async stop(name) {
      this.stops.push(name);
      const fault = this.stopFaults.shift();
      if (fault === 'throws') throw new DiatomError('SERVER', 'the cloud is busy');
      if (fault === undefined) {
        servers.delete(name);
        const runner = api.runnerNamed(name);
        if (runner) Object.assign(runner, { status: 'offline', busy: false });
      }
    },
    close: async () => {},
    async list() {
      return [...servers].map(([name, state]) => ({ name, state, detail: '', deadline: this.deadline }));
    },
  };
}

function session(
  driver: Driver,
  inputs: Readonly<Record<string, string>> = {},
  { runId = '1', attempt = 1, warnings = [] as string[], signal = new AbortController().signal } = {},
): ModeContext {
  setInputs({
    ...defaultsOf('gpu-server'),
    ...{ mode: 'start', driver: 'slurm', 'stop-timeout-minutes': '0.3' },
    ...api.inputs,
    ...inputs,
  });
  const read = readInputs({
    GITHUB_REPOSITORY: REPOSITORY,
    GITHUB_RUN_ID: runId,
    GITHUB_RUN_ATTEMPT: String(attempt),
    GITHUB_API_URL: api.url,
  });
  return {
    inputs: read,
    driver,
    github: openGithub(read, http, signal, () => {}),
    http,
    signal,
    onWarning: (message) => void warnings.push(message),
    close: async () => {},
  };
}

describe('a start', () => {
  test('registers a runner with a label of its own, hands it to the driver, and hides it from the log', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const outputs = commandFile('GITHUB_OUTPUT');
    const output = captureOutput();
    const driver = cloud();
    const started = await start(session(driver, { 'runner-labels': 'lab', 'pick-up-minutes': '3' }), () => {});
    expect(started.runsOn).toEqual(['self-hosted', 'diatom-1-1']);
    expect(api.runnerNamed('diatom-1-1')?.labels).toEqual([
      ...['self-hosted', 'diatom-1-1', 'lab'],
      expect.stringMatching(/^start-/),
    ]);
    const [request] = driver.requests;
    expect(request).toMatchObject({
      name: 'diatom-1-1',
      repository: REPOSITORY,
      maxMinutes: 720,
      runner: { pickUpMinutes: 3, software: { version: '2.340.0', sha256: 'a'.repeat(64) } },
    });
    const jit = request?.runner?.jitConfig ?? '';
    expect(output.text().replace(`::add-mask::${jit}`, '')).not.toContain(jit);
    expect(output.text()).toContain(`::add-mask::${jit}`);
    expect(outputs()).toContain('["self-hosted","diatom-1-1"]');
  });

  test('gets its token from an App, and hides that too', async () => {
    const seen: string[] = [];
    const driver = cloud();
    const made = session(driver, {
      'runner-token': '',
      'app-id': api.app.id,
      'app-private-key': api.app.privateKey,
    });
    const github = openGithub(made.inputs, http, made.signal, (secret) => void seen.push(secret));
    await start({ ...made, github }, () => {});
    expect(seen).toEqual(['ghs_installation']);
    expect(driver.servers.get('diatom-1-1')).toBe('running');
  });

  test('that may cost more than max-price is refused before it makes anything', async () => {
    const driver = cloud();
    const dear = session(driver, { 'price-per-hour': '2', 'max-price': '20' });
    const { message } = await failureOf(start(dear, () => expect.unreachable()));
    expect(message).toContain('12 h × 2.00 EUR = 24.00 EUR');
    expect(driver.requests).toEqual([]);
    expect(api.requests).toEqual([]);
    const { checks } = await checkStatus(dear);
    expect(checks).toContainEqual({ name: 'What it may cost (max-price, monthly-budget)', ok: false, result: message });
  });

  test('without anything that may register a runner is refused before it makes anything', async () => {
    const driver = cloud();
    let isMaking = false;
    const error = await failureOf(
      start(session(driver, { 'runner-token': '' }), () => {
        isMaking = true;
      }),
    );
    expect(error).toMatchObject({ code: 'INPUT' });
    expect(isMaking).toBe(false);
    expect(driver.requests).toEqual([]);
  });

  test('says before it makes something that it will, so that a post step can clean up', async () => {
    const driver = cloud();
    await start(session(driver), () => {
      expect(driver.requests).toEqual([]);
      expect(api.runners.size).toBe(0);
    });
    expect(driver.requests).toHaveLength(1);
  });

  test('whose server is gone before its runner came says so, with the last lines of its log', async () => {
    const driver = cloud();
    const { start: make } = driver;
    driver.start = async (request) => {
      await make.call(driver, request);
      driver.servers.delete(request.name);
    };
    const error = await failureOf(start(session(driver), () => {}));
    expect(error.message).toBe(
      'diatom-1-1 ended before its runner was online (in memory). Its last lines:\nno GPU on the bus',
    );
  });

  test('whose server has switched itself off before its runner came says so, and does not wait for it', async () => {
    const driver = cloud();
    driver.runnerComes = false;
    const { status } = driver;
    driver.status = async (name) => ({ ...(await status.call(driver, name)), isOff: true });
    const error = await failureOf(start(session(driver), () => {}));
    expect(error.message).toContain('diatom-1-1 ended before its runner was online (in memory).');
  });

  test('goes on waiting when the driver or GitHub give no answer for once', async () => {
    const driver = cloud();
    const { status } = driver;
    let asked = 0;
    driver.status = async (name) => {
      if (asked++ === 0) throw new DiatomError('SERVER', 'no connection');
      return status.call(driver, name);
    };
    await start(session(driver), () => {});
    expect(driver.servers.get('diatom-1-1')).toBe('running');
  });

  test('reaps first, and goes on when that fails', async () => {
    const driver = cloud();
    driver.servers.set('diatom-77-1', 'running');
    const started = await start(session(driver), () => {});
    expect(started.reaped).toMatchObject([{ server: { name: 'diatom-77-1' }, outcome: 'stopped' }]);
    const warnings: string[] = [];
    driver.list = async () => {
      throw new DiatomError('SERVER', 'no list today');
    };
    await start(session(driver, {}, { warnings, runId: '2' }), () => {});
    expect(warnings).toEqual(['Nobody could look for servers that were left behind: no list today']);
  });
});

describe('two trainings of one run', () => {
  const [one, two] = ['diatom-1-1-forest', 'diatom-1-1-lake'];
  const forest = { key: 'forest' };
  const lake = { key: 'lake' };

  test('get a server each, and the stop of one leaves the other and its registration', async () => {
    const driver = cloud();
    const started = await Promise.all([forest, lake].map((inputs) => start(session(driver, inputs), () => {})));
    expect(started.map(({ runsOn }) => runsOn)).toEqual([
      ['self-hosted', one],
      ['self-hosted', two],
    ]);
    await stopRun(session(driver, forest));
    expect([...driver.servers]).toEqual([[two, 'running']]);
    expect(api.runnerNamed(two)?.status).toBe('online');
    expect(driver.stops).toEqual([one]);
    await stopRun(session(driver, lake));
    expect(driver.servers.size).toBe(0);
    expect(api.runners.size).toBe(0);
  });

  test('are not reaped by each other’s start while the run goes on', async () => {
    const driver = cloud();
    await start(session(driver, forest), () => {});
    const { reaped } = await start(session(driver, lake), () => {});
    expect(reaped).toMatchObject([{ server: { name: one }, outcome: 'kept', why: 'its run goes on' }]);
    expect(driver.stops).toEqual([]);
  });

  test('under one key: the second start is refused before it makes anything, and leaves what is there', async () => {
    const driver = cloud();
    await start(session(driver, forest), () => {});
    const registration = api.runnerNamed(one)?.id;
    let isMaking = false;
    const error = await failureOf(
      start(session(driver, forest), () => {
        isMaking = true;
      }),
    );
    expect(error).toBeInstanceOf(ServerTaken);
    expect(error.message).toContain(`Another job of this run has a server of the name ${one}, and nothing was started`);
    expect(error.message).toContain('input key');
    expect(isMaking).toBe(false);
    expect(driver.servers.get(one)).toBe('running');
    expect(api.runnerNamed(one)?.id).toBe(registration);
  });

  test('under one key, a runner that is registered and has no server yet is left alone as well', async () => {
    const driver = cloud();
    api.addRunner({ name: one, labels: [], status: 'offline' });
    const registration = api.runnerNamed(one)?.id;
    const error = await failureOf(start(session(driver, forest), () => {}));
    expect(error).toBeInstanceOf(ServerTaken);
    expect(api.runnerNamed(one)?.id).toBe(registration);
    expect(driver.requests).toEqual([]);
  });

  test('under one key, at the same moment: one starts, the other is refused', async () => {
    const driver = cloud();
    const results = await Promise.allSettled([1, 2].map(() => start(session(driver, forest), () => {})));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: expect.any(ServerTaken) });
    expect(driver.requests).toHaveLength(1);
    expect([...driver.servers]).toEqual([[one, 'running']]);
    expect(api.runners.size).toBe(1);
  });
});

describe('a stop', () => {
  test('knows the names of earlier attempts from before there were keys, and leaves those of others', async () => {
    const driver = cloud();
    const all = ['diatom-1-1', 'diatom-1-1-forest', 'diatom-1-1-lake', 'diatom-1-2', 'diatom-1-2-lake', 'diatom-2-1'];
    for (const name of all) driver.servers.set(name, 'running');
    await stopRun(session(driver, { key: 'forest' }, { attempt: 2 }));
    expect([...driver.servers.keys()]).toEqual(['diatom-1-1-lake', 'diatom-1-2', 'diatom-1-2-lake', 'diatom-2-1']);
    await stopRun(session(driver, {}, { attempt: 2 }));
    expect([...driver.servers.keys()]).toEqual(['diatom-1-1-lake', 'diatom-1-2-lake', 'diatom-2-1']);
    driver.list = async () => {
      throw new DiatomError('SERVER', 'no list today');
    };
    driver.stops.length = 0;
    await stopRun(session(driver, { key: 'lake' }, { attempt: 2 }));
    expect(driver.stops).toEqual(['diatom-1-2-lake', 'diatom-1-1-lake', 'diatom-1-1']);
  });

  test('needs nothing of the start, removes the registration, and is fine a second time', async () => {
    const driver = cloud();
    await start(session(driver), () => {});
    expect(await stopRun(session(driver))).toMatchObject([{ name: 'diatom-1-1' }]);
    expect(driver.servers.size).toBe(0);
    expect(api.runners.size).toBe(0);
    expect(await stopRun(session(driver))).toMatchObject([{ name: 'diatom-1-1', hours: 0 }]);
  });

  test('stops earlier attempts of the run, and no later one nor another run’s', async () => {
    const driver = cloud();
    for (const name of ['diatom-1-1', 'diatom-1-2', 'diatom-1-3', 'diatom-2-1']) driver.servers.set(name, 'running');
    await stopRun(session(driver, {}, { attempt: 2 }));
    expect([...driver.servers.keys()]).toEqual(['diatom-1-3', 'diatom-2-1']);
  });

  test('tries every name that the run can have had when the servers can’t be listed', async () => {
    const driver = cloud();
    driver.servers.set('diatom-1-1', 'running');
    driver.list = async () => {
      throw new DiatomError('SERVER', 'no list today');
    };
    await stopRun(session(driver, {}, { attempt: 2 }));
    expect(driver.stops).toEqual(['diatom-1-2', 'diatom-1-1']);
    expect(driver.servers.size).toBe(0);
  });

  test('is tried again when it fails, and when it has no effect', async () => {
    const driver = cloud();
    driver.servers.set('diatom-1-1', 'running');
    driver.stopFaults.push('throws', 'throws', 'throws');
    await stopRun(session(driver));
    expect(driver.stops).toHaveLength(4);
    expect(driver.servers.size).toBe(0);
  });

  test('is never confirmed by a state that nobody can say', async () => {
    const driver = cloud();
    driver.servers.set('diatom-1-1', 'unknown');
    driver.stopFaults.push('has no effect', 'has no effect');
    const error = await failureOf(stopServer(session(driver, { 'stop-timeout-minutes': '0.02' }), 'diatom-1-1'));
    expect(error).toMatchObject({ code: 'SERVER' });
    expect(error.message).toContain('diatom-1-1 may still run and cost money: after 1 s, it is unknown: in memory');
    expect(error.message).toContain('Please end the test.');
    expect(error.message).toContain('If you don’t: the test ends, at its deadline.');
  });

  test('of several goes on after one that fails, and is red in the end', async () => {
    const driver = cloud();
    driver.servers.set('diatom-1-1', 'running');
    driver.servers.set('diatom-1-2', 'running');
    driver.stopFaults.push('has no effect');
    const error = await failureOf(stopRun(session(driver, { 'stop-timeout-minutes': '0.02' }, { attempt: 2 })));
    expect(error.message).toContain('diatom-1-2 may still run');
    expect([...driver.servers.keys()]).toEqual(['diatom-1-2']);
  });

  test('warns when the registration can’t be removed: a runner that never comes costs nothing', async () => {
    const driver = cloud();
    const warnings: string[] = [];
    api.failNext({ path: '/actions/runners', status: 401 }, { path: '/actions/runners', status: 401 });
    await stopRun(session(driver, {}, { warnings }));
    expect(warnings).toEqual([
      expect.stringContaining('Whether GitHub still sees the runner of diatom-1-1, nobody can say'),
      expect.stringContaining('The registration of the runner diatom-1-1 could not be removed'),
    ]);
  });
});

describe('a stop that finds nothing', () => {
  /** Of what is not there, there is nothing to be said. */
  function silentCloud(): Cloud {
    const driver = cloud();
    const { status } = driver;
    driver.status = async (name) => ({
      ...(await status.call(driver, name)),
      ...(driver.servers.has(name) ? {} : { detail: '' }),
    });
    return driver;
  }

  test('is red while GitHub shows the runner of that server online, and says what to check', async () => {
    const driver = silentCloud();
    // Of a server somewhere else it knows nothing.
    driver.stop = async () => {};
    api.addRunner({ name: 'diatom-1-1', labels: [], status: 'online', busy: true });
    const error = await failureOf(stopRun(session(driver, { 'stop-timeout-minutes': '0.05' })));
    expect(error).toMatchObject({ code: 'SERVER' });
    expect(error.message).toContain('GitHub shows its runner diatom-1-1 online and busy');
    expect(error.message).toContain('Check the test’s memory. They must be the same');
    expect(api.runnerNamed('diatom-1-1')).toBeDefined();
  });

  test('is green when GitHub notices a moment later that the runner is gone', async () => {
    const driver = silentCloud();
    driver.stop = async () => {};
    api.addRunner({ name: 'diatom-1-1', labels: [], status: 'online' });
    setTimeout(() => Object.assign(api.runnerNamed('diatom-1-1') ?? {}, { status: 'offline' }), 2_000);
    expect(await stopRun(session(driver))).toMatchObject([{ name: 'diatom-1-1' }]);
    expect(api.runners.size).toBe(0);
  });

  test.each(['unseen', 'always'] as const)(
    '(%s) stops again what a start that was cut short still brings',
    async (watch) => {
      const driver = silentCloud();
      setTimeout(() => driver.servers.set('diatom-1-1', 'running'), 1_500);
      await stopRun(session(driver), watch);
      expect(driver.servers.size).toBe(0);
      expect(driver.stops.length).toBeGreaterThan(1);
    },
  );

  test('is not held up by a GitHub that does not answer', async () => {
    const driver = silentCloud();
    const warnings: string[] = [];
    const made = session(driver, { 'answer-timeout-seconds': '1' }, { warnings });
    const never = () => new Promise<never>(() => {});
    const runners = made.github.runners && { ...made.github.runners, list: never, remove: never };
    await stopRun({ ...made, github: { ...made.github, runners } });
    expect(warnings).toEqual([
      expect.stringContaining('GitHub did not answer within 1 s'),
      expect.stringContaining('GitHub did not answer within 1 s'),
    ]);
  });
});

test('a start waits for a server that is not listed yet, and not for one that has ended', async () => {
  const driver = cloud();
  const { status } = driver;
  let asked = 0;
  driver.status = async (name) =>
    asked++ < 2
      ? { state: 'gone', detail: '', runningSince: undefined, lastLines: async () => '' }
      : status.call(driver, name);
  await start(session(driver), () => {});
  expect(driver.servers.get('diatom-1-1')).toBe('running');
});

describe('a reaper', () => {
  test('leaves a server alone whose run it can’t find while its runner has a job', async () => {
    const driver = cloud();
    driver.servers.set('diatom-7-1', 'running');
    api.addRunner({ name: 'diatom-7-1', labels: [], status: 'online', busy: true });
    expect(await reap(session(driver), { nameless: true })).toMatchObject([
      { outcome: 'kept', why: 'its run is not found, but its runner has a job' },
    ]);
    expect(driver.stops).toEqual([]);
  });

  test('writes the hours of what it has stopped into gpu-hours.csv', async () => {
    const { directory, url } = await ownServer();
    const path = join(directory, 'gpu-hours.csv');
    const start = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    const head = 'server,repository,start,deadline,hours,price_per_hour,cost,currency';
    await writeFile(path, `${head}\ndiatom-5-1,${REPOSITORY},${start},${deadline},,2,,EUR\n`);
    const driver = cloud();
    driver.servers.set('diatom-5-1', 'running');
    api.runs.set('5', { status: 'completed', run_attempt: 1 });
    const account = { 'owncloud-url': url, 'owncloud-username': USER, 'owncloud-password': PASSWORD };
    await reap(session(driver, account), { nameless: true });
    expect(await readFile(path, 'utf8')).toMatch(/,2\.00\d,2,4\.0\d+,EUR\n$/);
  });

  test('knows the servers of trainings with a key, and those from before there were keys', async () => {
    const driver = cloud();
    for (const name of ['diatom-5-1', 'diatom-5-1-lake', 'diatom-6-1-lake']) driver.servers.set(name, 'running');
    api.runs.set('5', { status: 'completed', run_attempt: 1 });
    api.runs.set('6', { status: 'in_progress', run_attempt: 1 });
    await reap(session(driver), { nameless: true });
    expect([...driver.servers.keys()]).toEqual(['diatom-6-1-lake']);
    api.addRunner({ name: 'diatom-5-1-lake', labels: [], status: 'offline' });
    expect(await reapRegistrations(session(driver))).toEqual(['diatom-5-1-lake']);
  });

  test('stops what no live run owns, and never a busy runner of a live run', async () => {
    const driver = cloud();
    driver.deadline = new Date(0);
    for (const name of ['diatom-5-1', 'diatom-6-1', 'diatom-7-1']) driver.servers.set(name, 'running');
    api.runs.set('5', { status: 'completed', run_attempt: 1 });
    api.runs.set('6', { status: 'in_progress', run_attempt: 1 });
    api.addRunner({ name: 'diatom-6-1', labels: [], status: 'online', busy: true });
    const results = await reap(session(driver), { nameless: true });
    expect(results.map(({ server, outcome }) => [server.name, outcome])).toEqual([
      ['diatom-5-1', 'stopped'],
      ['diatom-6-1', 'kept'],
      ['diatom-7-1', 'stopped'],
    ]);
    expect([...driver.servers.keys()]).toEqual(['diatom-6-1']);
  });

  test('leaves alone what it can’t judge, and goes on with the others', async () => {
    const driver = cloud();
    for (const name of ['diatom-5-1', 'diatom-6-1']) driver.servers.set(name, 'running');
    api.failNext({ path: '/runs/5', status: 403, message: 'Resource not accessible by integration' });
    const results = await reap(session(driver), { nameless: true });
    expect(results.map(({ outcome }) => outcome)).toEqual(['unclear', 'stopped']);
    expect(results[0]?.why).toContain('github-token is not allowed to do this. It needs “actions: read”');
  });

  test('removes registrations that were never used, of runs that are over, and no other', async () => {
    const driver = cloud();
    const add = (name: string, status: 'online' | 'offline' = 'offline', busy = false) =>
      api.addRunner({ name, labels: [], status, busy });
    api.runs.set('5', { status: 'completed', run_attempt: 1 });
    driver.servers.set('diatom-5-3', 'running');
    add('diatom-5-1');
    add('diatom-5-2', 'online');
    add('diatom-5-3');
    add('diatom-1-1');
    add('diatom-99-1');
    add('lab-1');
    expect(await reapRegistrations(session(driver, {}, { runId: '9' }))).toEqual(['diatom-5-1']);
    expect([...api.runners.values()].map(({ name }) => name)).not.toContain('diatom-5-1');
    expect(api.runners.size).toBe(5);
  });
});

test('a status registers a runner to see that it may, and leaves nothing', async () => {
  const driver = cloud();
  const { checks } = await checkStatus(session(driver));
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(api.requests.some((request) => request.includes('generate-jitconfig'))).toBe(true);
  expect(api.runners.size).toBe(0);
  expect(driver.requests).toEqual([]);
  const refused = await checkStatus(session(driver, { 'runner-token': api.jobToken }));
  expect(refused.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual([
    'Runners can be seen (runner-token)',
    'The runner’s software',
    'A runner can be registered',
  ]);
});
