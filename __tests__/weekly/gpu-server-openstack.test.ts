import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Driver } from '../../src/gpu-server/driver.ts';
import { openOpenstack } from '../../src/gpu-server/openstack-driver.ts';
import { openstackInputs } from '../../src/gpu-server/openstack-inputs.ts';
import { run } from '../helpers/commands.ts';
import { bootMachine, type Machine } from '../helpers/ec2-machine.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { type GpuServerRun, POINTS, runGpuServer, runUntil } from '../helpers/gpu-server.ts';
import { type OpenStackCloud, startOpenStack } from '../helpers/openstack.ts';
import { setInputs, temporaryFolder } from '../helpers/runner.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const [NAME, REPOSITORY, JIT] = ['diatom-900-1', 'example/diatoms', 'anVzdC1pbi10aW1lLWNvbmZpZ3VyYXRpb24'];
const SOON = { timeout: 60_000, interval: 500 };

let cloud: OpenStackCloud;
beforeAll(async () => {
  cloud = await startOpenStack();
});
afterEach(() => cloud.reset());
afterAll(() => cloud?.close());

function open(inputs: Readonly<Record<string, string>> = {}, cancel = new AbortController()) {
  setInputs({ mode: 'start', ...cloud.inputs, ...inputs });
  const temporary = temporaryFolder();
  const limits = { answerMs: 60_000, stopMs: 60_000, startMs: 60_000 };
  const context = { env: process.env, repository: REPOSITORY, limits, temporary, signal: cancel.signal };
  return { temporary, driver: openOpenstack(openstackInputs(), { ...context, onWarning: () => {} }) };
}

function start(driver: Driver, name = NAME, repository = REPOSITORY): Promise<void> {
  const runner = { jitConfig: JIT, software: { directory: STAND_IN }, pickUpMinutes: 15 };
  return driver.start({ name, repository, maxMinutes: 90, runner });
}

const only = () => [...cloud.servers.values()][0];

describe('a server that is made for a run', () => {
  test('is asked for with all that the inputs name, and with what deletes it', async () => {
    const { driver, temporary } = open({ 'openstack-zones': 'east', 'openstack-key-name': 'mine' });
    await start(driver);
    expect(cloud.servers.size).toBe(1);
    expect(only()).toMatchObject({
      name: NAME,
      flavor: 'gpu.a100',
      zone: 'east',
      status: 'ACTIVE',
      metadata: { 'diatom:repository': REPOSITORY },
      asked: {
        key_name: 'mine',
        security_groups: [{ name: expect.any(String) }],
        networks: [{ uuid: expect.any(String) }],
      },
    });
    const deadline = new Date(only()?.metadata['diatom:deadline'] ?? '').getTime();
    expect(Math.abs(deadline - Date.now() - 90 * 60_000)).toBeLessThan(5 * 60_000);
    const text = only()?.userData ?? '';
    // Should nothing delete it, it switches itself off, after all tries.
    expect(text.split('\n')[1]).toMatch(/^shutdown -P \+110 /);
    expect(text).toContain(JIT);
    expect(text).toContain(cloud.inputs['openstack-delete-secret']);
    expect(text).not.toContain(cloud.inputs['openstack-credential-secret']);
    expect(readdirSync(temporary)).toEqual([]);
    await driver.stop(NAME);
    expect((await driver.status(NAME)).state).toBe('stopping');
    await vi.waitFor(async () => expect(await driver.status(NAME)).toMatchObject({ state: 'gone', detail: '' }), SOON);
    await driver.stop(NAME);
  });

  test('boots from a volume that is deleted with it, where a size is given', async () => {
    const { driver } = open({ 'openstack-disk-gb': '120' });
    await start(driver);
    expect(only()?.asked['block_device_mapping_v2']).toMatchObject([
      { volume_size: 120, boot_index: 0, destination_type: 'volume', delete_on_termination: true },
    ]);
  });

  test('keeps all secrets out of every argument', async () => {
    const { driver } = open();
    let processes = '';
    cloud.onServer(async (_, what) => {
      if (what === 'made') processes = await run('ps', ['-eww', '-o', 'args']);
    });
    await start(driver);
    expect(processes).toContain('server create');
    for (const input of ['openstack-credential-secret', 'openstack-delete-secret']) {
      expect(processes).not.toContain(cloud.inputs[input]);
    }
    expect(processes).not.toContain(JIT);
  });

  test('is found, not made again, by a second start', async () => {
    await start(open().driver);
    await start(open().driver);
    expect(cloud.servers.size).toBe(1);
  });

  test('comes from the first flavor and zone that have room, and nothing stays of the others', async () => {
    for (const choice of ['gpu.a100', 'gpu.t4 in east']) cloud.full.add(choice);
    const { driver } = open({ 'openstack-zones': 'east, west' });
    await start(driver);
    await vi.waitFor(async () => expect(await driver.list()).toHaveLength(1), SOON);
    expect(only()).toMatchObject({ flavor: 'gpu.t4', zone: 'west', status: 'ACTIVE' });
  });

  test('that nobody has room for is said so, by each flavor', async () => {
    for (const choice of ['gpu.a100', 'gpu.t4']) cloud.full.add(choice);
    const error = await failureOf(start(open().driver));
    expect(error.message).toMatch(/no server to give:\n- gpu.a100: No valid host\n- gpu.t4: No valid host/);
  });

  test('for which the quota is used up comes from another flavor', async () => {
    cloud.refuse(({ method, path, body }) =>
      method === 'POST' && path.endsWith('/servers') && JSON.stringify(body).includes('gpu.a100')
        ? { status: 403, message: 'Quota exceeded for cores: Requested 32, but already used 32 of 32 cores' }
        : undefined,
    );
    await start(open().driver);
    expect(only()?.flavor).toBe('gpu.t4');
  });
});

