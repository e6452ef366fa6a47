import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownServer, PASSWORD, temporaryFolder, USER } from '../../helpers/owncloud.ts';

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
const AUTHORIZATION = basic(USER, PASSWORD);

/** A request exactly as written: `fetch` would tidy up the path. */
async function ask(
  server: { url: string },
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
) {
  const { hostname, port } = new URL(server.url);
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, method, path, headers: { authorization: AUTHORIZATION, ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    request.on('error', reject).end(body);
  });
}

const DAV = '/remote.php/webdav';

describe('nothing outside the directory', () => {
  test.each([
    `${DAV}/../secret.txt`,
    `${DAV}/%2e%2e/secret.txt`,
    `${DAV}/..%2fsecret.txt`,
    `${DAV}/x/..%2f..%2f..%2fsecret.txt`,
    `${DAV}/..\\secret.txt`,
    `${DAV}/..%5csecret.txt`,
    `${DAV}/secret.txt%00`,
    `${DAV}/out/secret.txt`,
    `/index.php/apps/files/?dir=/../`,
    `/index.php/apps/files/?dir=/out`,
  ])('%s is refused for reading and writing', async (path) => {
    const outside = await temporaryFolder();
    await writeFile(join(outside, 'secret.txt'), 'secret');
    await mkdir(join(outside, 'inside'));
    await symlink(outside, join(outside, 'inside', 'out'), 'junction');
    const server = await ownServer({ directory: join(outside, 'inside') });
    const read = await ask(server, 'GET', path);
    expect(read.text).not.toContain('secret');
    for (const method of ['PUT', 'DELETE', 'MKCOL']) {
      const { status } = await ask(server, method, path, { 'content-length': '1' }, 'x');
      expect(status).toBeGreaterThanOrEqual(400);
    }
    await ask(server, 'PUT', `${DAV}/a`, { 'content-length': '1' }, 'x');
    const move = await ask(server, 'MOVE', `${DAV}/a`, { destination: `${server.url}${path}` });
    expect(move.status).toBeGreaterThanOrEqual(400);
    expect(await readFile(join(outside, 'secret.txt'), 'utf8')).toBe('secret');
    expect((await readdir(outside)).sort()).toEqual(['inside', 'secret.txt']);
  });
});

