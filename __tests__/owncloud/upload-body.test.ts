import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { uploadBody } from '../../src/owncloud/upload-body.ts';
import { errorOf, localFile } from '../helpers/owncloud.ts';

test('a slow connection is no stall: it may take far longer in all than one pause may', async () => {
  const request = await localFile(700_000);
  const done: number[] = [];
  const body = uploadBody({ ...request, host: 'x', stallTimeoutMs: 1_500, onProgress: (bytes) => done.push(bytes) });
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    // As a connection does: a portion's memory is used again later.
    chunks.push(Buffer.from(chunk));
    await sleep(250);
  }
  expect(Buffer.concat(chunks).equals(await readFile(request.localPath))).toBe(true);
  expect(done.at(-1)).toBe(700_000);
});

test('a stream that nobody reads fails', async () => {
  const body = uploadBody({ ...(await localFile(700_000)), host: 'cloud.example.org', stallTimeoutMs: 50 });
  const error = await errorOf(new Promise((_, reject) => body.once('error', reject)));
  expect(error.message).toContain('The server cloud.example.org took nothing of the file');
  expect(error).toMatchObject({ code: 'NETWORK', transient: true });
});
