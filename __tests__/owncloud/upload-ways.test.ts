import { describe, expect, onTestFinished, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { connectTo, errorOf, otherServer, ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';

const NAME = encodeURIComponent(USER);
const STATUS = {
  nextcloud: '{"maintenance":false,"versionstring":"31.0.2","productname":"Nextcloud","extendedSupport":false}',
  'infinite-scale':
    '{"maintenance":false,"versionstring":"10.11.0","productname":"Infinite Scale","product":"Infinite Scale","productversion":"7.1.2"}',
};

function says(product: keyof typeof STATUS, more: Hook = () => undefined): Hook {
  return (request, proceed) =>
    request.path.endsWith('/status.php') ? { status: 200, body: STATUS[product] } : more(request, proceed);
}

const capabilities =
  (value: unknown): Hook =>
  ({ path }) =>
    path.endsWith('/cloud/capabilities')
      ? { status: 200, body: JSON.stringify({ ocs: { data: { capabilities: value } } }) }
      : undefined;

describe('whether a server takes files in pieces', () => {
  test('an ownCloud says so, and where', async () => {
    const server = await ownServer({ basePath: '/own' });
    const { chunking } = await connectTo(server.url);
    expect(chunking?.uploads.rootUrl.href).toBe(`${server.url}/remote.php/dav/uploads/${NAME}/`);
    expect(chunking?.targetUrl('/a b/100%.zip')).toBe(`${server.url}/remote.php/dav/files/${NAME}/a%20b/100%25.zip`);
    expect(chunking).toMatchObject({ minChunkBytes: 1, maxChunkBytes: undefined, maxParallel: undefined });
  });

  test('its older address and a folder’s address lead to the same place', async () => {
    const server = await ownServer();
    const older = await connectTo(`${server.url}/remote.php/webdav`);
    expect(older.chunking?.uploads.rootUrl.href).toBe(`${server.url}/remote.php/dav/uploads/${NAME}/`);
    expect(older.chunking?.targetUrl('/x.zip')).toBe(`${server.url}/remote.php/dav/files/${NAME}/x.zip`);
    await (await connectTo(server.url)).client.createDirectory('/sub');
    const below = await connectTo(`${server.url}/remote.php/dav/files/${NAME}/sub`);
    expect(below.chunking?.targetUrl('/x.zip')).toBe(`${server.url}/remote.php/dav/files/${NAME}/sub/x.zip`);
    const olderBelow = await connectTo(`${server.url}/remote.php/webdav/sub`);
    expect(olderBelow.chunking?.targetUrl('/x.zip')).toBe(`${server.url}/remote.php/dav/files/${NAME}/sub/x.zip`);
  });

  test('a Nextcloud too, with its limits', async () => {
    const limits = { max_size: 20_000_000, max_parallel_count: 2 };
    const hook = says('nextcloud', capabilities({ dav: { chunking: '1.0' }, files: { chunked_upload: limits } }));
    const { chunking } = await connectTo((await ownServer({ hook })).url);
    expect(chunking).toMatchObject({ minChunkBytes: 5_242_880, maxChunkBytes: 20_000_000, maxParallel: 2 });
  });

  test.each<[string, Hook | undefined, boolean]>([
    ['an ownCloud that does not say so', undefined, false],
    ['an ownCloud that names no version', capabilities({ dav: {} }), true],
    ['Infinite Scale, which has another way', says('infinite-scale'), true],
  ])('not %s', async (_, hook, chunking) => {
    const warnings: string[] = [];
    const server = await ownServer({ chunking, ...(hook ? { hook } : {}) });
    const remote = await connectTo(server.url, {}, { onWarning: (message) => warnings.push(message) });
    expect(remote.chunking).toBeUndefined();
    expect(warnings.join()).not.toContain('one piece');
  });

  test('not a public link, which is not even asked', async () => {
    const asked: string[] = [];
    const server = await ownServer({
      publicLinks: [{ token: 't0ken', permissions: 15 }],
      hook: ({ path }) => void asked.push(path),
    });
    const remote = await connectTo(`${server.url}/s/t0ken`, { username: '', password: '' });
    expect(remote.chunking).toBeUndefined();
    expect(asked.filter((path) => /ocs|uploads/.test(path))).toEqual([]);
  });

  test('not another WebDAV server', async () => {
    const folder = `<D:multistatus xmlns:D="DAV:"><D:response><D:href>/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`;
    const server = await otherServer((request, response) => {
      response.writeHead(request.method === 'PROPFIND' ? 207 : 404).end(request.method === 'PROPFIND' ? folder : '');
    });
    expect((await connectTo(server.url)).chunking).toBeUndefined();
    expect(server.requests.filter(({ path }) => path.includes('ocs'))).toEqual([]);
  });

  test.each<[string, Hook]>([
    ['refuses its capabilities', ({ path }) => (path.includes('/ocs/') ? { status: 404 } : undefined)],
    ['answers with a page', ({ path }) => (path.includes('/ocs/') ? { status: 200, body: '<html>' } : undefined)],
    ['refuses the folder of uploads', ({ path }) => (path.includes('/uploads/') ? { status: 404 } : undefined)],
  ])('a server that %s gets files whole, and a warning says so', async (_, hook) => {
    const warnings: string[] = [];
    const remote = await connectTo((await ownServer({ hook })).url, {}, { onWarning: (text) => warnings.push(text) });
    expect(remote.chunking).toBeUndefined();
    expect(warnings.join()).toContain('in one piece');
    expect(warnings.join()).not.toContain(PASSWORD);
  });

  test('it is asked when it is needed, once, and again after a server that was not reached', async () => {
    const asked: string[] = [];
    let isDown = true;
    const server = await ownServer({
      hook: ({ path }) => {
        if (!path.includes('/ocs/')) return undefined;
        asked.push(path);
        return isDown ? 'hang up' : undefined;
      },
    });
    const http = createHttpClient();
    onTestFinished(() => http.close());
    const policy = { ...SWIFT, tries: 1 };
    const remote = await connect({ url: server.url, username: USER, password: PASSWORD }, { http, policy });
    expect(asked).toEqual([]);
    await errorOf(remote.ways());
    isDown = false;
    expect((await remote.ways()).chunking).toBeDefined();
    expect(await remote.ways()).toBe(await remote.ways());
    expect(asked).toHaveLength(2);
  });

  test('a redirect of the question is not followed: no other server gets the password', async () => {
    const thief = await otherServer((_, response) => response.end('{}'));
    const hook: Hook = ({ path }) =>
      path.includes('/ocs/') ? { status: 302, headers: { location: `${thief.url}/ocs` } } : undefined;
    const remote = await connectTo((await ownServer({ hook })).url);
    expect(remote.chunking).toBeUndefined();
    expect(thief.requests).toEqual([]);
  });

  test('what speaks to the uploads refuses to speak to another server', async () => {
    const { chunking } = await connectTo((await ownServer()).url);
    const thief = await otherServer((_, response) => response.end());
    const request = chunking?.uploads.client.customRequest('/x', { method: 'PUT', url: `${thief.url}/x` });
    expect((await errorOf(Promise.resolve(request))).message).toContain('stopped');
    expect(thief.requests).toEqual([]);
  });
});
