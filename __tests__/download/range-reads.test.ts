import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openForRangeReads } from '../../src/download/range-reads.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { startServer } from '../helpers/loopback-server.ts';

const FILE = randomBytes(600_000);

/** Answers any range of the file (RFC 9110, 14.1.2). */
function sendRange(request: IncomingMessage, response: ServerResponse, file: Buffer, etag: string): void {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = first === '' ? Math.max(0, file.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? file.length - 1 : Number(last);
  response.writeHead(206, { etag, 'content-range': `bytes ${start}-${end}/${file.length}` });
  response.end(file.subarray(start, end + 1));
}

async function openFrom(answer: Parameters<typeof startServer>[0]) {
  const withHead: typeof answer = (request, response, number) => {
    if (request.method !== 'HEAD') return answer(request, response, number - 1);
    response.writeHead(200, { 'accept-ranges': 'bytes' }).end();
  };
  const [server, http] = [await startServer(withHead), createHttpClient()];
  onTestFinished(async () => {
    await http.close();
    await server.close();
  });
  return { server, file: await openForRangeReads(`${server.origin}/a.zip`, { http }) };
}

test('the end of a file comes with the first request for a piece, and any other place with one more', async () => {
  const { server, file } = await openFrom((request, response) => sendRange(request, response, FILE, '"1"'));
  expect(file?.length).toBe(600_000);
  expect((await file?.read(599_000, 1_000))?.equals(FILE.subarray(599_000))).toBe(true);
  expect(server.requests).toHaveLength(2);
  expect((await file?.read(10, 300_000))?.equals(FILE.subarray(10, 300_010))).toBe(true);
  expect(server.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=-262144', 'bytes=10-300009']);
});

test('a file smaller than what is asked for, and a read beyond its end', async () => {
  const small = FILE.subarray(0, 100);
  const { file } = await openFrom((request, response) => sendRange(request, response, small, '"1"'));
  expect(file?.length).toBe(100);
  expect((await file?.read(90, 50))?.equals(small.subarray(90))).toBe(true);
});

describe('where pieces can’t be read there is nothing', () => {
  test.each([
    ['the whole file instead', 200],
    ['a refusal', 403],
    ['no such range', 416],
  ])('%s', async (_, status) => {
    const { file } = await openFrom((_request, response) => void response.writeHead(status).end(FILE));
    expect(file).toBeUndefined();
  });

  test('more than was asked for, which would fill the memory', async () => {
    const { file } = await openFrom((_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-599999/600000`, etag: '"1"' });
      const send = (): unknown => response.destroyed || response.write(FILE, send);
      send();
    });
    expect(file).toBeUndefined();
  });

  test('another piece than the end', async () => {
    const { file } = await openFrom((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-9/600000', etag: '"1"' }).end(FILE.subarray(0, 10));
    });
    expect(file).toBeUndefined();
  });

  test('a piece without the size of the whole', async () => {
    const { file } = await openFrom((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-9/*' }).end(FILE.subarray(0, 10));
    });
    expect(file).toBeUndefined();
  });
});

test.each([
  ['its ETag', FILE, '"2"'],
  ['its length', FILE.subarray(1), '"1"'],
])('a file that changes between two requests is found by %s', async (_, changed, etag) => {
  const { file } = await openFrom((request, response, number) =>
    number === 1 ? sendRange(request, response, FILE, '"1"') : sendRange(request, response, changed, etag),
  );
  await expect(file?.read(0, 10)).rejects.toThrow('changed while it was read');
});

test.each([
  ['does not say that it sends pieces', 200, {}],
  ['says that it sends none', 200, { 'accept-ranges': 'none' }],
  ['refuses the question', 405, { 'accept-ranges': 'bytes' }],
])('of a server that %s no piece is asked for: the link may be good for one download', async (_, status, headers) => {
  const server = await startServer((_request, response) => void response.writeHead(status, headers).end());
  const http = createHttpClient();
  onTestFinished(async () => {
    await http.close();
    await server.close();
  });
  expect(await openForRangeReads(`${server.origin}/a.zip`, { http })).toBeUndefined();
  expect(server.requests.map(({ method }) => method)).toEqual(['HEAD']);
});
