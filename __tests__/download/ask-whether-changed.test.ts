import { describe, expect, onTestFinished, test } from 'vitest';
import { askWhetherChanged } from '../../src/download/ask-whether-changed.ts';
import { createHttpClient } from '../../src/http/client.ts';
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
function telling(head: Record<string, string> | number, get: Record<string, string> = {}): Serve {
  return (request, response) => {
    if (request.method !== 'HEAD') {
      response.writeHead(206, { 'content-length': '1', 'content-range': 'bytes 0-0/5', ...get }).end('P');
    } else if (typeof head === 'number') response.writeHead(head).end();
    else response.writeHead(200, head).end();
  };
}

const UNSEEN = { bytes: 5, validator: undefined };

describe('a file is', () => {
  test.each<[string, Serve, typeof SEEN]>([
    ['by its ETag', telling({ etag: '"v1"', 'content-length': '5' }), SEEN],
    ['by its ETag alone', telling({ etag: '"v1"' }), SEEN],
    ['by its date', telling({ 'last-modified': OLD, 'content-length': '5' }), { bytes: 5, validator: OLD }],
  ])('the same %s, which needs none of it', async (_, serve, seen) => {
    const { answer, methods } = await asked(serve, seen);
    expect(await answer).toBe('same');
    expect(methods()).toEqual(['HEAD']);
  });

  test('the same on a server that tells less by HEAD, and sends pieces', async () => {
    const { answer, methods } = await asked(telling({ 'accept-ranges': 'bytes' }, { etag: '"v1"' }));
    expect(await answer).toBe('same');
    expect(methods()).toEqual(['HEAD', 'GET']);
  });

  test.each<[string, Serve, typeof SEEN | typeof UNSEEN]>([
    ['its size is another', telling({ etag: '"v2"', 'content-length': '6' }), SEEN],
    ['its size is another under the same ETag', telling({ etag: '"v1"', 'content-length': '6' }), SEEN],
    ['its size is another, and nothing else is known', telling({ 'content-length': '6' }), UNSEEN],
  ])('changed when %s', async (_, serve, seen) => {
    expect(await (await asked(serve, seen)).answer).toBe('changed');
  });

  test.each<[string, Serve, typeof SEEN | typeof UNSEEN]>([
    ['the ETag is another', telling({ etag: '"v2"', 'content-length': '5' }), SEEN],
    ['the ETag is weak', telling({ etag: 'W/"v1"', 'content-length': '5' }), SEEN],
    ['the server said nothing before', telling({ etag: '"v1"', 'content-length': '5' }), UNSEEN],
    ['the server says nothing', telling({}), SEEN],
    ['it is packed on the way', telling({ etag: '"v1"', 'content-length': '5', 'content-encoding': 'gzip' }), SEEN],
    ['HEAD is refused', telling(403), SEEN],
    ['it is gone', telling(404), SEEN],
  ])('unknown when %s, which may be found out by one download only', async (_, serve, seen) => {
    const { answer, methods } = await asked(serve, seen);
    expect(await answer).toBe('unknown');
    expect(methods()).toEqual(['HEAD']);
  });
});