describe('WebDAV', () => {
  test.each(['GET', 'PUT', 'PROPFIND', 'DELETE', 'MKCOL', 'MOVE'])('%s needs the password', async (method) => {
    const server = await ownServer();
    for (const authorization of ['', basic('x', PASSWORD), basic(USER, `${PASSWORD}x`), basic(USER, '')]) {
      expect((await ask(server, method, `${DAV}/x`, { authorization })).status).toBe(401);
    }
  });

  test('a PUT needs a length, and the checksum it says', async () => {
    const server = await ownServer();
    const put = (headers: Record<string, string>) => ask(server, 'PUT', `${DAV}/a`, headers, 'abc');
    expect((await put({ 'transfer-encoding': 'chunked' })).status).toBe(400);
    expect((await put({ 'content-length': '3', 'oc-checksum': `SHA1:${'0'.repeat(40)}` })).text).toContain('checksum');
    expect(await readdir(server.directory)).toEqual([]);
    const right = 'SHA1:a9993e364706816aba3e25717850c26c9cd0d89d';
    expect((await put({ 'content-length': '3', 'oc-checksum': right })).status).toBe(201);
    expect((await put({ 'content-length': '3' })).status).toBe(204);
    const body =
      '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:checksums/></d:prop></d:propfind>';
    expect((await ask(server, 'PROPFIND', `${DAV}/a`, { depth: '0' }, body)).text).toContain(right);
  });

  test('an upload that breaks off leaves the file before it', async () => {
    const server = await ownServer();
    await writeFile(join(server.directory, 'a'), 'before');
    const { hostname, port } = new URL(server.url);
    const request = httpRequest({
      hostname,
      port,
      method: 'PUT',
      path: `${DAV}/a`,
      headers: { authorization: AUTHORIZATION, 'content-length': '100' },
    });
    request.on('error', () => {});
    await new Promise((resolve) => request.write('half', resolve));
    request.destroy();
    await server.close();
    expect(await readFile(join(server.directory, 'a'), 'utf8')).toBe('before');
  });

  test('names that ownCloud reserves for unfinished files are refused', async () => {
    const server = await ownServer();
    for (const name of ['a.part', 'a.filepart']) {
      expect((await ask(server, 'PUT', `${DAV}/${name}`, { 'content-length': '1' }, 'x')).status).toBe(403);
    }
  });

  test('COPY and MOVE overwrite only when they may, and need the folder above', async () => {
    const server = await ownServer();
    await writeFile(join(server.directory, 'a'), 'A');
    await writeFile(join(server.directory, 'b'), 'B');
    const to = (name: string) => ({ destination: `${server.url}${DAV}/${name}`, overwrite: 'F' });
    expect((await ask(server, 'MOVE', `${DAV}/a`, to('b'))).status).toBe(412);
    expect((await ask(server, 'COPY', `${DAV}/a`, to('none/b'))).status).toBe(409);
    expect((await ask(server, 'COPY', `${DAV}/a`, to('c'))).status).toBe(201);
    expect((await ask(server, 'MOVE', `${DAV}/a`, { ...to('b'), overwrite: 'T' })).status).toBe(204);
    expect((await ask(server, 'MOVE', `${DAV}/none`, to('d'))).status).toBe(404);
    expect((await ask(server, 'MOVE', `${DAV}/b`, { destination: `http://example.org${DAV}/b` })).status).toBe(502);
    expect((await readdir(server.directory)).sort()).toEqual(['b', 'c']);
    expect(await readFile(join(server.directory, 'b'), 'utf8')).toBe('A');
  });

  test('MKCOL, DELETE and HEAD', async () => {
    const server = await ownServer();
    expect((await ask(server, 'MKCOL', `${DAV}/x/y`)).status).toBe(409);
    expect((await ask(server, 'MKCOL', `${DAV}/x/`)).status).toBe(201);
    expect((await ask(server, 'MKCOL', `${DAV}/x`)).status).toBe(405);
    expect((await ask(server, 'HEAD', `${DAV}/x`)).status).toBe(200);
    expect((await ask(server, 'DELETE', `${DAV}/`)).status).toBe(403);
    expect((await ask(server, 'DELETE', `${DAV}/x`)).status).toBe(204);
    expect((await ask(server, 'DELETE', `${DAV}/x`)).status).toBe(404);
  });

  test('capabilities and status are given as ownCloud gives them', async () => {
    const server = await ownServer();
    expect(JSON.parse((await ask(server, 'GET', '/status.php', { authorization: '' })).text)).toMatchObject({
      installed: true,
      maintenance: false,
      versionstring: '10.15.0',
    });
    const capabilities = JSON.parse((await ask(server, 'GET', '/ocs/v1.php/cloud/capabilities?format=json')).text);
    expect(capabilities.ocs.data.capabilities.checksums.supportedTypes).toEqual(['SHA1']);
  });
});

