import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGithubApi } from '../../src/github/api.ts';
import { type App, appTokens } from '../../src/github/app.ts';
import { runnerOwner } from '../../src/github/runner-owner.ts';
import { isNewEnough, newestRunner, runnerOfVersion } from '../../src/github/runner-software.ts';
import { hasLabels, listRunners, registerRunner, removeRunner } from '../../src/github/runners.ts';
import { findRun, liveRuns } from '../../src/github/runs.ts';
import { createHttpClient, type HttpClient } from '../../src/http/client.ts';
import { failureOf } from '../helpers/failure.ts';
import { type GithubApi, REPOSITORY, startGithubApi } from '../helpers/github-api.ts';

const repository = runnerOwner('repository', REPOSITORY);
const organization = runnerOwner('organization', REPOSITORY);
const { signal } = new AbortController();
const policy = { tries: 2, firstDelayMs: 1, maxDelayMs: 1, maxRetryAfterMs: 1 };

let stand: GithubApi;
let http: HttpClient;
beforeEach(async () => {
  stand = await startGithubApi();
  http = createHttpClient();
});
afterEach(async () => {
  await http.close();
  await stand.close();
});

function api(token = stand.runnerToken) {
  return createGithubApi({
    http,
    baseUrl: stand.url,
    token: async () => token,
    tokenName: 'runner-token',
    permission: 'rights',
    signal,
    policy,
  });
}

describe('runners', () => {
  test('all of them are listed, however many', async () => {
    for (let number = 0; number < 205; number++) {
      stand.addRunner({ name: `runner-${number}`, labels: ['self-hosted'], status: 'online' });
    }
    expect(await listRunners(api(), repository)).toHaveLength(205);
    expect(stand.requests).toHaveLength(3);
  });

  test('labels are compared without case, and all of them have to be there', () => {
    const runner = { labels: ['self-hosted', 'GPU'] };
    expect(hasLabels(runner, ['Self-Hosted', 'gpu'])).toBe(true);
    expect(hasLabels(runner, ['gpu', 'lab'])).toBe(false);
  });

  test('one is registered for one job', async () => {
    const jit = await registerRunner(api(), repository, { name: 'diatom-1-1', labels: ['x', 'diatom-1-1'], group: '' });
    expect(JSON.parse(Buffer.from(jit, 'base64').toString())).toMatchObject({ name: 'diatom-1-1' });
    const [runner] = await listRunners(api(), repository, 'diatom-1-1');
    expect(runner).toMatchObject({ isOnline: false, busy: false });
    expect(runner?.labels).toEqual(['x', 'diatom-1-1', expect.stringMatching(/^start-[0-9a-f]{8}$/)]);
  });

  const register = () => registerRunner(api(), repository, { name: 'diatom-1-1', labels: ['x'], group: '' });

  test('a registration of its own whose answer was lost is replaced', async () => {
    stand.failNext({ path: 'generate-jitconfig', status: 0, late: true });
    const jit = await register();
    expect(stand.requests.filter((request) => request.includes('generate-jitconfig'))).toHaveLength(3);
    expect(stand.runners.size).toBe(1);
    const { runnerId } = JSON.parse(Buffer.from(jit, 'base64').toString());
    expect(stand.runnerNamed('diatom-1-1')?.id).toBe(runnerId);
  });

  test('a registration of somebody else under the same name is left alone', async () => {
    await register();
    const before = stand.runnerNamed('diatom-1-1')?.id;
    expect(await failureOf(register())).toMatchObject({ code: 'GITHUB', status: 409 });
    expect(stand.runnerNamed('diatom-1-1')?.id).toBe(before);
  });

  test('it is removed; none is fine, and one that has a job stays', async () => {
    await registerRunner(api(), repository, { name: 'diatom-1-1', labels: ['x'], group: '' });
    expect(await removeRunner(api(), repository, 'diatom-1-1')).toBe('removed');
    expect(await removeRunner(api(), repository, 'diatom-1-1')).toBe('none');
    stand.addRunner({ name: 'diatom-2-1', labels: ['x'], status: 'online', busy: true });
    expect(await removeRunner(api(), repository, 'diatom-2-1')).toBe('busy');
    expect(stand.runners.size).toBe(1);
  });

  test('in an organisation it joins the group that is named', async () => {
    await registerRunner(api(), organization, { name: 'diatom-1-1', labels: ['x'], group: 'GPU servers' });
    expect(stand.runnerNamed('diatom-1-1')).toBeDefined();
    const error = await failureOf(registerRunner(api(), organization, { name: 'y', labels: ['x'], group: 'Lab' }));
    expect(error).toMatchObject({ code: 'INPUT' });
    expect(error.message).toContain('no such runner group; it has “GPU servers”');
  });

  test('a job’s own token is refused in words that say what is needed', async () => {
    expect((await failureOf(listRunners(api(stand.jobToken), repository))).message).toContain('It needs rights');
  });
});