test('a stop ends what has the name, and nothing else', async () => {
  const { driver } = open();
  const names = [NAME, `${NAME}-lake`, 'diatom-900-11'];
  await Promise.all(names.map((name) => start(driver, name)));
  await driver.stop(NAME);
  await vi.waitFor(async () => expect((await driver.status(NAME)).state).toBe('gone'), SOON);
  expect([...cloud.servers.values()].map(({ name }) => name).sort()).toEqual(names.slice(1).sort());
});

test('a list has the servers of this repository, those that are off or broken among them', async () => {
  const { driver } = open();
  await start(driver);
  await start(driver, 'diatom-901-1', 'example/other');
  const server = only();
  if (!server) throw new Error('There is no server.');
  for (const status of ['SHUTOFF', 'ERROR'] as const) {
    server.status = status;
    expect(await driver.list()).toMatchObject([{ name: NAME, state: 'running', detail: `${server.id} is ${status}` }]);
  }
  const status = await driver.status(NAME);
  expect(status.runningSince?.getTime()).toBeLessThanOrEqual(Date.now());
  expect(await status.lastLines()).toBe(`login: of ${NAME}`);
});

describe('a failure says what to do', () => {
  test.each([
    ['openstack-credential-secret', 'wrong', /requires authentication.*check openstack-credential-id/],
    ['openstack-image', 'no-such-image', /no-such-image.*Check the openstack-… inputs/],
    ['openstack-flavors', 'no-such-flavor', /no-such-flavor.*Check the openstack-… inputs/],
    ['openstack-auth-url', 'http://127.0.0.1:9/v3', /It can’t be reached: check openstack-auth-url/],
  ])('when %s is “%s”', async (input, value, message) => {
    const error = await failureOf(start(open({ [input]: value }).driver));
    expect(error).toMatchObject({ code: 'SERVER', message: expect.stringMatching(message) });
    for (const secret of [JIT, cloud.inputs['openstack-credential-secret'], cloud.inputs['openstack-delete-secret']]) {
      expectNowhere(error, secret ?? '');
    }
  });

  test('when the CLI is not there', async () => {
    vi.stubEnv('PATH', temporaryFolder());
    onTestFinished(() => void vi.unstubAllEnvs());
    const error = await failureOf(open().driver.status(NAME));
    expect(error.message).toMatch(/program openstack can’t be started.*It was to ask OpenStack at/);
  });
});

