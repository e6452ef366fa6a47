import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sendFile } from '../helpers/served-zip.ts';
import { tinyFileList } from '../helpers/tiny-data-set.ts';

/** A server of the zips that can hold back one of them; its directory it shows at once, where it can. */
async function holdingServer(zips: string, held: string, ranges: boolean) {
  const waiting: (() => void)[] = [];
  let isHolding = true;
  const server = await startServer((request, response: ServerResponse) => {
    const name = new URL(request.url ?? '', 'http://localhost').pathname.slice(1);
    const file = readFileSync(join(zips, name));
    const send = () => sendFile(request, response, file, { etag: `"${file.length}"`, ranges });
    const isLook = request.method === 'HEAD' || request.headers.range?.startsWith('bytes=-');
    if (isHolding && name === held && !(ranges && isLook)) waiting.push(send);
    else send();
  });
  onTestFinished(() => server.close());
  const release = () => {
    isHolding = false;
    for (const send of waiting.splice(0)) send();
  };
  return { url: `${server.origin}/`, release };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

test('a zip that is here is organised and archived while another is still on its way', async () => {
  const { start, run, zips, workspace } = await prepareDataFixture();
  const server = await holdingServer(zips, 'gomphonema.zip', true);
  const inputs = { 'archive-content': 'results', upload: 'false' };
  const action = start({ ...inputs, 'file-list': JSON.stringify(tinyFileList(server.url)) });
  const train = join(workspace, 'data', 'results', 'train', 'Hannaea');
  await until(() => existsSync(train) && readdirSync(train).length === 15);
  expect(existsSync(join(workspace, 'data', 'downloads', 'gomphonema.zip'))).toBe(false);
  server.release();
  const result = await action.result;
  expect(result).toMatchObject({ exitCode: 0, outputs: { 'train-count': '22', 'test-count': '9' } });
  // The same as when everything was there before.
  expect((await run(inputs, {}, temporaryFolder())).outputs['archive-sha256']).toBe(result.outputs['archive-sha256']);
});

test('an image with a copy in a zip that is still on its way makes nobody wait, and both lie on one side', async () => {
  const { start, zips, workspace } = await prepareDataFixture();
  const server = await holdingServer(zips, 'hannaea-2.zip', true);
  const list = tinyFileList(server.url).slice(0, 2);
  const action = start({ 'archive-content': 'results', upload: 'false', 'file-list': JSON.stringify(list) });
  const results = join(workspace, 'data', 'results');
  // Of the 12 images of the first zip, one has a copy in the second.
  await until(() => existsSync(results) && filesBelow(results).filter((path) => path.endsWith('.bmp')).length === 12);
  server.release();
  const { exitCode, outputs } = await action.result;
  expect(exitCode).toBe(0);
  const lines = readFileSync(outputs['manifest-path'] ?? '', 'utf8').split('\n');
  const copies = lines.filter((line) => line.includes('slide 1/03.bmp') || line.includes('s1_copy of 03'));
  expect(copies).toHaveLength(2);
  expect(new Set(copies.map((line) => line.split('/')[0])).size).toBe(1);
});

test('a server that sends no pieces makes the plan wait, and changes nothing in the archive', async () => {
  const { start, run, zips, workspace } = await prepareDataFixture();
  const server = await holdingServer(zips, 'gomphonema.zip', false);
  const inputs = { 'archive-content': 'results', upload: 'false' };
  const action = start({ ...inputs, 'file-list': JSON.stringify(tinyFileList(server.url)) });
  await until(() => existsSync(join(workspace, 'data', 'downloads', 'hannaea-2.zip')));
  expect(readdirSync(join(workspace, 'data', 'results'))).toEqual([]);
  server.release();
  const result = await action.result;
  expect(result.exitCode).toBe(0);
  expect((await run(inputs, {}, temporaryFolder())).outputs['archive-sha256']).toBe(result.outputs['archive-sha256']);
});

test('a zip that changes on its server between plan and download ends the run, and nothing of an archive stays', async () => {
  const { start, zips, workspace, uploaded } = await prepareDataFixture();
  const [before, after] = ['gomphonema.zip', 'hannaea-1.zip'].map((name) => readFileSync(join(zips, name)));
  const server = await startServer((request, response) => {
    const isLook = request.headers.range?.startsWith('bytes=-');
    const name = new URL(request.url ?? '', 'http://localhost').pathname.slice(1);
    const file = (name !== 'gomphonema.zip' ? readFileSync(join(zips, name)) : isLook ? before : after) ?? Buffer.of();
    const send = () => sendFile(request, response, file, { etag: `"${file.length}"`, ranges: true });
    // The download comes after the look at the directory, whatever order the requests have.
    if (isLook) send();
    else setTimeout(send, 1_000);
  });
  onTestFinished(() => server.close());
  const list = tinyFileList(`${server.origin}/`);
  const result = await start({ 'file-list': JSON.stringify(list) }).result;
  expect(errorOf(result)).toBe(
    'gomphonema.zip was changed on its server while it was downloaded: run again, when nobody works on it any more.',
  );
  expect(readdirSync(workspace)).toEqual(['data']);
  expect(uploaded()).toEqual([]);
});