describe('an App', () => {
  function tokens(app: App, owner = repository, onToken: (token: string) => void = () => {}) {
    return appTokens(app, owner, { http, baseUrl: stand.url, signal, policy }, onToken);
  }

  test.each([repository, organization])('gets a token for the runners of the $scope, once', async (owner) => {
    const seen: string[] = [];
    const token = tokens(stand.app, owner, (made) => seen.push(made));
    expect(await token()).toBe(await token());
    expect(seen).toEqual([await token()]);
    expect(stand.requests).toHaveLength(2);
  });

  test('may have its key on one line, as secrets sometimes are', async () => {
    const privateKey = stand.app.privateKey.trim().replaceAll('\n', '\\n');
    expect(await tokens({ ...stand.app, privateKey })()).toMatch(/^ghs_/);
  });

  test('with a text that is no key is refused before anybody is asked', async () => {
    const error = await failureOf(() => tokens({ id: '1', privateKey: 'not-a-key' }));
    expect(error).toMatchObject({ code: 'INPUT' });
    expect(error.message).not.toContain('not-a-key');
    expect(stand.requests).toEqual([]);
  });

  test('with the key of another App is refused by GitHub', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = { ...stand.app, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    expect((await failureOf(tokens(other))).message).toContain('the App (app-id, app-private-key) is wrong');
  });

  test('that is not installed, or was not given the permission, says so', async () => {
    stand.failNext({ path: '/installation', status: 404 });
    expect((await failureOf(tokens(stand.app))).message).toContain('is not installed for example/diatoms');
    stand.failNext({ path: '/access_tokens', status: 422 });
    expect((await failureOf(tokens(stand.app))).message).toContain('was not given “Administration: read and write”');
  });
});

describe('the runner’s software', () => {
  test('is the newest that GitHub offers for Linux', async () => {
    expect(await newestRunner(api(), repository, 'x64')).toEqual({
      url: expect.stringContaining('actions-runner-linux-x64-2.340.0.tar.gz'),
      sha256: 'a'.repeat(64),
      version: '2.340.0',
    });
    expect((await failureOf(newestRunner(api(), repository, 'arm64'))).message).toContain('no runner for Linux arm64');
  });

  test('is refused when it is too old', async () => {
    const old = await startGithubApi({
      software: { url: 'https://example.org/x', sha256: 'b'.repeat(64), version: '2.335.9' },
    });
    const github = createGithubApi({
      http,
      baseUrl: old.url,
      token: async () => old.runnerToken,
      tokenName: 'runner-token',
      permission: 'rights',
      signal,
    });
    const error = await failureOf(newestRunner(github, repository, 'x64'));
    await old.close();
    expect(error.message).toContain('version 2.335.9 of the runner for Linux x64, and 2.336.0 or newer is needed');
  });

  test('of a version has the sum of its release, or the one that is given', async () => {
    expect(await runnerOfVersion(api(), '2.340.0', 'x64', undefined)).toMatchObject({ sha256: 'a'.repeat(64) });
    const asked = stand.requests.length;
    expect(await runnerOfVersion(api(), '2.341.0', 'arm64', 'c'.repeat(64))).toEqual({
      url: 'https://github.com/actions/runner/releases/download/v2.341.0/actions-runner-linux-arm64-2.341.0.tar.gz',
      sha256: 'c'.repeat(64),
      version: '2.341.0',
    });
    expect(stand.requests).toHaveLength(asked);
    expect((await failureOf(runnerOfVersion(api(), '2.342.0', 'x64', undefined))).message).toContain(
      'GitHub knows no version 2.342.0 of the runner',
    );
    expect((await failureOf(runnerOfVersion(api(), '2.340.0', 'arm64', undefined))).message).toContain('no SHA-256');
  });

  test.each([
    ['2.336.0', true],
    ['2.335.1', false],
    ['3.0.0', true],
    ['1.999.0', false],
    ['2.336', false],
    ['latest', false],
  ])('%s is new enough: %s', (version, expected) => {
    expect(isNewEnough(version)).toBe(expected);
  });
});

describe('runs', () => {
  test('a run is over or not, and may have been deleted', async () => {
    stand.runs.set('5', { status: 'completed', run_attempt: 3 });
    const github = api(stand.jobToken);
    expect(await findRun(github, REPOSITORY, '5')).toEqual({ isOver: true, attempt: 3 });
    expect(await findRun(github, REPOSITORY, '1')).toEqual({ isOver: false, attempt: 1 });
    expect(await findRun(github, REPOSITORY, '404')).toBeUndefined();
  });

  test('is not taken for deleted when the token may see none at all', async () => {
    stand.failNext({ path: '/actions/runs', status: 404 }, { path: '/actions/runs', status: 404 });
    expect((await failureOf(findRun(api(stand.jobToken), REPOSITORY, '1'))).message).toContain('may not see it');
  });

  test('those that go on are found, whatever they wait for', async () => {
    stand.runs.set('5', { status: 'completed', run_attempt: 1 });
    stand.runs.set('6', { status: 'waiting', run_attempt: 1 });
    stand.runs.set('7', { status: 'queued', run_attempt: 1 });
    expect((await liveRuns(api(stand.jobToken), REPOSITORY)).sort()).toEqual(['1', '6', '7']);
  });
});
