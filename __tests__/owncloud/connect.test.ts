import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { connectTo, errorOf, localFile, otherServer, ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';

const HOME = `/remote.php/dav/files/${encodeURIComponent(USER)}/`;
const host = (url: string) => new URL(url).host;

/** A WebDAV answer about one folder, as servers of other makes give it. */
const FOLDER = `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`;

describe('an ownCloud', () => {
  test.each([
    ['its address', ''],
    ['a page of it', '/index.php/apps/files/?dir=/'],
    ['its WebDAV address', HOME],
  ])('is recognised by %s', async (_, path) => {
    const server = await ownServer({ basePath: '/sub/path' });
    const remote = await connectTo(server.url + path);
    expect(remote.kind).toBe('owncloud');
    expect(remote.description).toBe(`ownCloud 10.15.0 at ${host(server.url)}`);
    expect(remote.rootUrl.href).toBe(server.url + HOME);
    expect(remote.folderPage('/a b/100%/')).toBe(`${server.url}/index.php/apps/files/?dir=%2Fa+b%2F100%25`);
    expect(remote.fileUrl('/a b/100%.zip')).toBe(`${server.url}${HOME}a%20b/100%25.zip`);
  });

  test.each([
    ['/index.php/apps/files/?dir=/Team/a%20b&fileid=7', 'Team/a b'],
    [`${HOME}Team/a%20b`, 'Team/a b'],
  ])('%s is the folder that it shows', async (path, folder) => {
    const server = await ownServer();
    await mkdir(join(server.directory, folder), { recursive: true });
    const remote = await connectTo(server.url + path);
    const { verified } = await uploadFile(remote, await localFile(2_000), { policy: SWIFT });
    expect(verified).toBe('checksum');
    expect(await readdir(join(server.directory, folder, 'data sets'))).toHaveLength(1);
    expect(remote.folderPage('data sets')).toBe(`${server.url}/index.php/apps/files/?dir=%2FTeam%2Fa+b%2Fdata+sets`);
  });

  test('a folder in its address that does not exist is said, and not made', async () => {
    const server = await ownServer();
    const error = await errorOf(connectTo(`${server.url}/apps/files/?dir=/Taem`));
    expect(error.message).toContain('names the folder “Taem”, which does not exist');
    expect(await readdir(server.directory)).toEqual([]);
  });

  test('the page of a folder lists its files', async () => {
    const server = await ownServer();
    const remote = await connectTo(server.url);
    await remote.client.putFileContents('/a.zip', 'x');
    const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
    const page = await fetch(remote.folderPage('') ?? '', { headers: { authorization } });
    expect(await page.text()).toContain('a.zip');
  });

  test('with the older WebDAV address', async () => {
    const server = await ownServer();
    const remote = await connectTo(`${server.url}/remote.php/webdav`);
    expect(remote.rootUrl.href).toBe(`${server.url}/remote.php/webdav/`);
    expect(remote.folderPage('x')).toBe(`${server.url}/index.php/apps/files/?dir=%2Fx`);
  });

  test.each<[string, Hook]>([
    ['404', ({ path }) => (path.includes('/dav/files/') ? { status: 404 } : undefined)],
    [
      'an empty folder without permissions',
      ({ path }) => (path.includes('/dav/files/') ? { status: 207, body: FOLDER } : undefined),
    ],
  ])('whose user signs in by e-mail (home answers %s) is used by the address without a name', async (_, hook) => {
    const server = await ownServer({ hook });
    expect((await connectTo(server.url)).rootUrl.href).toBe(`${server.url}/remote.php/webdav/`);
  });

  test('says once why it refuses the password, though each of its ways to sign in says it', async () => {
    const reason = 'Username or password was incorrect';
    const body = `<d:error xmlns:d="DAV:" xmlns:s="x"><s:message>${reason}, ${reason}, No bearer found</s:message></d:error>`;
    const server = await ownServer({
      hook: ({ method }) => (method === 'PROPFIND' ? { status: 401, body } : undefined),
    });
    const { message } = await errorOf(connectTo(server.url));
    expect(message).toMatch(/ It says: “Username or password was incorrect, No bearer found”\.$/);
  });

  test('another user’s WebDAV address is refused instead of showing an empty folder', async () => {
    const server = await ownServer({
      hook: ({ method }) => (method === 'PROPFIND' ? { status: 207, body: FOLDER } : undefined),
    });
    const error = await errorOf(connectTo(`${server.url}/remote.php/dav/files/eve`));
    expect(error.message).toContain('folder of another user');
  });

  test('its version and product are told apart', async () => {
    const statuses = {
      'Nextcloud 31.0.2':
        '{"maintenance":false,"versionstring":"31.0.2","productname":"Uni Cloud","extendedSupport":false}',
      'Infinite Scale 7.1.2':
        '{"maintenance":false,"versionstring":"10.11.0","productname":"Infinite Scale","product":"Infinite Scale","productversion":"7.1.2"}',
      'ownCloud 10.9.1': '{"maintenance":false,"versionstring":"10.9.1","productname":"Forschungswolke"}',
    };
    for (const [title, body] of Object.entries(statuses)) {
      const server = await ownServer({
        hook: ({ path }) => (path === '/status.php' ? { status: 200, body } : undefined),
      });
      expect((await connectTo(server.url)).description).toBe(`${title} at ${host(server.url)}`);
    }
  });

  test('in maintenance says so at once', async () => {
    const body = '{"maintenance":true,"versionstring":"10.15.0","productname":"ownCloud"}';
    const server = await ownServer({ hook: () => ({ status: 200, body }) });
    expect((await errorOf(connectTo(server.url))).message).toContain('is in maintenance');
  });

  test('a broken answer is asked for again', async () => {
    let count = 0;
    const server = await ownServer({ hook: () => (count++ < 2 ? 'hang up' : undefined) });
    expect((await connectTo(server.url)).kind).toBe('owncloud');
  });

  test.each([
    ['http://cloud.example.org', true],
    ['http://192.168.0.7:8080', true],
    ['http://127.0.0.1.example.org', true],
    ['http://[::2]', true],
    ['https://cloud.example.org', false],
    ['http://127.0.0.1:8080', false],
    ['http://127.1.2.3', false],
    ['http://localhost/owncloud', false],
    ['http://[::1]:8080', false],
  ])('at %s: a warning that nothing is encrypted: %s', async (url, expected) => {
    const warnings: string[] = [];
    const options = { onWarning: (message: string) => warnings.push(message), signal: AbortSignal.abort() };
    expect(await errorOf(connectTo(url, {}, options))).toMatchObject({ code: 'CANCELLED' });
    expect(warnings).toEqual(expected ? [expect.stringContaining(`go to ${host(url)} unencrypted`)] : []);
  });

  test('credentials are missing from whatever prints the remote', async () => {
    const server = await ownServer();
    const remote = await connectTo(server.url);
    const printed = inspect(remote, { depth: 20, showHidden: true }) + JSON.stringify(remote.client.getHeaders());
    expect(printed).not.toContain(PASSWORD);
  });

  test('a user name is needed', async () => {
    const error = await errorOf(connectTo((await ownServer()).url, { username: '' }));
    expect(error).toMatchObject({ code: 'INPUT' });
    expect(error.message).toContain('owncloud-username is empty');
  });
});

describe('refusals at sign-in', () => {
  test('a wrong password', async () => {
    const error = await errorOf(connectTo((await ownServer()).url, { password: 'wr0ng-pass' }));
    expect(error.message).toMatch(/owncloud-username and owncloud-password.*app password/s);
    expect(error.message).not.toContain('wr0ng-pass');
  });

  test.each([
    [403, 'may not do that'],
    [500, 'it has a fault'],
    [503, 'in maintenance'],
  ])('status %i', async (status, words) => {
    const server = await ownServer({ hook: ({ method }) => (method === 'PROPFIND' ? { status } : undefined) });
    const error = await errorOf(connectTo(server.url));
    expect(error.message).toContain(words);
    expect(error.message).toContain(host(server.url));
  });

  test('no home under either address', async () => {
    const server = await ownServer({ hook: ({ method }) => (method === 'PROPFIND' ? { status: 404 } : undefined) });
    expect((await errorOf(connectTo(server.url))).message).toContain(`no folder of files for the user “${USER}”`);
  });

  test('a server that wants Digest', async () => {
    const server = await otherServer((request, response) => {
      const challenge = 'Digest realm="files, Basic", qop="auth", nonce="abc=", algorithm=MD5';
      response.writeHead(request.method === 'PROPFIND' ? 401 : 404, { 'www-authenticate': challenge }).end();
    });
    const error = await errorOf(connectTo(server.url));
    expect(error.message).toContain('not supported (digest)');
  });

  test('a server that offers Digest and Basic gets Basic', async () => {
    const server = await otherServer((request, response) => {
      if (request.method !== 'PROPFIND') response.writeHead(404).end();
      else if (request.headers.authorization?.startsWith('Basic')) response.writeHead(207).end(FOLDER);
      else response.writeHead(401, { 'www-authenticate': 'Digest realm="x", nonce="y", Basic realm="x"' }).end();
    });
    expect((await connectTo(server.url)).kind).toBe('webdav');
  });

  test('an https address of a server that speaks http', async () => {
    const server = await ownServer();
    const error = await errorOf(connectTo(server.url.replace('http:', 'https:')));
    expect(error.message).toContain('check whether it should be http');
  });

  test('a server that is not there', async () => {
    const server = await otherServer(() => {});
    const { url } = server;
    const error = await errorOf(connectTo(url.replace(/:\d+$/, ':1'), {}, { policy: { ...SWIFT, tries: 1 } }));
    expect(error).toMatchObject({ code: 'NETWORK' });
  });
});

describe('redirects are never followed', () => {
  test.each([
    ['status.php', (path: string) => path.endsWith('/status.php')],
    ['WebDAV', (path: string) => !path.endsWith('/status.php')],
  ])('of %s to another server: an error that names it, and no credentials get there', async (_, moved) => {
    const elsewhere = await otherServer((__, response) => response.writeHead(207).end(FOLDER));
    const server = await ownServer({
      hook: ({ path }) =>
        moved(path) ? { status: 301, headers: { location: `${elsewhere.url}/sso?ticket=t0p` } } : undefined,
    });
    const error = await errorOf(connectTo(server.url));
    expect(error.message).toContain(elsewhere.url);
    expect(error.message).not.toContain('t0p');
    expect(error.message).toContain('owncloud-url');
    expect(elsewhere.requests).toEqual([]);
  });

  test('to the same server with https or below a sub-path: the address to write is named', async () => {
    for (const [target, named] of [
      ['https://cloud.example.org/status.php', 'points to https://cloud.example.org instead'],
      ['/owncloud/status.php', '/owncloud/ instead'],
    ] as const) {
      const server = await otherServer((_, response) => response.writeHead(302, { location: target }).end());
      const error = await errorOf(connectTo(server.url));
      expect(error.message).toContain(named);
      expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    }
  });
});

describe('any other WebDAV server', () => {
  test('is used as it is, also below a path and without OPTIONS', async () => {
    const server = await otherServer((request, response) => {
      if (request.method === 'PROPFIND') response.writeHead(207).end(FOLDER);
      else response.writeHead(request.method === 'OPTIONS' ? 500 : 404).end();
    });
    const remote = await connectTo(`${server.url}/dav/my%20files`);
    expect([remote.kind, remote.rootUrl.href]).toEqual(['webdav', `${server.url}/dav/my%20files/`]);
    expect(remote.folderPage('x')).toBeUndefined();
    expect(server.requests.map(({ method }) => method)).toEqual(['GET', 'PROPFIND']);
  });

  test('without user name and password no credentials are sent', async () => {
    const server = await otherServer((request, response) =>
      response.writeHead(request.method === 'PROPFIND' ? 207 : 404).end(FOLDER),
    );
    await connectTo(server.url, { username: '', password: '' });
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });

  test('folders are asked for with their last “/”, which Apache needs', async () => {
    const server = await otherServer((request, response) => {
      if (request.method !== 'PROPFIND') response.writeHead(404).end();
      else if (request.url?.endsWith('/')) response.writeHead(207).end(FOLDER);
      else response.writeHead(301, { location: `${request.url}/` }).end();
    });
    const remote = await connectTo(`${server.url}/dav`);
    await remote.client.getDirectoryContents('/');
    await remote.client.getDirectoryContents('/a b');
    const asked = server.requests.filter(({ method }) => method === 'PROPFIND').map(({ path }) => path);
    expect(asked).toEqual(['/dav/', '/dav/', '/dav/a%20b/']);
  });

  test.each([200, 404, 405])('a website that answers PROPFIND with %i is recognised', async (status) => {
    const server = await otherServer((_, response) => response.writeHead(status).end('<html>Hello</html>'));
    const error = await errorOf(connectTo(server.url));
    expect(error.message).toContain('neither an ownCloud or Nextcloud');
  });

  test('a request to another origin is stopped before it is sent', async () => {
    const elsewhere = await otherServer((_, response) => response.writeHead(207).end(FOLDER));
    const remote = await connectTo((await ownServer()).url);
    const error = await errorOf(remote.client.customRequest('/', { method: 'PROPFIND', url: elsewhere.url }));
    expect(error.message).toContain('stopped');
    expect(elsewhere.requests).toEqual([]);
  });

  test('two remotes at once keep their own credentials', async () => {
    const [one, two] = [await ownServer(), await ownServer({ username: 'eve', password: 'other' })];
    const remotes = [await connectTo(one.url), await connectTo(two.url, { username: 'eve', password: 'other' })];
    for (const remote of remotes) expect(await remote.client.getDirectoryContents('/')).toEqual([]);
  });

  test('a stored file can be read through the client, byte for byte', async () => {
    const remote = await connectTo((await ownServer()).url);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    await remote.client.putFileContents('/all bytes.bin', bytes);
    expect(await remote.client.getFileContents('/all bytes.bin')).toEqual(bytes);
    const chunks: Buffer[] = [];
    const stream = remote.client.createReadStream('/all bytes.bin');
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => stream.once('end', resolve));
    expect(Buffer.concat(chunks)).toEqual(bytes);
  });
});

