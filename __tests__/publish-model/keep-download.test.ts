import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MODEL_FOLDER, modelDir, publishTask, rollBackTask, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';
import { contentsOf } from '../helpers/prepare-data.ts';

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
