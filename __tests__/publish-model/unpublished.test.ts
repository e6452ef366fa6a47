import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { parseGate } from '../../src/model/gate.ts';
import type { PublishTask } from '../../src/publish-model/inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { filesOf, foldersOf, modelDir, publishTask, RULES, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const FOLDER = 'data sets/unpublished/17-model';
const task = (version: string, changes: Partial<PublishTask> = {}) =>
  publishTask('', version, { source: { unpublished: FOLDER }, unpublished: FOLDER, ...changes });

/** A server that has a result as training leaves it there; its list of sums is made by a program that nobody here wrote. */
async function serverWithResult(hook?: Hook, more: Readonly<Record<string, string>> = {}) {
  const server = await ownServer(hook ? { hook } : {});
  const folder = join(server.directory, FOLDER);
  const model = await modelDir('a', more);
  await mkdir(folder, { recursive: true });
  await cp(model, folder, { recursive: true });
  const sums = execFileSync('sha256sum', await readdir(folder), { cwd: folder, encoding: 'utf8' });
  await writeFile(join(folder, 'SHA256SUMS'), sums);
  return { server, folder, model };
}

test('a result that lies in ownCloud becomes a version, and its folder is gone then; nothing stays on the runner', async () => {
  const { server, folder, model } = await serverWithResult();
  const runnerTemp = temporaryFolder();
  const outcome = await runPublish({
    url: server.url,
    task: task('v1'),
    context: { env: { RUNNER_TEMP: runnerTemp } },
  });
  expect(outcome).toMatchObject({ promoted: true, warnings: [] });
  expect(filesOf(server.directory, 'v1')?.['model.pth']).toBe(await readFile(join(model, 'model.pth'), 'utf8'));
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(folder, '..'))).toBe(true);
  expect(await readdir(runnerTemp)).toEqual([]);
});

test('also one that its gate refuses is a version, and its folder is gone', async () => {
  const { server, folder } = await serverWithResult();
  const rules = { ...RULES, gate: parseGate('accuracy > 0.99') };
  const outcome = await runPublish({ url: server.url, task: task('v1', { rules }) });
  expect(outcome).toMatchObject({ promoted: false });
  expect(foldersOf(server.directory)).toEqual(['v1']);
  expect(existsSync(folder)).toBe(false);
});

test('pictures of what became wrong are part of no version: they go with a result that passed, and stay with a refused one', async () => {
  const pictures = { 'became_wrong.html': '<p>pictures</p>' };
  const strict = { ...RULES, gate: parseGate('accuracy > 0.99') };
  for (const [rules, isThere] of [
    [RULES, false],
    [strict, true],
  ] as const) {
    const { server, folder } = await serverWithResult(undefined, pictures);
    await runPublish({ url: server.url, task: task('v1', { rules }) });
    expect(filesOf(server.directory, 'v1')).not.toHaveProperty(['became_wrong.html']);
    expect(existsSync(folder)).toBe(isThere);
  }
});

test('one without its mark, as a run leaves it that was killed in the middle, is never published, and stays', async () => {
  const { server, folder } = await serverWithResult();
  await rm(join(folder, 'SHA256SUMS'));
  const error = await failureOf(runPublish({ url: server.url, task: task('v1') }));
  expect(error).toMatchObject({ code: 'INPUT' });
  expect(error.message).toContain(`the folder “${FOLDER}”`);
  expect(foldersOf(server.directory)).toEqual([]);
  expect(await readdir(folder)).toContain('model.pth');
});

test('one that is damaged is not published, and stays', async () => {
  const { server, folder } = await serverWithResult();
  await writeFile(join(folder, 'model.pth'), 'other weights');
  const error = await failureOf(runPublish({ url: server.url, task: task('v1') }));
  expect(error.message).toContain(`The file “${FOLDER}/model.pth”`);
  expect(foldersOf(server.directory)).toEqual([]);
  expect(existsSync(folder)).toBe(true);
});

test('when the version can’t be stored, the result stays, and the error says where', async () => {
  const isVersion = (path: string) => path.includes('/models/') && path.includes('model.pth');
  const { server, folder } = await serverWithResult(({ method, path }) =>
    method === 'PUT' && isVersion(path) ? { status: 507 } : undefined,
  );
  const error = await failureOf(runPublish({ url: server.url, task: task('v1') }));
  expect(await readdir(folder)).toContain('SHA256SUMS');
  expect(error.message).toContain(`Nothing is lost: the model is in the folder “${FOLDER}” on the server.`);
});

test('where the version is stored and can’t be promoted, the error does not send anybody to a result that is gone', async () => {
  const { server, folder } = await serverWithResult(({ method, path }) =>
    method === 'PUT' && path.includes('VERSION') ? { status: 507 } : undefined,
  );
  const error = await failureOf(runPublish({ url: server.url, task: task('v1') }));
  expect(foldersOf(server.directory)).toContain('v1');
  expect(existsSync(folder)).toBe(false);
  expect(error.message).toContain('507');
  expect(error.message).not.toContain('Nothing is lost');
});

test('when it can’t be deleted that is a warning, and running again publishes nothing twice', async () => {
  const { server, folder } = await serverWithResult(({ method, path }) =>
    method === 'DELETE' && path.includes('unpublished') ? { status: 403 } : undefined,
  );
  for (let run = 1; run <= 2; run++) {
    const outcome = await runPublish({ url: server.url, task: task('v1') });
    expect(outcome.promoted).toBe(true);
    expect(outcome.warnings.join('\n')).toContain(`The folder “${FOLDER}” is not needed any more`);
  }
  expect(foldersOf(server.directory)).toEqual(['production', 'v1']);
  expect(existsSync(folder)).toBe(true);
});

test('publishing from a folder of the same job deletes what else training stored, unless that is another model', async () => {
  const { server, folder, model } = await serverWithResult();
  const other = await runPublish({
    url: server.url,
    task: publishTask(await modelDir('b'), 'v1', { unpublished: FOLDER }),
  });
  expect(other.warnings.join('\n')).toContain(`The folder “${FOLDER}” stays`);
  expect(existsSync(folder)).toBe(true);
  await runPublish({ url: server.url, task: publishTask(model, 'v2', { unpublished: FOLDER }) });
  expect(existsSync(folder)).toBe(false);
});