describe('a project space of Infinite Scale or OpenCloud (a stand-in that has only what is asked here)', () => {
  const STATUS = {
    installed: true,
    maintenance: false,
    versionstring: '10.11.0',
    productversion: '7.1.0',
    product: 'OpenCloud',
  };

  async function spaceServer(drives: (origin: string) => unknown) {
    const server = await otherServer((request, response) => {
      const origin = `http://${request.headers.host}`;
      if (request.url === '/status.php') response.end(JSON.stringify(STATUS));
      else if (request.url === '/graph/v1.0/me/drives') response.end(JSON.stringify(drives(origin)));
      else response.writeHead(request.url?.startsWith('/dav/spaces/1$2/a%20b') ? 207 : 404).end(FOLDER);
    });
    return server.url;
  }

  test('is found by its page', async () => {
    const url = await spaceServer((origin) => ({
      value: [
        { driveAlias: 'personal/ada' },
        { driveAlias: 'project/team', root: { webDavUrl: `${origin}/dav/spaces/1$2` } },
      ],
    }));
    const remote = await connectTo(`${url}/files/spaces/project/team/a%20b`);
    expect(remote.rootUrl.href).toBe(`${url}/dav/spaces/1$2/a%20b/`);
  });

  test.each([
    ['that the account does not have', { value: [] }, 'has no such space for this account'],
    [
      'that lies elsewhere',
      { value: [{ driveAlias: 'project/team', root: { webDavUrl: 'https://evil.example/x' } }] },
      'has no such',
    ],
    ['whose server gives another answer', {}, 'does not say where its files are'],
  ])('%s is refused with the address to write', async (_, drives, sentence) => {
    const url = await spaceServer(() => drives);
    const { message } = await errorOf(connectTo(`${url}/files/spaces/project/team`));
    expect(message).toContain(sentence);
    expect(message).toContain(`such as ${url}/dav/spaces/`);
  });
});