describe('files in pieces', () => {
  const UPLOADS = `/remote.php/dav/uploads/${encodeURIComponent(USER)}`;
  const put = (server: { url: string }, name: string, body: string, headers: Record<string, string> = {}) =>
    ask(server, 'PUT', `${UPLOADS}/1/${name}`, { 'content-length': String(body.length), ...headers }, body);
  const assemble = (server: { url: string }, to: string, headers: Record<string, string> = {}) =>
    ask(server, 'MOVE', `${UPLOADS}/1/.file`, {
      destination: `${server.url}/remote.php/dav/files/${encodeURIComponent(USER)}/${to}`,
      overwrite: 'F',
      ...headers,
    });

  test('are put together in the natural order of their names, by a MOVE of the file that is to be', async () => {
    const server = await ownServer();
    expect((await put(server, '1', 'x')).status).toBe(409);
    expect((await ask(server, 'MKCOL', `${UPLOADS}/1`)).status).toBe(201);
    expect((await ask(server, 'MKCOL', `${UPLOADS}/1`)).status).toBe(405);
    for (const name of ['10', '9', '00011']) expect((await put(server, name, `<${name}>`)).status).toBe(201);
    const list = await ask(server, 'PROPFIND', `${UPLOADS}/1/`, { depth: '1' });
    for (const name of ['9', '10', '00011', '.file']) expect(list.text).toContain(`/1/${name}</d:href>`);
    expect((await assemble(server, 'none/a')).status).toBe(409);
    expect((await assemble(server, 'a')).status).toBe(201);
    expect(await readFile(join(server.directory, 'a'), 'utf8')).toBe('<9><10><00011>');
    expect((await ask(server, 'PROPFIND', `${UPLOADS}/1/`, { depth: '1' })).status).toBe(404);
  });

  test('get no name when the length or the checksum of the whole is another, or the name is taken', async () => {
    const server = await ownServer();
    await ask(server, 'MKCOL', `${UPLOADS}/1`);
    await put(server, '1', 'ab');
    await put(server, '2', 'c');
    expect((await assemble(server, 'a', { 'oc-total-length': '4' })).text).toContain('do not sum up to 4 but to 3');
    expect((await assemble(server, 'a', { 'oc-checksum': `SHA1:${'0'.repeat(40)}` })).text).toContain('checksum');
    await writeFile(join(server.directory, 'taken'), '');
    expect((await assemble(server, 'taken')).status).toBe(412);
    const right = { 'oc-total-length': '3', 'oc-checksum': 'SHA1:a9993e364706816aba3e25717850c26c9cd0d89d' };
    expect((await assemble(server, 'a', right)).status).toBe(201);
  });

  test('are taken as they come: a checksum is not compared, and what came before a connection broke stays', async () => {
    const server = await ownServer();
    await ask(server, 'MKCOL', `${UPLOADS}/1`);
    expect((await put(server, '1', 'abc', { 'oc-checksum': `SHA1:${'0'.repeat(40)}` })).status).toBe(201);
    const { hostname, port } = new URL(server.url);
    const headers = { authorization: AUTHORIZATION, 'content-length': '100' };
    const request = httpRequest({ hostname, port, method: 'PUT', path: `${UPLOADS}/1/2`, headers });
    request.on('error', () => {});
    await new Promise((resolve) => request.write('half', resolve));
    const size = async () => (await ask(server, 'PROPFIND', `${UPLOADS}/1/2`, { depth: '0' })).text;
    await expect.poll(size).toContain('<d:getcontentlength>4<');
    request.destroy();
    expect(await size()).toContain('<d:getcontentlength>4<');
  });

  test('can be given up', async () => {
    const server = await ownServer();
    await ask(server, 'MKCOL', `${UPLOADS}/1`);
    await put(server, '1', 'abc');
    expect((await ask(server, 'DELETE', `${UPLOADS}/1`)).status).toBe(204);
    expect((await put(server, '1', 'abc')).status).toBe(409);
  });

  test('are nobody else’s business: not the user’s other folders, not without the password, nothing but pieces', async () => {
    const server = await ownServer();
    await ask(server, 'MKCOL', `${UPLOADS}/1`);
    await put(server, '1', 'abc');
    expect((await ask(server, 'PROPFIND', `${UPLOADS}/1/`, { authorization: '' })).status).toBe(401);
    expect((await ask(server, 'PROPFIND', `${DAV}/.uploads.part/`)).status).toBe(403);
    expect((await ask(server, 'PROPFIND', `${DAV}/`, { depth: '1' })).text).not.toContain('.uploads');
    expect((await ask(server, 'GET', `${UPLOADS}/1/1`)).status).toBe(403);
    expect((await ask(server, 'MKCOL', `${UPLOADS}/1/2`)).status).toBe(403);
    expect((await put(server, '.file', 'abc')).status).toBe(403);
    expect((await put(server, '..%2f..%2fa', 'abc')).status).toBe(400);
    expect((await put(server, '%2e%2e', 'abc')).status).toBeGreaterThanOrEqual(400);
    expect((await ask(server, 'DELETE', `${UPLOADS}/`)).status).toBe(403);
  });

  test('can be switched off', async () => {
    const server = await ownServer({ chunking: false });
    expect((await ask(server, 'MKCOL', `${UPLOADS}/1`)).status).toBe(404);
    const { text } = await ask(server, 'GET', '/ocs/v1.php/cloud/capabilities?format=json');
    expect(JSON.parse(text).ocs.data.capabilities.dav).toEqual({});
  });
});
