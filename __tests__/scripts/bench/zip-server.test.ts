import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SENT_BYTES_PATH, startZipServer } from '../../../scripts/bench/zip-server.ts';

test('the server of zips counts the bytes of files that it sends, and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'diatom-bench-'));
  await writeFile(join(directory, 'a.zip'), '0123456789');
  const server = await startZipServer({ directory, port: 0, bytesPerSecond: 1e9 });
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(new URL(path, server.url), { headers, method });
    return { status: response.status, etag: response.headers.get('etag') ?? '', text: await response.text() };
  };
  try {
    const { etag, text } = await get('a.zip');
    expect(text).toBe('0123456789');
    expect(await get('a.zip', { range: 'bytes=-3' })).toMatchObject({ status: 206, text: '789' });
    expect(await get('a.zip', { range: 'bytes=2-4' })).toMatchObject({ status: 206, text: '234' });
    expect(await get('a.zip', { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
    expect(await get('a.zip', {}, 'HEAD')).toMatchObject({ status: 200, text: '' });
    expect(await get('missing.zip')).toMatchObject({ status: 404 });
    expect(await get('')).toMatchObject({ status: 404 });
    expect((await get(SENT_BYTES_PATH)).text).toBe('16');
  } finally {
    await server.close();
    await rm(directory, { recursive: true });
  }
});
