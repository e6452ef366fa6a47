import { spawn } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { failureOf } from '../helpers/failure.ts';
import { MODEL_FOLDER, modelDir, publishTask, rollBackTask, runPublish } from '../helpers/model.ts';
import { ownServer, PASSWORD, temporaryFolder, USER } from '../helpers/owncloud.ts';
import { contentsOf } from '../helpers/prepare-data.ts';
import { defaultsOf } from '../helpers/runner.ts';

async function lab(options: Parameters<typeof ownServer>[0] = {}) {
  const { directory, url } = await ownServer(options);
  const folder = (...path: string[]) => join(directory, MODEL_FOLDER, ...path);
  const zips = async () => (await readdir(folder())).filter((name) => name.endsWith('.zip')).sort();
  return { url, folder, zips };
}

test('beside production lies one zip of it, and none of the versions before; zips of others stay', async () => {
  const { url, folder, zips } = await lab();
  const first = await runPublish({ url, task: publishTask(await modelDir('a'), 'v1') });
  expect(await zips()).toEqual(['diatoms-v1.zip']);
  expect(first.download).toMatch(/\/models\/diatoms\/diatoms-v1\.zip$/);
  // Of somebody else: beside folders, too, that could be versions.
  for (const name of ['notes', 'v0', 'diatoms-v0.zip']) await mkdir(folder(name));
  await writeFile(folder('diatoms-notes.zip'), 'mine');
  await copyFile(folder('diatoms-v1.zip'), folder('diatoms-final.zip'));
  await runPublish({ url, task: publishTask(await modelDir('b'), 'v2') });
  expect(await zips()).toEqual(['diatoms-final.zip', 'diatoms-notes.zip', 'diatoms-v0.zip', 'diatoms-v2.zip']);

  const contents = await contentsOf(folder('diatoms-v2.zip'));
  const names = (await readdir(folder('v2'))).filter((name) => name !== 'verdict.json');
  expect([...contents.keys()].sort()).toEqual(names.map((name) => `diatoms-v2/${name}`).sort());
  for (const name of names) {
    expect(contents.get(`diatoms-v2/${name}`), name).toEqual(await readFile(folder('v2', name)));
  }
});

test('a roll-back makes it of what lies on the server, and a run that changes nothing leaves it', async () => {
  const { url, folder, zips } = await lab();
  await runPublish({ url, task: publishTask(await modelDir('a'), 'v1') });
  await runPublish({ url, task: publishTask(await modelDir('b'), 'v2') });
  await runPublish({ url, task: rollBackTask('v1') });
  expect(await zips()).toEqual(['diatoms-v1.zip']);
  const contents = await contentsOf(folder('diatoms-v1.zip'));
  expect(contents.get('diatoms-v1/model.pth')).toEqual(await readFile(folder('v1', 'model.pth')));
  const before = await stat(folder('diatoms-v1.zip'));
  await runPublish({ url, task: rollBackTask('v1') });
  expect((await stat(folder('diatoms-v1.zip'))).ino).toBe(before.ino);
});

test('a version that was deleted and is published under its name once more gets a new one', async () => {
  const { url, folder, zips } = await lab();
  await runPublish({ url, task: publishTask(await modelDir('a'), 'v1') });
  for (const name of ['v1', 'production']) await rm(folder(name), { recursive: true });
  await runPublish({ url, task: publishTask(await modelDir('b'), 'v1') });
  expect(await zips()).toEqual(['diatoms-v1.zip']);
  const contents = await contentsOf(folder('diatoms-v1.zip'));
  expect(contents.get('diatoms-v1/SHA256SUMS')).toEqual(await readFile(folder('v1', 'SHA256SUMS')));
});

test('a run that promotes nothing keeps that of production, and makes it where it is missing', async () => {
  const { url, folder, zips } = await lab();
  await runPublish({ url, task: publishTask(await modelDir('a'), 'v1') });
  await rm(folder('diatoms-v1.zip'));
  const { download } = await runPublish({ url, task: publishTask(await modelDir('b'), 'v2', { promote: false }) });
  expect(download).toMatch(/diatoms-v1\.zip$/);
  expect(await zips()).toEqual(['diatoms-v1.zip']);
});

test('one that can’t be stored is a warning, leaves nothing half, and comes with the next run', async () => {
  let isFull = true;
  const { url, zips } = await lab({
    hook: ({ method, path }) => (isFull && method === 'PUT' && path.includes('.zip') ? { status: 507 } : undefined),
  });
  const task = publishTask(await modelDir('a'), 'v1');
  const outcome = await runPublish({ url, task });
  expect(outcome).toMatchObject({ promoted: true, download: undefined });
  expect(outcome.warnings.join('\n')).toContain('models/diatoms/diatoms-v1.zip” was not brought up to date: ');
  expect(await zips()).toEqual([]);
  isFull = false;
  await runPublish({ url, task });
  expect(await zips()).toEqual(['diatoms-v1.zip']);
});

