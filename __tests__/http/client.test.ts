import { request as ask, createServer } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { asNetworkError, createHttpClient, type HttpClientOptions, NetworkError } from '../../src/http/client.ts';
import { listen, type Serve, startServer } from '../helpers/loopback-server.ts';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(handler: Serve) {
  const server = await startServer(handler);
  cleanUps.push(server.close);
  return server;
}

function client(options: HttpClientOptions = {}) {
  const made = createHttpClient(options);
  cleanUps.push(made.close);
  return made;
}

/** A forward proxy: absolute-form requests, and CONNECT to any port of this machine; `refuse` is its answer to all. */
async function startProxy(refuse?: number) {
  const seen: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    authorizations.push(request.headers['proxy-authorization']);
    if (refuse) return void response.writeHead(refuse).end();
    const onward = ask(request.url ?? '', (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end();
  });
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (refuse) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
    const target = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
  });
  const port = await listen(proxy);
  cleanUps.push(async () => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const url = new URL(`http://user:secret@127.0.0.1:${port}`);
  return { url, seen, authorizations };
}

describe('an HTTP client', () => {
  test('sends what it is given and never follows a redirect', async () => {
    const server = await serve((_, response) => response.writeHead(302, { location: '/elsewhere' }).end('moved'));
    const response = await client().send({
      method: 'PUT',
      url: new URL(`${server.origin}/a%20b?c=d`),
      headers: { 'x-test': '1' },
      body: 'text',
    });
    expect([response.status, await response.body.text()]).toEqual([302, 'moved']);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({ method: 'PUT', url: '/a%20b?c=d', headers: { 'x-test': '1' } });
  });

  test('a server that accepts and does not answer is a passing NETWORK failure', async () => {
    const server = await serve(() => {});
    const run = client({ idleTimeoutMs: 100 }).send({ method: 'GET', url: new URL(server.origin) });
    await expect(run).rejects.toThrow(/did not answer in time/);
    await expect(run).rejects.toMatchObject({ code: 'NETWORK', transient: true });
  });

  test('one request may be given more time to be answered than the others', async () => {
    const server = await serve((_, response) => void setTimeout(() => response.end('late'), 300));
    const { send } = client({ idleTimeoutMs: 100 });
    const response = await send({ method: 'GET', url: new URL(server.origin), answerTimeoutMs: 20_000 });
    expect(await response.body.text()).toBe('late');
  });

  test('a body that stops coming breaks, and the error says so', async () => {
    const server = await serve((_, response) => void response.writeHead(200, { 'content-length': 9 }).write('begin'));
    const url = new URL(server.origin);
    const { body } = await client({ idleTimeoutMs: 100 }).send({ method: 'GET', url });
    const broken = await body.text().catch((error) => asNetworkError(error, url));
    expect(broken).toMatchObject({
      code: 'NETWORK',
      transient: true,
      message: expect.stringMatching(/stopped sending/),
    });
  });

  test('a body that breaks before it is read does not end the process, and is an error when it is read', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 1_000_000 }).write('begin', () => response.socket?.destroy());
    });
    const { body } = await client().send({ method: 'GET', url: new URL(server.origin) });
    while (!body.destroyed) await nextTurn();
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    await expect(body.toArray()).rejects.toThrow();
  });

  test('a body that only trickles is given up, and one whose reader pauses is not', async () => {
    const server = await serve((request, response) => {
      response.writeHead(200);
      if (request.url === '/whole') return void response.end('x'.repeat(200_000));
      const drop = setInterval(() => response.write('x'), 10);
      response.on('close', () => clearInterval(drop));
    });
    const url = new URL(`${server.origin}/whole`);
    const { send } = client({ leastRate: { bytes: 1_000, overMs: 300 } });
    const slow = await send({ method: 'GET', url: new URL(server.origin) });
    const whole = await send({ method: 'GET', url });
    const broken = await slow.body.text().catch((error: unknown) => asNetworkError(error, url));
    expect(broken).toMatchObject({
      transient: true,
      message: expect.stringMatching(/sent less than 1\.0 kB a second for 0 s/),
    });
    expect(await whole.body.text()).toHaveLength(200_000);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['says nothing to TLS', () => {}],
    ['hangs up on TLS', (socket) => socket.destroy()],
  ])('https to a server of http that %s is said at once, and not tried again', async (_, onTls) => {
    const server = createTcpServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', (data) => {
          if (data[0] === 0x16) onTls(socket);
          else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        });
    });
    const port = await listen(server);
    cleanUps.push(async () => void server.close());
    const run = client({ doubtMs: 50, connectTimeoutMs: 600_000 }).send({
      method: 'GET',
      url: new URL(`https://127.0.0.1:${port}/secret`),
    });
    await expect(run).rejects.toMatchObject({
      transient: false,
      message: `The server 127.0.0.1:${port} did not answer in TLS, but it answers without: the address says https, and should begin with http://.`,
    });
  });

  test('a server of TLS that hangs up is not taken for one of http, although it says in plain HTTP what it is', async () => {
    const server = createTcpServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', (data) => {
          if (data[0] === 0x16) socket.destroy();
          else socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
        });
    });
    const port = await listen(server);
    cleanUps.push(async () => void server.close());
    const run = client({ doubtMs: 50, connectTimeoutMs: 600_000 }).send({
      method: 'GET',
      url: new URL(`https://127.0.0.1:${port}/`),
    });
    await expect(run).rejects.toMatchObject({
      transient: true,
      message: expect.stringContaining('broke the connection'),
    });
  });

  test('an answer that ends with its connection is whole, although nobody has read it by then', async () => {
    // As much as is kept until somebody reads.
    const body = 'x'.repeat(65_536);
    const server = createTcpServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', async () => {
          socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n');
          await sleep(5);
          socket.write(body);
          await sleep(5);
          socket.end();
        });
    });
    const port = await listen(server);
    cleanUps.push(async () => void server.close());
    const answer = await client().send({ method: 'GET', url: new URL(`http://127.0.0.1:${port}/`) });
    await sleep(100);
    expect(await answer.body.text()).toHaveLength(body.length);
  });

  test('cancelling while there is no connection yet is CANCELLED at once', async () => {
    const server = createTcpServer((socket) => void socket.on('error', () => {}));
    const port = await listen(server);
    cleanUps.push(async () => void server.close());
    const cancel = new AbortController();
    const { send } = client({ connectTimeoutMs: 600_000 });
    const run = send({ method: 'GET', url: new URL(`https://127.0.0.1:${port}/`), signal: cancel.signal });
    server.once('connection', () => cancel.abort());
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('cancelling before the answer and while the body comes is CANCELLED', async () => {
    const cancel = new AbortController();
    const server = await serve((_, response, number) => {
      if (number === 1) response.writeHead(200, { 'content-length': 9 }).write('begin');
      else cancel.abort();
    });
    const url = new URL(server.origin);
    const { send } = client();
    const { body } = await send({ method: 'GET', url, signal: cancel.signal });
    const reading = body.text().catch((error) => asNetworkError(error, url, cancel.signal));
    await expect(send({ method: 'GET', url, signal: cancel.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await reading).toMatchObject({ code: 'CANCELLED' });
  });

  test('a server that is not there is a passing failure that names it', async () => {
    const gone = await startServer(() => {});
    await gone.close();
    const run = client().send({ method: 'GET', url: new URL(`${gone.origin}/secret`) });
    await expect(run).rejects.toBeInstanceOf(NetworkError);
    await expect(run).rejects.toMatchObject({
      transient: true,
      message: expect.stringContaining(`127.0.0.1:${gone.port}`),
    });
  });
});

describe('behind a proxy', () => {
  test('http goes through it in absolute form, with its password, for the addresses it is for only', async () => {
    const server = await serve((_, response) => response.end('hello'));
    const proxy = await startProxy();
    const { send } = client({ proxyFor: (url) => (url.pathname === '/direct' ? undefined : proxy.url) });
    for (const path of ['/direct', '/proxied']) {
      const response = await send({ method: 'GET', url: new URL(path, server.origin) });
      expect(await response.body.text()).toBe('hello');
    }
    expect(proxy.seen).toEqual([`GET ${server.origin}/proxied`]);
    expect(proxy.authorizations).toEqual([`Basic ${btoa('user:secret')}`]);
  });

  test('https goes through a tunnel: the proxy sees the host only', async () => {
    const server = await serve((_, response) => response.end('not TLS'));
    const proxy = await startProxy();
    const run = client({ proxyFor: () => proxy.url }).send({
      method: 'GET',
      url: new URL(`https://127.0.0.1:${server.port}/secret`),
    });
    // The server behind it speaks no TLS, which is seen only by who got as far as shaking hands with it.
    await expect(run).rejects.toMatchObject({
      transient: false,
      message: expect.stringMatching(/did not answer in TLS.*through the proxy/),
    });
    expect(proxy.seen).toEqual([`CONNECT 127.0.0.1:${server.port}`]);
  });

  test('the time-outs hold there too', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/begins') response.writeHead(200, { 'content-length': 9 }).write('begin');
    });
    const proxy = await startProxy();
    const { send } = client({ proxyFor: () => proxy.url, idleTimeoutMs: 100 });
    await expect(send({ method: 'GET', url: new URL(server.origin) })).rejects.toThrow(/did not answer in time/);
    const url = new URL('/begins', server.origin);
    const { body } = await send({ method: 'GET', url });
    expect(asNetworkError(await body.text().catch((error) => error), url).message).toMatch(/stopped sending/);
  });

  test.each([
    ['https', 403, false, /NO_PROXY/],
    ['https', 407, false, /user name and a password/],
    ['http', 407, false, /user name and a password/],
    ['https', 502, true, /refused to connect/],
  ])('that refuses %s with %i is named, and passing is %s', async (scheme, status, transient, says) => {
    const proxy = await startProxy(status);
    const run = client({ proxyFor: () => proxy.url }).send({
      method: 'GET',
      url: new URL(`${scheme}://cloud.example.org/secret`),
    });
    await expect(run).rejects.toMatchObject({ code: 'NETWORK', transient, message: expect.stringMatching(says) });
    await expect(run).rejects.toThrow(`The proxy ${proxy.url.host}`);
    await expect(run).rejects.not.toThrow(/secret/);
  });
});
