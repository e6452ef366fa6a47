import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startFileServer } from '../../../scripts/stand-ins/file-server.ts';
import type { ListeningServer } from '../../../scripts/stand-ins/listen.ts';

let parent: string;
let server: ListeningServer;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'diatom-files-'));
  const directory = join(parent, 'served');
  await mkdir(join(directory, 'sub'), { recursive: true });
  await writeFile(join(directory, 'a b.zip'), '0123456789');
  await writeFile(join(directory, 'empty.zip'), '');
  await writeFile(join(directory, 'sub', 'inner.zip'), 'inner');
  await writeFile(join(parent, 'secret.txt'), 'secret');
  server = await startFileServer(directory);
});

afterAll(async () => {
  await server.close();
  await rm(parent, { recursive: true });
});

function get(headers: Record<string, string> = {}, name = 'a%20b.zip', method = 'GET'): Promise<Response> {
  return fetch(server.url + name, { headers, method });
}

describe('the file server', () => {
  test('sends a whole file with its validators', async () => {
    const response = await get();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect(response.headers.get('etag')).toMatch(/^".+"$/);
    expect(response.headers.get('last-modified')).toMatch(/GMT$/);
    expect(await response.text()).toBe('0123456789');
  });

  test.each([
    ['bytes=4-', 'bytes 4-9/10', '456789'],
    ['bytes=2-5', 'bytes 2-5/10', '2345'],
    ['bytes=8-99', 'bytes 8-9/10', '89'],
    ['bytes=-3', 'bytes 7-9/10', '789'],
  ])('sends the part %s', async (range, contentRange, text) => {
    const response = await get({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(await response.text()).toBe(text);
  });

  test('refuses a part beyond the end', async () => {
    const response = await get({ range: 'bytes=10-' });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */10');
  });

  test('sends a part only of the file that If-Range means, else all of it', async () => {
    const etag = (await get()).headers.get('etag') ?? '';
    expect((await get({ range: 'bytes=4-', 'if-range': etag })).status).toBe(206);
    expect((await get({ range: 'bytes=4-', 'if-range': '"other"' })).status).toBe(200);
  });

  test('answers 304 when the file is known already', async () => {
    const etag = (await get()).headers.get('etag') ?? '';
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
  });

  test('answers HEAD with the headers alone, and an empty file', async () => {
    const head = await get({}, 'a%20b.zip', 'HEAD');
    expect(head.headers.get('content-length')).toBe('10');
    expect(await head.text()).toBe('');
    expect(await (await get({}, 'empty.zip')).text()).toBe('');
  });

  test.each(['', 'missing.zip', 'sub/inner.zip', '..%2Fsecret.txt', '..%5Csecret.txt', '%E0%A4%A'])(
    'serves nothing at “%s”',
    async (name) => {
      expect((await get({}, name)).status).toBe(404);
    },
  );

  test('takes no other method', async () => {
    expect((await get({}, 'a%20b.zip', 'DELETE')).status).toBe(405);
  });
});
