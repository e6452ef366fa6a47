import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../helpers/failure.ts';
import { type GithubApi, REPOSITORY, startGithubApi } from '../helpers/github-api.ts';
import { MODEL_FOLDER, modelDir, publishTask, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

let api: GithubApi;
beforeEach(async () => {
  api = await startGithubApi();
});
afterEach(() => api.close());

const SERVER = 'https://github.com';
const HOLDER = { run: '17', attempt: 1, repository: REPOSITORY, server: SERVER };

/** Publishes as attempt 2 of run 18, while a run holds the model's folder. */
async function publishBeside(changes: Partial<typeof HOLDER>, githubToken = api.jobToken) {
  const { server: from, repository, run, attempt } = { ...HOLDER, ...changes };
  const server = await ownServer();
  const lock = join(server.directory, MODEL_FOLDER, '.publish-lock');
  await mkdir(lock, { recursive: true });
  const since = new Date().toISOString();
  const note = `owner-${since.replace(/[-:]|\.\d+/g, '')}-0123abcd.txt`;
  await writeFile(join(lock, note), `${from}/${repository}/actions/runs/${run}/attempts/${attempt}\nsince ${since}\n`);
  const env = {
    ...api.environment,
    GITHUB_SERVER_URL: SERVER,
    GITHUB_REPOSITORY: REPOSITORY,
    GITHUB_RUN_ID: '18',
    GITHUB_RUN_ATTEMPT: '2',
  };
  const publishing = runPublish({
    url: server.url,
    task: publishTask(await modelDir('v1'), 'v1'),
    inputs: { githubToken },
    context: { env },
  });
  return { publishing, left: () => readdir(lock) };
}

test.each<[string, Partial<typeof HOLDER>, { status: 'in_progress' | 'completed'; run_attempt: number }]>([
  ['a run that is over', {}, { status: 'completed', run_attempt: 1 }],
  ['an attempt before the one that goes on', {}, { status: 'in_progress', run_attempt: 2 }],
  ['an attempt of this run before this one', { run: '18' }, { status: 'in_progress', run_attempt: 2 }],
])('the lock of %s is taken over at once, and said', async (_, holder, state) => {
  api.runs.set(holder.run ?? HOLDER.run, state);
  const { publishing, left } = await publishBeside(holder);
  const { promoted, warnings } = await publishing;
  expect(promoted).toBe(true);
  expect(warnings.join()).toContain('Another run has ended without giving back what it held here');
  expect(await left()).toEqual([]);
});

test.each<[string, Partial<typeof HOLDER>, string?]>([
  ['a run that goes on', { run: '19' }],
  ['another job of this run', { run: '18', attempt: 2 }],
  ['a run that was deleted', { run: '20' }],
  ['a run of another repository', { repository: 'other/diatoms' }],
  ['a run of another server', { server: 'https://github.example.org' }],
  ['a run that nobody may ask about', {}, ''],
])('the lock of %s is judged by its age', async (_, holder, token) => {
  api.runs.set('17', { status: 'completed', run_attempt: 1 });
  api.runs.set('18', { status: 'in_progress', run_attempt: 2 });
  api.runs.set('19', { status: 'in_progress', run_attempt: 1 });
  const { publishing, left } = await publishBeside(holder, token);
  const { message } = await failureOf(publishing);
  expect(message).toContain('Another run is at work here');
  expect(await left()).toHaveLength(1);
});