describe('the whole action', () => {
  let base: string;
  let api: GithubApi;
  const machines = new Map<string, Machine>();
  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), 'openstack-action-'));
    api = await startGithubApi();
  });
  afterEach(async () => {
    for (const machine of machines.values()) await machine.destroy();
    machines.clear();
  });
  afterAll(async () => {
    await api?.close();
    await rm(base, { recursive: true, force: true });
  });

  /** A server has a machine behind it, until it is deleted. */
  function bootServers(): void {
    cloud.onServer(async ({ id, userData }, what) => {
      if (what === 'made') machines.set(id, bootMachine(userData, { id }));
      else await machines.get(id)?.destroy();
    });
  }

  function action(mode: string, runId: string, inputs: Readonly<Record<string, string>> = {}): GpuServerRun {
    const more = { mode, 'runner-dir': STAND_IN, 'lifetime-hours': '1', 'stop-timeout-minutes': '3' };
    return { workspace: base, api, runId, inputs: { ...cloud.inputs, ...more, ...inputs } };
  }

  const deletions = () => cloud.requests.filter(({ method }) => method === 'DELETE').length;

  test('start, train, stop: the server stands while it is needed, and nothing is left', async () => {
    bootServers();
    api.runs.set('910', { status: 'in_progress', run_attempt: 1 });
    const started = await runGpuServer(action('start', '910'));
    expect(started).toMatchObject({ exitCode: 0, outputs: { name: 'diatom-910-1' } });
    api.giveJob('diatom-910-1');
    await vi.waitFor(() => expect(api.runnerNamed('diatom-910-1')?.busy).toBe(true), SOON);
    expect(await runGpuServer(action('reap', '919'))).toMatchObject({ exitCode: 0 });
    expect(cloud.servers.size).toBe(1);
    expect(await runGpuServer(action('stop', '910'))).toMatchObject({ exitCode: 0, outputs: { state: 'gone' } });
    expect(cloud.servers.size).toBe(0);
    for (const secret of ['openstack-credential-secret', 'openstack-delete-secret']) {
      expect(started.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(cloud.inputs[secret]);
    }
  });

  test('a start that was killed, with nobody who stops anything: the server deletes itself at its deadline', async () => {
    bootServers();
    api.runs.set('911', { status: 'in_progress', run_attempt: 1 });
    await runUntil(action('start', '911', { 'lifetime-hours': '0.008' }), POINTS.afterStart, 'SIGKILL');
    api.giveJob('diatom-911-1');
    expect(cloud.servers.size).toBe(1);
    const before = deletions();
    await vi.waitFor(() => expect(deletions()).toBeGreaterThan(before), { timeout: 240_000, interval: 500 });
  });

  test('the end of its runner deletes the server, also when OpenStack fails for a while', async () => {
    bootServers();
    api.runs.set('912', { status: 'in_progress', run_attempt: 1 });
    let failures = 1;
    cloud.refuse(({ method }) =>
      method === 'DELETE' && failures-- > 0 ? { status: 503, message: 'Service Unavailable' } : undefined,
    );
    const before = deletions();
    await runUntil(action('start', '912', { 'pick-up-minutes': '1' }), POINTS.afterStart, 'SIGKILL');
    await vi.waitFor(() => expect(deletions()).toBeGreaterThan(before + 1), { timeout: 240_000, interval: 500 });
  });

  test('what a server has been given may delete, and nothing else', async () => {
    await start(open().driver);
    const other = open({
      'openstack-credential-id': cloud.inputs['openstack-delete-id'] ?? '',
      'openstack-credential-secret': cloud.inputs['openstack-delete-secret'] ?? '',
    });
    expect((await failureOf(other.driver.list())).message).toContain('requires authentication');
  });

  test('a start that was killed is reaped once its run is over, and not while it goes on', async () => {
    bootServers();
    api.runs.set('913', { status: 'in_progress', run_attempt: 1 });
    await runUntil(action('start', '913'), POINTS.afterStart, 'SIGKILL');
    const kept = await runGpuServer(action('reap', '919'));
    expect(kept.summary).toContain('its run goes on');
    expect(cloud.servers.size).toBe(1);
    api.runs.set('913', { status: 'completed', run_attempt: 1 });
    expect(await runGpuServer(action('reap', '919'))).toMatchObject({ exitCode: 0 });
    expect(cloud.servers.size).toBe(0);
  });

  test('without what deletes it, a start warns that nothing ends the server', async () => {
    bootServers();
    api.runs.set('914', { status: 'in_progress', run_attempt: 1 });
    const none = { 'openstack-delete-id': '', 'openstack-delete-secret': '' };
    const started = await runGpuServer(action('start', '914', none));
    expect(started.stdout).toContain('Nothing ends an OpenStack server');
    expect(await runGpuServer(action('stop', '914', none))).toMatchObject({ exitCode: 0 });
  });

  test('a stop while OpenStack does not answer is red, and says what to do by hand', async () => {
    cloud.refuse(() => 'cut');
    const stopped = await runGpuServer(action('stop', '915', { 'stop-timeout-minutes': '0.1' }));
    expect(stopped).toMatchObject({ exitCode: 1, outputs: { state: 'unknown' } });
    expect(stopped.stdout).toMatch(/diatom-915-1 may still run and cost money/);
    expect(stopped.stdout).toMatch(/dashboard, project, Compute, Instances/);
  });
});
