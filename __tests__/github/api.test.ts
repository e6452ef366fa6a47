import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { createGithubApi } from '../../src/github/api.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { failureOf } from '../helpers/failure.ts';
import { type Serve, startServer } from '../helpers/loopback-server.ts';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function api(serve: Serve, options: { tries?: number; signal?: AbortSignal; maxRetryAfterMs?: number } = {}) {
  const { tries = 3, signal = new AbortController().signal, maxRetryAfterMs = 1_000 } = options;
  const server = await startServer(serve);
  const http = createHttpClient();
  cleanUps.push(server.close, http.close);
  const github = createGithubApi({
    http,
    baseUrl: `${server.origin}/api/v3/`,
    token: async () => 'secret-token',
    tokenName: 'runner-token',
    permission: '“Administration: read and write”',
    signal,
    policy: { tries, firstDelayMs: 1, maxDelayMs: 2, maxRetryAfterMs },
  });
  const ask = () => github.request({ method: 'GET', path: '/thing?page=2', schema: z.object({ id: z.number() }) });
  return { github, ask, server };
}

/** Answers the first requests as told, and then well. */
function failing(
  ...failures: readonly { status: number; headers?: Record<string, string>; message?: string }[]
): Serve {
  return (_, response, number) => {
    const failure = failures[number - 1];
    if (!failure) return void response.end('{"id": 7}');
    response.writeHead(failure.status, failure.headers);
    response.end(JSON.stringify({ message: failure.message ?? '' }));
  };
}

test('a request says which version of the API it means, and who asks', async () => {
  const { ask, server } = await api(failing());
  expect(await ask()).toEqual({ id: 7 });
  expect(server.requests).toMatchObject([
    {
      method: 'GET',
      url: '/api/v3/thing?page=2',
      headers: {
        accept: 'application/vnd.github+json',
        authorization: 'Bearer secret-token',
        'x-github-api-version': '2022-11-28',
      },
    },
  ]);
});

test('a body is sent as JSON', async () => {
  let body = '';
  const { github } = await api((request, response) => {
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => response.writeHead(204).end());
  });
  await github.request({ method: 'POST', path: '/thing', body: { name: 'x' }, schema: z.unknown() });
  expect(JSON.parse(body)).toEqual({ name: 'x' });
});

describe('a refusal says what to do', () => {
  test.each([
    { status: 401, message: 'Bad credentials', says: 'runner-token is wrong, has expired or was revoked' },
    {
      status: 403,
      message: 'Resource not accessible by integration',
      says: 'runner-token is not allowed to do this. It needs “Administration: read and write”',
    },
    { status: 404, message: 'Not Found', says: 'there is no such thing, or runner-token may not see it' },
    { status: 422, message: 'Validation Failed', says: '(HTTP 422, “Validation Failed”)' },
  ])('$status', async ({ status, message, says }) => {
    const { ask, server } = await api(failing({ status, message }, { status, message }));
    const error = await failureOf(ask);
    expect(error).toMatchObject({ code: 'GITHUB', status });
    expect(error.message).toContain(says);
    expect(error.message).toContain('GET /thing');
    expect(error.message).not.toContain('secret-token');
    expect(server.requests).toHaveLength(1);
  });
});

describe('it is asked again', () => {
  test.each([
    { what: 'a fault of GitHub', failure: { status: 502 } },
    { what: 'too many requests', failure: { status: 429, headers: { 'retry-after': '0' } } },
    { what: 'a secondary limit', failure: { status: 403, headers: { 'retry-after': '1' }, message: 'secondary' } },
    {
      what: 'a used-up limit',
      failure: { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' } },
    },
  ])('after $what', async ({ failure }) => {
    const { ask, server } = await api(failing(failure));
    expect(await ask()).toEqual({ id: 7 });
    expect(server.requests).toHaveLength(2);
  });

  test('after a broken connection', async () => {
    const { ask } = await api((request, response, number) => {
      if (number === 1) request.socket.destroy();
      else response.end('{"id": 7}');
    });
    expect(await ask()).toEqual({ id: 7 });
  });

  test('but not for ever', async () => {
    const { ask, server } = await api((_, response) => void response.writeHead(500).end(), { tries: 2 });
    expect((await failureOf(ask)).message).toContain('it has a fault of its own. Try again later');
    expect(server.requests).toHaveLength(2);
  });
});

test('a limit that ends too late is said at once, with the time', async () => {
  const reset = String(Math.ceil(Date.now() / 1_000) + 30 * 60);
  const { ask, server } = await api(
    failing({ status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } }),
  );
  expect((await failureOf(ask)).message).toMatch(
    /too many requests with this token just now; the limit ends in (30|31) min/,
  );
  expect(server.requests).toHaveLength(1);
});

test('an answer that is not JSON is named as such', async () => {
  const { ask } = await api((_, response) => void response.end('<html>'));
  expect((await failureOf(ask)).message).toContain('something that is not JSON');
});

test('a cancelled run ends the wait', async () => {
  const cancel = new AbortController();
  const { ask } = await api(() => cancel.abort(), { signal: cancel.signal });
  expect((await failureOf(ask)).code).toBe('CANCELLED');
});
