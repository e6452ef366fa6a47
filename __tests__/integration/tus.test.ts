import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type UploadOptions, uploadFile } from '../../src/owncloud/upload.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { connectTo, errorOf, localFile, SWIFT } from '../helpers/owncloud.ts';
import { startTusServer, type TusServerOptions } from '../helpers/tus-server.ts';

const MB = 1_000_000;
const BYTES = 25 * MB;

async function setUp(options: TusServerOptions = {}) {
  const server = await startTusServer(options);
  onTestFinished(() => server.close());
  const { username, password } = server;
  const remote = await connectTo(server.url, { username, password });
  const request = await localFile(BYTES);
  const said: string[] = [];
  const upload = (more: Partial<UploadOptions> = {}) =>
    uploadFile(remote, request, {
      policy: SWIFT,
      onWarning: (text) => said.push(text),
      onRetry: ({ error }) => said.push(String(error)),
      ...more,
    });
  const offsets = () =>
    server.requests.flatMap(({ method, headers }) => (method === 'PATCH' ? [Number(headers['upload-offset'])] : []));
  return {
    server,
    request,
    upload,
    said,
    offsets,
    expectStored: async () => {
      const path = join(server.directory, request.folder, request.name);
      expect((await readFile(path)).equals(await readFile(request.localPath))).toBe(true);
      expect(await readdir(join(server.directory, request.folder))).toEqual([request.name]);
      expect(await server.unfinished()).toEqual([]);
    },
    expectNothing: async () => {
      expect(filesBelow(server.directory)).toEqual([]);
      expect(await server.unfinished()).toEqual([]);
    },
  };
}

test('a file goes to tusd in pieces no larger than the server wants, and ends under its name alone', async () => {
  const { upload, offsets, expectStored, said, server } = await setUp();
  const progress: number[] = [];
  const { url } = await upload({ onProgress: (done) => progress.push(done) });
  expect(url).toMatch(/\/diatom\/data%20sets\/diatom_set-[\d-]+\.zip$/);
  expect(offsets()).toEqual([0, 10 * MB, 20 * MB]);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(BYTES);
  expect(said).toEqual([]);
  expect(server.requests.filter(({ method }) => method === 'PUT')).toEqual([]);
  await expectStored();
});

test('a connection that breaks in the middle of a piece costs only what tusd has not stored', async () => {
  const { upload, offsets, expectStored } = await setUp({
    meddle: ({ piece, pass }) => pass(piece === 2 ? 4 * MB : undefined),
  });
  await upload();
  const [, second = 0, third = 0, ...rest] = offsets();
  expect([third, ...rest]).toEqual([third, ...rest].toSorted((a, b) => a - b));
  expect(second).toBe(10 * MB);
  expect(third).toBeGreaterThan(10 * MB);
  expect(third).toBeLessThan(20 * MB);
  await expectStored();
});

test('tusd that is restarted in between goes on with what it has on its disk', async () => {
  const { upload, offsets, expectStored, server } = await setUp({
    meddle: async ({ method, piece, pass, request, response }) => {
      if (method !== 'PATCH' || piece !== 3) return pass();
      await server.restartTusd();
      request.destroy();
      response.destroy();
    },
  });
  await upload();
  expect(offsets().slice(0, 4)).toEqual([0, 10 * MB, 20 * MB, 20 * MB]);
  await expectStored();
});

test('the last answer gets lost: the file is there, and not a byte of it is sent again', async () => {
  const { upload, offsets, expectStored } = await setUp({
    meddle: ({ method, piece, response, pass }) => {
      if (method === 'PATCH' && piece === 3) response.writeHead = () => response.destroy();
      pass();
    },
  });
  await upload();
  expect(offsets()).toEqual([0, 10 * MB, 20 * MB]);
  await expectStored();
});

test('pieces that a proxy does not take are sent smaller', async () => {
  const { upload, offsets, expectStored } = await setUp({
    meddle: ({ request, response, pass }) =>
      Number(request.headers['content-length'] ?? 0) > 4 * MB
        ? void request.resume().once('end', () => response.writeHead(413).end())
        : pass(),
  });
  await upload();
  expect(offsets().slice(0, 3)).toEqual([0, 0, 2.5 * MB]);
  await expectStored();
});

test('a proxy that breaks the connection instead of saying so gets smaller pieces, too', async () => {
  const { upload, expectStored } = await setUp({
    meddle: ({ request, pass }) => {
      if (Number(request.headers['content-length'] ?? 0) > 4 * MB) request.destroy();
      else pass();
    },
  });
  await upload();
  await expectStored();
});

test('an upload that the server has lost is sent once more, and said so', async () => {
  const { upload, offsets, expectStored, said, server } = await setUp({
    meddle: async ({ piece, pass }) => {
      if (piece === 2) await server.forget();
      pass();
    },
  });
  await upload();
  expect(offsets()).toEqual([0, 10 * MB, 0, 10 * MB, 20 * MB]);
  expect(said.join()).toContain('sent once more');
  await expectStored();
});

test('other bytes than were announced are stored nowhere, however often they are sent', async () => {
  const { upload, request, said, server } = await setUp();
  await writeFile(request.localPath, Buffer.alloc(BYTES, 'other bytes'));
  expect(await errorOf(upload())).toMatchObject({ code: 'DISK' });
  expect(said.filter((text) => text.includes('lost'))).toHaveLength(2);
  // Apache may not be done yet with its own temporary file of what came in one piece.
  expect(filesBelow(server.directory).filter((path) => path.includes(request.name))).toEqual([]);
  expect(await server.unfinished()).toEqual([]);
});

test('a cancelled run leaves no upload behind', async () => {
  const controller = new AbortController();
  const { upload, expectNothing } = await setUp({
    meddle: ({ piece, pass }) => {
      if (piece === 2) controller.abort();
      pass();
    },
  });
  expect(await errorOf(upload({ signal: controller.signal }))).toMatchObject({ code: 'CANCELLED' });
  await expectNothing();
});

test('a server that goes on failing: the error names the file, not the address of the upload, and nothing is left', async () => {
  const { upload, expectNothing, said, server } = await setUp({
    meddle: ({ method, request, response, pass }) =>
      method === 'PATCH' ? void request.resume().once('end', () => response.writeHead(503).end()) : pass(),
  });
  const error = await errorOf(upload());
  expect(error.message).toContain('did not store “/data sets/diatom_set-2026-11-22-17-45-00.zip” (status 503)');
  for (const text of [error.message, ...said]) expect(text).not.toContain('/data/');
  expect(server.requests.filter(({ method }) => method === 'DELETE').length).toBeGreaterThan(0);
  await expectNothing();
});

test('an address at another server gets neither password nor file: it is sent in one piece', async () => {
  const thief = await startServer((_, response) => response.end());
  onTestFinished(() => thief.close());
  const { upload, said, server } = await setUp({ elsewhere: thief.origin });
  await upload();
  expect(thief.requests).toEqual([]);
  expect(said.join()).toContain('in one piece');
  expect(server.requests.filter(({ method }) => method === 'PUT')).toHaveLength(1);
});

test('where the server wants POST for PATCH, it gets it', async () => {
  const { upload, server, expectStored } = await setUp({ offer: { http_method_override: 'POST' } });
  await upload();
  expect(server.requests.filter(({ method }) => method === 'PATCH')).toEqual([]);
  await expectStored();
});
