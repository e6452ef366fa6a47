import { describe, expect, onTestFinished, test } from 'vitest';
import { askWhetherChanged } from '../../src/download/ask-whether-changed.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { failureOf } from '../helpers/failure.ts';
import { type Serve, startServer } from '../helpers/loopback-server.ts';

const SEEN = { bytes: 5, validator: '"v1"' };
const OLD = 'Sun, 01 Nov 2026 10:00:00 GMT';

async function asked(serve: Serve, seen: Parameters<typeof askWhetherChanged>[1] = SEEN) {
  const server = await startServer(serve);
  const http = createHttpClient();
  onTestFinished(async () => {
    await http.close();
    await server.close();
  });
  const answer = askWhetherChanged(`${server.origin}/a.zip`, seen, { http });
  return { answer, methods: () => server.requests.map(({ method }) => method) };
}

/** A server that tells these headers by HEAD, and with one byte of the file. */
function telling(head: Record<string, string> | number, get = typeof head === 'number' ? {} : head): Serve {
  return (request, response) => {
    if (request.method === 'HEAD') {
      response.writeHead(typeof head === 'number' ? head : 200, typeof head === 'number' ? {} : head).end();
      return;
    }
    const total = get['content-length'] ?? '5';
    response.writeHead(206, { ...get, 'content-length': '1', 'content-range': `bytes 0-0/${total}` }).end('P');
  };
}

describe('a file is', () => {
  test.each<[string, Serve, typeof SEEN]>([
    ['by its ETag', telling({ etag: '"v1"', 'content-length': '5' }), SEEN],
    ['by its date', telling({ 'last-modified': OLD, 'content-length': '5' }), { bytes: 5, validator: OLD }],
  ])('the same %s, which needs none of it', async (_, serve, seen) => {
    const { answer, methods } = await asked(serve, seen);
    expect(await answer).toBe('same');
    expect(methods()).toEqual(['HEAD']);
  });

  test.each<[string, Serve]>([
    ['refuses HEAD', telling(403, { etag: '"v1"' })],
    ['tells less by HEAD', telling({ 'content-length': '0' }, { etag: '"v1"' })],
  ])('the same on a server that %s', async (_, serve) => {
    const { answer, methods } = await asked(serve);
    expect(await answer).toBe('same');
    expect(methods()).toEqual(['HEAD', 'GET']);
  });

  test.each<[string, Serve, typeof SEEN | { bytes: number; validator: undefined }]>([
    ['its size is another', telling({ etag: '"v2"', 'content-length': '6' }), SEEN],
    ['its size is another under the same ETag', telling({ etag: '"v1"', 'content-length': '6' }), SEEN],
    [
      'its size is another, and nothing else is known',
      telling({ 'content-length': '6' }),
      { bytes: 5, validator: undefined },
    ],
  ])('changed when %s', async (_, serve, seen) => {
    expect(await (await asked(serve, seen)).answer).toBe('changed');
  });

  test.each<[string, Serve, typeof SEEN | { bytes: number; validator: undefined }]>([
    ['the ETag is another', telling({ etag: '"v2"', 'content-length': '5' }), SEEN],
    ['the ETag is weak', telling({ etag: 'W/"v1"', 'content-length': '5' }), SEEN],
    ['nothing was told before', telling({ etag: '"v1"', 'content-length': '5' }), { bytes: 5, validator: undefined }],
    ['nothing is told', telling({}), SEEN],
  ])('unknown when %s', async (_, serve, seen) => {
    expect(await (await asked(serve, seen)).answer).toBe('unknown');
  });
});

test('a file that can’t be had is an error', async () => {
  const { answer } = await asked((_, response) => void response.writeHead(404).end());
  expect(await failureOf(answer)).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(/404/) });
});
