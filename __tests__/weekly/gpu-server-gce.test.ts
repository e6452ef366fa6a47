import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Driver } from '../../src/gpu-server/driver.ts';
import { openGce } from '../../src/gpu-server/gce-driver.ts';
import { gceInputs } from '../../src/gpu-server/gce-inputs.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { type GceCloud, startGce, ZONES } from '../helpers/gce.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil } from '../helpers/gpu-server.ts';
import { setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const [NAME, REPOSITORY, JIT] = ['diatom-900-1', 'example/diatoms', 'anVzdC1pbi10aW1lLWNvbmZpZ3VyYXRpb24'];
const [A, B, FAR] = ZONES;
const [L4, T4] = ['g2-standard-4', 'n1-standard-4+nvidia-tesla-t4'];
const SOON = { timeout: 60_000, interval: 500 };

let cloud: GceCloud;
beforeAll(async () => {
  cloud = await startGce();
});
afterEach(() => cloud.reset());
afterAll(() => cloud?.close());

function open(inputs: Readonly<Record<string, string>> = {}, cancel = new AbortController()) {
  setEnvironment(cloud.env);
  setInputs({ mode: 'start', 'gce-market': 'on-demand', 'gce-external-ip': 'true', ...cloud.inputs, ...inputs });
  const [temporary, warnings]: [string, string[]] = [temporaryFolder(), []];
  const limits = { answerMs: 60_000, stopMs: 60_000, startMs: 60_000 };
  const context = { env: process.env, repository: REPOSITORY, limits, temporary, signal: cancel.signal };
  const driver = openGce(gceInputs(), { ...context, onWarning: (message) => void warnings.push(message) });
  return { temporary, warnings, driver };
}

function start(driver: Driver, name = NAME, repository = REPOSITORY): Promise<void> {
  const runner = { jitConfig: JIT, software: { directory: STAND_IN }, pickUpMinutes: 15 };
  return driver.start({ name, repository, maxMinutes: 90, runner });
}

const only = () => [...cloud.instances.values()][0];

describe('a server that is made for a run', () => {
  test('comes from the first market, machine type and zone that have room', async () => {
    for (const choice of ['SPOT', `${L4} in ${A}`, `${L4} in ${B}`, `${T4} in ${A}`]) cloud.full.add(choice);
    await start(open({ 'gce-market': 'spot-then-on-demand' }).driver);
    expect([...cloud.instances.values()]).toMatchObject([{ machineType: T4, zone: B, market: 'STANDARD' }]);
  });

  test('that nobody has room for is said so, by each choice', async () => {
    for (const type of [L4, T4]) cloud.full.add(type);
    const { message } = await failureOf(start(open({ 'gce-market': 'spot', 'gce-zones': A }).driver));
    expect(message).toMatch(
      /no server to give:\n- g2-standard-4, spot, in europe-west4-a: does not have enough resources\n- n1-standard-4\+nvidia-tesla-t4, spot, in/,
    );
  });

  test('for which the quota is used up, or which a zone does not offer, comes from elsewhere', async () => {
    cloud.refuse(({ method, path }) =>
      method === 'POST' && path === `/zones/${A}/instances`
        ? { status: 403, message: "Quota 'NVIDIA_L4_GPUS' exceeded.  Limit: 0.0 in region europe-west4." }
        : undefined,
    );
    await start(open({ 'gce-machine-types': `g2-standard-96, ${L4}` }).driver);
    expect(only()).toMatchObject({ machineType: L4, zone: B });
  });

  test('is found, not made again, by a second start, in whatever zone that looks first', async () => {
    await start(open().driver);
    await start(open({ 'gce-zones': FAR }).driver);
    expect([...cloud.instances.values()]).toMatchObject([{ zone: A }]);
  });

  test('has no identity of its own, and an address in the internet, where the settings say nothing else', async () => {
    await start(open({ 'gce-delete-account': '' }).driver);
    expect(only()?.asked.serviceAccounts).toBeUndefined();
    expect(only()?.script).not.toContain('metadata.google.internal');
    expect(only()?.asked['networkInterfaces']).toMatchObject([{ accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }]);
  });

  test('whose start is cancelled while it is made is there for the stop, and no credentials stay', async () => {
    const cancel = new AbortController();
    cloud.onInstance((_, what) => {
      if (what === 'made') cancel.abort();
    });
    const { driver, temporary } = open({}, cancel);
    expect(await failureOf(start(driver))).toMatchObject({ code: 'CANCELLED' });
    expect(cloud.instances.size).toBe(1);
    await vi.waitFor(() => expect(readdirSync(temporary)).toEqual([]), SOON);
    await open().driver.stop(NAME);
    expect(cloud.instances.size).toBe(0);
  });
});

test('a stop ends what has the name, in every zone, and nothing else', async () => {
  const { driver } = open();
  const names = [NAME, `${NAME}-lake`, 'diatom-900-11'];
  await start(open({ 'gce-zones': FAR }).driver, NAME);
  for (const name of names.slice(1)) await start(driver, name);
  await driver.stop(NAME);
  expect([...cloud.instances.keys()].sort()).toEqual(names.slice(1).sort());
});

test('a list has the servers of this repository, those that are off among them', async () => {
  const { driver } = open();
  await start(driver);
  await start(driver, 'diatom-901-1', 'example/other');
  Object.assign(only() ?? {}, { status: 'TERMINATED' });
  expect(await driver.list()).toMatchObject([
    { name: NAME, state: 'running', detail: `${NAME} in ${A} is TERMINATED` },
  ]);
});

describe('a zone that can’t be seen into', () => {
  test('holds up nobody who has nothing there', async () => {
    const { driver } = open();
    await start(driver);
    cloud.unreachable.add(FAR);
    await driver.stop(NAME);
    expect(await driver.status(NAME)).toMatchObject({ state: 'gone' });
  });

  test('of one’s own keeps a server from being taken for gone, a second one from being made, and no other from being deleted', async () => {
    await start(open({ 'gce-zones': B }).driver);
    cloud.unreachable.add(A);
    const { driver, warnings } = open();
    expect((await failureOf(driver.stop(NAME))).message).toMatch(/Backend Error|unreachable/);
    expect(cloud.instances.size).toBe(0);
    await failureOf(driver.status(NAME));
    await failureOf(start(driver));
    expect(cloud.instances.size).toBe(0);
    await failureOf(driver.list());
    cloud.unreachable.clear();
    await start(open({ 'gce-zones': B }).driver);
    cloud.unreachable.add(A);
    expect(await driver.list()).toMatchObject([{ name: NAME }]);
    expect(warnings).toEqual([expect.stringContaining('Nobody can say what runs there.')]);
  });
});

describe('a failure says what to do', () => {
  test.each([
    ['gce-project', 'another-project', /permission for 'projects\/another-project'.*check gce-project/],
    ['gce-zones', 'europe-west9-z', /europe-west9-z.*Check the gce-… inputs/],
  ])('when %s is “%s”', async (input, value, message) => {
    const error = await failureOf(start(open({ [input]: value }).driver));
    expect(error).toMatchObject({ code: 'SERVER', message: expect.stringMatching(message) });
    for (const secret of [JIT, cloud.inputs['gce-key'] ?? '']) expectNowhere(error, secret);
  });

  test('when the key is not one that Google knows', async () => {
    const other = await startGce();
    await other.close();
    const error = await failureOf(open({ 'gce-key': other.inputs['gce-key'] ?? '' }).driver.status(NAME));
    expect(error.message).toMatch(/Google refuses “instances list”.*Nobody is signed in: check gce-workload-identity/);
    expectNowhere(error, other.inputs['gce-key'] ?? '');
  });

  test('that quotes a token, without it', async () => {
    cloud.refuse(() => ({ status: 400, message: 'What is ya29.a0-b_c?' }));
    expect((await failureOf(start(open().driver))).message).toContain('What is ***?');
  });

  test('when Google can’t be reached', async () => {
    const { driver } = open();
    setEnvironment({ CLOUDSDK_AUTH_TOKEN_HOST: 'http://127.0.0.1:9/token' });
    expect((await failureOf(driver.status(NAME))).message).toContain('It can’t be reached: check the network');
  });

  test('when the CLI is not there', async () => {
    const { driver } = open();
    setEnvironment({ PATH: temporaryFolder() });
    const error = await failureOf(driver.status(NAME));
    expect(error.message).toMatch(/program gcloud can’t be started.*It was to ask Compute Engine about the project/);
  });
});

describe('the whole action', () => {
  let base: string;
  let api: GithubApi;
  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), 'gce-action-'));
    api = await startGithubApi();
  });
  afterAll(async () => {
    await api?.close();
    await rm(base, { recursive: true, force: true });
  });

  function action(mode: string, runId: string, inputs: Readonly<Record<string, string>> = {}): GpuServerRun {
    const more = { mode, 'runner-dir': STAND_IN, 'lifetime-hours': '1', 'stop-timeout-minutes': '3' };
    return { workspace: base, api, runId, env: cloud.env, inputs: { ...cloud.inputs, ...more, ...inputs } };
  }

  test('start, train, stop: the server stands while it is needed, and nothing is left', async () => {
    cloud.bootInstances();
    api.runs.set('910', { status: 'in_progress', run_attempt: 1 });
    const started = await runGpuServer(action('start', '910'));
    expect(started).toMatchObject({ exitCode: 0, outputs: { name: 'diatom-910-1' } });
    api.giveJob('diatom-910-1');
    await vi.waitFor(() => expect(api.runnerNamed('diatom-910-1')?.busy).toBe(true), SOON);
    expect(await runGpuServer(action('reap', '919'))).toMatchObject({ exitCode: 0 });
    expect(cloud.instances.size).toBe(1);
    expect(await runGpuServer(action('stop', '910'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(cloud.instances.size).toBe(0);
    expect(started.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain('PRIVATE KEY');
  });

  test('a start that was killed, with nobody who stops anything: the cloud deletes the server at its deadline', async () => {
    api.runs.set('911', { status: 'in_progress', run_attempt: 1 });
    await runUntil(action('start', '911', { 'lifetime-hours': '0.009' }), POINTS.afterStart, 'SIGKILL');
    expect(cloud.instances.size).toBe(1);
    await vi.waitFor(() => expect(cloud.instances.size).toBe(0), SOON);
  });

  test('the end of its runner deletes the server, also when Google fails for a while', async () => {
    cloud.bootInstances();
    api.runs.set('912', { status: 'in_progress', run_attempt: 1 });
    let failures = 1;
    cloud.refuse(({ method }) =>
      method === 'DELETE' && failures-- > 0 ? { status: 503, message: 'Backend Error' } : undefined,
    );
    const deletions = () => cloud.requests.filter(({ method }) => method === 'DELETE').length;
    const before = deletions();
    await runUntil(action('start', '912', { 'pick-up-minutes': '0.1' }), POINTS.afterStart, 'SIGKILL');
    await vi.waitFor(() => expect(deletions()).toBeGreaterThan(before + 1), { timeout: 240_000, interval: 500 });
    await vi.waitFor(() => expect(cloud.instances.size).toBe(0), SOON);
  });

  test('without an account to delete itself, a server whose runner ends switches itself off, and its disk is reaped', async () => {
    cloud.bootInstances();
    api.runs.set('913', { status: 'in_progress', run_attempt: 1 });
    const none = { 'gce-delete-account': '', 'pick-up-minutes': '0.1' };
    await runUntil(action('start', '913', none), POINTS.afterStart, 'SIGKILL');
    await vi.waitFor(() => expect(only()?.status).toBe('TERMINATED'), { timeout: 120_000, interval: 500 });
    api.runs.set('913', { status: 'completed', run_attempt: 1 });
    expect(await runGpuServer(action('reap', '919', none))).toMatchObject({ exitCode: 0 });
    expect(cloud.instances.size).toBe(0);
  });

  test.each([POINTS.beforeStart, POINTS.waitingForRunner])(
    'a start that was killed at %s is ended by the stop, and by the reaper once its run is over, not before',
    async (point) => {
      cloud.bootInstances();
      for (const [runId, end] of [
        ['914', 'stop'],
        ['915', 'reap'],
      ] as const) {
        api.runs.set(runId, { status: 'in_progress', run_attempt: 1 });
        await runUntil(action('start', runId), point, 'SIGKILL');
        // What it has asked for may come into being later.
        await sleep(5_000);
        if (end === 'reap') {
          const there = cloud.instances.size;
          expect(await runGpuServer(action('reap', '919'))).toMatchObject({ exitCode: 0 });
          expect(cloud.instances.size).toBe(there);
          api.runs.set(runId, { status: 'completed', run_attempt: 1 });
        }
        expect(await runGpuServer(action(end, end === 'reap' ? '919' : runId))).toMatchObject({ exitCode: 0 });
        expect(cloud.instances.size).toBe(0);
      }
    },
  );

  test('a stop that was killed is finished by the next', async () => {
    cloud.bootInstances();
    api.runs.set('916', { status: 'in_progress', run_attempt: 1 });
    await runGpuServer(action('start', '916'));
    await runUntil(action('stop', '916'), POINTS.beforeStop, 'SIGKILL');
    expect(await runGpuServer(action('stop', '916'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(cloud.instances.size).toBe(0);
  });

  test('a stop in another project is red as long as GitHub shows the runner online, and says what to check', async () => {
    cloud.bootInstances();
    api.runs.set('917', { status: 'in_progress', run_attempt: 1 });
    expect(await runGpuServer(action('start', '917'))).toMatchObject({ exitCode: 0 });
    // Another one of the same account, which is empty.
    const elsewhere = await startGce();
    const where = { ...action('stop', '917'), env: elsewhere.env };
    const inputs = { ...where.inputs, 'gce-key': elsewhere.inputs['gce-key'] ?? '', 'stop-timeout-minutes': '0.3' };
    const stopped = await runGpuServer({ ...where, inputs });
    await elsewhere.close();
    expect(stopped).toMatchObject({ exitCode: 1 });
    expect(stopped.stdout).toMatch(/GitHub shows its runner diatom-917-1 online.*Check gce-project/);
    expect(cloud.instances.size).toBe(1);
    expect(await runGpuServer(action('stop', '917'))).toMatchObject({ exitCode: 0 });
  });

  test('a stop while Google does not answer is red, and says what to do by hand', async () => {
    cloud.refuse(() => ({ status: 503, message: 'Backend Error' }));
    const stopped = await runGpuServer(action('stop', '918', { 'stop-timeout-minutes': '0.1' }));
    expect(stopped).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
    expect(stopped.stdout).toMatch(/diatom-918-1 may still run and cost money/);
    expect(stopped.stdout).toMatch(/open the Google Cloud console.*VM instances.*Compute Engine deletes the instance/);
  });
});