test('what production holds is compared with its sums before it is packed', async () => {
  const spoil = async (path: string) => {
    if (path.endsWith('/production/SHA256SUMS')) await writeFile(folder('production', 'model.pth'), 'spoilt');
    return undefined;
  };
  let isSpoilt = false;
  const { url, folder, zips } = await lab({
    hook: ({ method, path }) => (isSpoilt && method === 'GET' ? spoil(path) : undefined),
  });
  await runPublish({ url, task: publishTask(await modelDir('a'), 'v1') });
  await runPublish({ url, task: publishTask(await modelDir('b'), 'v2') });
  isSpoilt = true;
  const { warnings } = await runPublish({ url, task: rollBackTask('v1') });
  expect(warnings.join('\n')).toContain('production/model.pth” is not what SHA256SUMS beside it says');
  expect(await zips()).toEqual(['diatoms-v2.zip']);
});

/** A model's folder with a zip of what was in production before, and one of the new version’s name of other content. */
async function labWithStaleZips() {
  const changes: string[] = [];
  let confirm: (() => Promise<string | undefined>) | undefined;
  const started = await lab({
    hook: async ({ method, path }) => {
      if (confirm && /\.zip[^/]*$/.test(path) && ['MOVE', 'DELETE'].includes(method)) changes.push(`${method} ${path}`);
      if (!confirm || method !== 'GET' || !path.endsWith('/production/VERSION')) return undefined;
      const body = await confirm();
      return body === undefined ? undefined : { status: 200, body };
    },
  });
  const { url, folder } = started;
  await runPublish({ url, task: publishTask(await modelDir('a'), 'v2') });
  await copyFile(folder('diatoms-v2.zip'), folder('kept'));
  await runPublish({ url, task: publishTask(await modelDir('b'), 'v1') });
  await rm(folder('v2'), { recursive: true });
  await copyFile(folder('kept'), folder('diatoms-v2.zip'));
  const publishAgain = async (answer: () => Promise<string | undefined>) => {
    const task = publishTask(await modelDir('c'), 'v2');
    // The first to ask is who looks what is in production before.
    let asked = 0;
    confirm = async () => (asked++ === 0 ? undefined : answer());
    return runPublish({ url, task });
  };
  return { ...started, changes, publishAgain };
}

test('no zip is named or deleted before production is confirmed', async () => {
  const { zips, changes, publishAgain } = await labWithStaleZips();
  const before: string[][] = [];
  const { promoted } = await publishAgain(async () => {
    await sleep(500);
    before.push([...changes]);
    return undefined;
  });
  expect(promoted).toBe(true);
  expect(before).toEqual([[]]);
  expect(changes.length).toBeGreaterThan(2);
  expect(await zips()).toEqual(['diatoms-v2.zip']);
});

test('when production is not confirmed, no zip is named or deleted', async () => {
  const { folder, zips, changes, publishAgain } = await labWithStaleZips();
  const failure = await failureOf(publishAgain(async () => 'v7\n'));
  expect(failure.message).toContain('production” says v7');
  expect(changes).toEqual([]);
  expect(await zips()).toEqual(['diatoms-v1.zip', 'diatoms-v2.zip']);
  expect(await readFile(folder('diatoms-v2.zip'))).toEqual(await readFile(folder('kept')));
});

test('a zip that is on its way when production turns out to be another is broken off, and nothing of it stays', async () => {
  let isSent = false;
  let asked = 0;
  const { url, zips, folder } = await lab({
    hook: async ({ method, path }) => {
      if (method === 'GET' && path.endsWith('/production/VERSION')) {
        if (asked++ === 0) return undefined;
        while (!isSent) await sleep(5);
        return { status: 200, body: 'v7\n' };
      }
      if (method !== 'PUT' || !path.includes('.zip')) return undefined;
      isSent = true;
      await sleep(40_000, undefined, { ref: false });
      return { status: 503 };
    },
  });
  const begun = performance.now();
  const failure = await failureOf(runPublish({ url, task: publishTask(await modelDir('a'), 'v1') }));
  expect(failure.message).toContain('production” says v7');
  expect(performance.now() - begun).toBeLessThan(30_000);
  expect(await zips()).toEqual([]);
  expect(await readdir(folder('.publish-lock'))).toEqual([]);
});

test('a zip that never comes to an end and hears no signal is a warning, and the lock is given back', async () => {
  const { url, folder } = await lab();
  const inputs = {
    ...defaultsOf('publish-model'),
    ...{ 'model-dir': await modelDir('a'), 'model-name': 'diatoms', version: 'v1', 'models-folder': 'models' },
    ...{ 'owncloud-url': url, 'owncloud-username': USER, 'owncloud-password': PASSWORD },
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'helpers', 'publish-hanging-process.ts')], {
    env: {
      GITHUB_WORKSPACE: await temporaryFolder(),
      GITHUB_SERVER_URL: 'https://github.com',
      ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const [exitCode, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  expect(exitCode, output + errors).toBe(0);
  expect(output).toContain('diatoms-v1.zip” was not brought up to date: the server took too long.');
  expect(await readdir(folder('.publish-lock'))).toEqual([]);
  expect(await readFile(folder('production', 'VERSION'), 'utf8')).toBe('v1\n');
});
