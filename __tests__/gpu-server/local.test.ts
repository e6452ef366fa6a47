import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { runGpuServer } from '../helpers/gpu-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';

let api: GithubApi;
beforeEach(async () => {
  api = await startGithubApi();
});
afterEach(() => api.close());

function local(
  mode: string,
  inputs: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  return runGpuServer({ workspace: temporaryFolder(), api, inputs: { mode, driver: 'local', ...inputs }, env });
}

test('a start is done when a runner with all labels is online, busy or not', async () => {
  api.addRunner({ name: 'lab-1', labels: ['self-hosted'], status: 'online' });
  api.addRunner({ name: 'lab-2', labels: ['self-hosted', 'GPU'], status: 'online', busy: true });
  const result = await local('start');
  expect(result).toMatchObject({
    exitCode: 0,
    outputs: { name: 'diatom-1-1', label: '', 'runs-on': '["self-hosted","gpu"]', deadline: '' },
    state: { unfinished: 'done' },
  });
  expect(result.stdout).toContain('The runner lab-2 is online and has a job.');
  expect(result.stdout).not.toContain('::warning::');
});

test('a start is red when none is online in time', async () => {
  api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'gpu'], status: 'offline' });
  const result = await local('start', { 'start-timeout-minutes': '0.05' });
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toContain('Waited 3 s for a runner with the labels self-hosted, gpu, and it did not come');
});

test('a token that GitHub refuses is said at once, and not waited for', async () => {
  const result = await local('start', { 'runner-token': api.jobToken });
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toContain('runner-token is not allowed to do this');
});

test('without a token nobody asks GitHub for runners', async () => {
  const result = await local('start', { 'runner-token': '' });
  expect(result).toMatchObject({ exitCode: 0 });
  expect(result.stdout).toContain('nobody can say');
  expect(api.requests).toEqual([]);
});

test('a stop does nothing, and says so', async () => {
  const result = await local('stop');
  expect(result).toMatchObject({ exitCode: 0, outputs: { state: 'running' } });
  expect(result.stdout).toContain('there is nothing to stop');
  expect(result.summary).toContain('nothing was stopped');
});

test.runIf(existsSync('/dev/full'))(
  'a full disk keeps no server from being stopped, and lets none be started',
  async () => {
    const full = { GITHUB_OUTPUT: '/dev/full', GITHUB_STEP_SUMMARY: '/dev/full', GITHUB_STATE: '/dev/full' };
    const [stop, start] = await Promise.all(['stop', 'start'].map((mode) => local(mode, {}, full)));
    expect(stop).toMatchObject({ exitCode: 0, stderr: '' });
    expect(stop?.stdout).toContain('could not be noted');
    expect(start?.exitCode).toBe(1);
    expect(start?.stdout).toContain('::error::Nothing was begun');
  },
);

test('a status says who is online, and is red when GitHub refuses', async () => {
  api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'gpu'], status: 'offline' });
  const good = await local('status');
  expect(good).toMatchObject({ exitCode: 0, outputs: { state: 'running' } });
  expect(good.summary).toContain('lab-1 (offline)');
  const bad = await local('status', { 'github-token': 'wrong' });
  expect(bad.exitCode).toBe(1);
  expect(bad.summary).toMatch(/❌ \| Workflow runs can be read.*github-token is wrong/);
});

test('two trainings of one run share the machine: the stop of one, and a reaper, leave it to the other', async () => {
  api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'gpu'], status: 'online' });
  const keys = ['forest', 'lake'];
  const started = await Promise.all(keys.map((key) => local('start', { key })));
  expect(started.map(({ outputs }) => outputs['runs-on'])).toEqual(Array(2).fill('["self-hosted","gpu"]'));
  for (const [mode, key] of [
    ['stop', 'forest'],
    ['reap', ''],
    ['start', 'forest'],
    ['stop', 'lake'],
  ]) {
    expect(await local(mode ?? '', { key: key ?? '' })).toMatchObject({ exitCode: 0 });
    expect(api.runnerNamed('lab-1')?.status).toBe('online');
  }
});

test('a reaper finds nothing', async () => {
  const result = await local('reap');
  expect(result).toMatchObject({ exitCode: 0 });
  expect(result.summary).toContain('No server of this repository was left behind.');
});
