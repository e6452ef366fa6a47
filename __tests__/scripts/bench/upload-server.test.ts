import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FILES_PATH, startUploadServer, UPLOAD_USER } from '../../../scripts/bench/upload-server.ts';
import type { ListeningServer } from '../../../scripts/stand-ins/listen.ts';
import { uploadGrowing } from '../../../src/owncloud/upload-growing.ts';
import { completeFile, testBytes } from '../../helpers/growing-file.ts';
import { connectTo } from '../../helpers/owncloud.ts';

const UPLOADS = 'remote.php/dav/uploads/bench/one';

let directory: string;
let server: ListeningServer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'diatom-bench-'));
  server = await startUploadServer({ directory, port: 0, chunking: true });
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

async function send(method: string, path: string, init: { body?: string; headers?: Record<string, string> } = {}) {
  const response = await fetch(server.url + path, { method, ...init });
  await response.text();
  return response.status;
}

describe('the stand-in that uploads are measured with', () => {
  test('puts each piece in its place, in whatever order they come', async () => {
    expect(await send('MKCOL', UPLOADS)).toBe(201);
    const second = send('PUT', `${UPLOADS}/00002`, { body: 'second' });
    expect(await send('PUT', `${UPLOADS}/00001`, { body: 'first, ' })).toBe(201);
    expect(await second).toBe(201);
    const destination = `${server.url}${FILES_PATH}whole.zip`;
    expect(await send('MOVE', `${UPLOADS}/.file`, { headers: { destination, 'oc-total-length': '12' } })).toBe(400);
    expect(await send('MOVE', `${UPLOADS}/.file`, { headers: { destination, 'oc-total-length': '13' } })).toBe(201);
    expect(await readdir(directory)).toEqual(['whole.zip']);
    expect(await readFile(join(directory, 'whole.zip'), 'utf8')).toBe('first, second');
  });

  test.each([true, false])('takes what the action uploads (in pieces: %s)', async (chunking) => {
    const other = await startUploadServer({ directory, port: 0, chunking });
    const remote = await connectTo(other.url, { username: UPLOAD_USER });
    expect(remote.chunking !== undefined).toBe(chunking);
    const { source } = await completeFile(1_234_567);
    const sizes = { start: 100_000, min: 100_000, max: 100_000 };
    const done = await uploadGrowing(remote, { source, folder: '', name: 'a.zip' }, { sizes });
    await other.close();
    expect(done.verified).toBe('size');
    expect(await readdir(directory)).toEqual(['a.zip']);
    expect((await readFile(join(directory, 'a.zip'))).equals(testBytes(1_234_567))).toBe(true);
  });
});
