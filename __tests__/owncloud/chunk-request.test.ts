import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { putChunk } from '../../src/owncloud/chunk-request.ts';
import { completeFile } from '../helpers/growing-file.ts';
import { connectTo, ownServer, SWIFT } from '../helpers/owncloud.ts';

const WAIT_MS = 200;

test('what a piece took tells how long its server thought about it after the last byte', async () => {
  const server = await ownServer({
    hook: async ({ method }, proceed) => {
      if (method !== 'PUT') return undefined;
      const answer = await proceed();
      await sleep(WAIT_MS);
      return answer;
    },
  });
  const { chunking } = await connectTo(server.url);
  if (!chunking) throw new Error('The stand-in takes files in pieces');
  const headers = { destination: chunking.targetUrl('/set.zip') };
  await chunking.uploads.client.createDirectory('/upload', { headers });
  const { source: file } = await completeFile(50_000);
  const piece = { file, start: 10_000, bytes: 30_000, path: '/upload/00001', headers, stallTimeoutMs: 10_000 };
  const noticed = { onTaken: () => {}, onSent: () => {} };
  const { bytes, ms, waitMs = 0 } = await putChunk(chunking.uploads, { ...piece, ...noticed }, { policy: SWIFT });
  expect(bytes).toBe(30_000);
  // A timer may be a millisecond early.
  expect(waitMs).toBeGreaterThan(WAIT_MS - 10);
  expect(ms).toBeGreaterThanOrEqual(waitMs);
});
