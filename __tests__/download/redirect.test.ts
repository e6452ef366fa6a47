import { afterEach, describe, expect, test } from 'vitest';
import { getFollowingRedirects, redirectTarget } from '../../src/download/redirect.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { type LoopbackServer, type Serve, startServer } from '../helpers/loopback-server.ts';

const servers: LoopbackServer[] = [];
const http = createHttpClient();
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(handler: Serve): Promise<LoopbackServer> {
  const server = await startServer(handler);
  servers.push(server);
  return server;
}

async function get(address: string) {
  const { response, url } = await getFollowingRedirects(new URL(address), { 'x-test': '1' }, { http });
  return { status: response.status, text: await response.body.text(), url: url.href };
}

/** Cookies know hosts, not ports: this machine under another name is another host to them. */
const underAnotherName = (server: LoopbackServer) => `http://localhost:${server.port}`;

describe('redirectTarget', () => {
  const from = new URL('https://a.example.org/b/c?secret=1');
  test.each([
    ['/d', 'https://a.example.org/d'],
    ['d?e=f', 'https://a.example.org/b/d?e=f'],
    ['//g.example.org/h', 'https://g.example.org/h'],
    ['https://i.example.org/', 'https://i.example.org/'],
  ])('%s leads to %s', (location, target) => {
    expect(redirectTarget(from, location).href).toBe(target);
  });

  test('http may lead to https', () => {
    expect(redirectTarget(new URL('http://a.example.org/'), 'https://a.example.org/').protocol).toBe('https:');
  });

  test.each([
    ['http://a.example.org/secret', /from https to http \(a\.example\.org\)/],
    ['ftp://a.example.org/secret', /not a web address/],
    ['javascript:secret', /not a web address/],
    ['https://[secret', /not a web address/],
  ])('%s is refused', async (location, says) => {
    const error = await failureOf(() => redirectTarget(from, location));
    expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(says) });
    expectNowhere(error, 'secret');
  });
});

describe('getFollowingRedirects', () => {
  test.each([301, 302, 303, 307, 308])(
    'follows a %i, relative and absolute, with the headers it was given',
    async (status) => {
      const last = await serve((_, response) => response.end('here'));
      const server = await serve((request, response) => {
        const location = request.url === '/a/b' ? '../c?d' : `${last.origin}/e`;
        response.writeHead(status, { location }).end('moved');
      });
      expect(await get(`${server.origin}/a/b`)).toEqual({ status: 200, text: 'here', url: `${last.origin}/e` });
      expect([...server.requests, ...last.requests].map(({ method, url }) => `${method} ${url}`)).toEqual([
        'GET /a/b',
        'GET /c?d',
        'GET /e',
      ]);
      expect(last.requests[0]?.headers).toMatchObject({ 'x-test': '1', 'accept-encoding': 'identity' });
    },
  );

  test('returns a 300 and a redirect without an address as they are', async () => {
    const server = await serve((request, response) => response.writeHead(request.url === '/300' ? 300 : 302).end());
    expect((await get(`${server.origin}/300`)).status).toBe(300);
    expect((await get(`${server.origin}/302`)).status).toBe(302);
  });

  test('sends a cookie on, as SharePoint’s share links need it', async () => {
    const server = await serve((request, response) => {
      if (request.headers.cookie?.includes('FedAuth=77')) return void response.end('zip');
      response.setHeader('set-cookie', ['FedAuth=77; path=/; HttpOnly', 'other=1; path=/', 'garbage;;=']);
      response.writeHead(302, { location: '/share?download=1' }).end();
    });
    // Even to the same address: that is how a server sees whether cookies are kept.
    expect((await get(`${server.origin}/share?download=1`)).text).toBe('zip');
    expect(server.requests.map(({ headers }) => headers.cookie)).toEqual([undefined, 'FedAuth=77; other=1']);
  });

  test('keeps cookies to the host and path they were set for', async () => {
    const other = await serve((_, response) => response.end());
    const server = await serve((request, response) => {
      const location = { '/a/1': '/b/2', '/b/2': '/a/3' }[request.url ?? ''] ?? `${underAnotherName(other)}/a/4`;
      response.writeHead(302, { location, 'set-cookie': ['a=1; path=/a', 'stolen=1; domain=localhost'] }).end();
    });
    await get(`${server.origin}/a/1`);
    expect([...server.requests, ...other.requests].map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      undefined,
      'a=1',
      undefined,
    ]);
  });

  test('sends the user name and password of the address to its own origin only', async () => {
    const other = await serve((request, response) => {
      if (request.url === '/there') response.writeHead(302, { location: `${server.origin}/back` });
      response.end();
    });
    const server = await serve((request, response) => {
      const location = { '/start': '/next', '/next': `${other.origin}/there` }[request.url ?? ''];
      if (location) response.writeHead(302, { location });
      response.end();
    });
    await get(`http://jos%C3%A9:50%@127.0.0.1:${server.port}/start`);
    const authorization = `Basic ${Buffer.from('josé:50%').toString('base64')}`;
    expect(server.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/start', authorization],
      ['/next', authorization],
      ['/back', authorization],
    ]);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('takes no password from a redirect', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/a') response.writeHead(302, { location: `http://u:p@127.0.0.1:${server.port}/b` });
      response.end();
    });
    await get(`${server.origin}/a`);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  test('ends when redirects go in a circle', async () => {
    const server = await serve((request, response) => {
      response.writeHead(302, { location: request.url === '/secret' ? '/b' : '/secret' }).end();
    });
    const error = await failureOf(get(`${server.origin}/secret`));
    expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(/in a circle.*needs a sign-in/) });
    expectNowhere(error, 'secret');
    expect(server.requests).toHaveLength(2);
  });

  test('follows ten redirects and not eleven', async () => {
    const server = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` });
      response.end('end');
    });
    expect((await get(`${server.origin}/10`)).text).toBe('end');
    expect((await failureOf(get(`${server.origin}/11`))).message).toMatch(/more than 10 times/);
  });
});
