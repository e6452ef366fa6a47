import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askForVersion } from '../../src/download/ask-whether-changed.ts';
import { cacheKeyOf } from '../../src/download/cache.ts';
import { downloadFile } from '../../src/download/download-file.ts';
import { openForRangeReads } from '../../src/download/range-reads.ts';
import { downloadAddressOf } from '../../src/download/share-link.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { ownServer, temporaryFolder } from '../helpers/owncloud.ts';
import { sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

const ZIP = zipLike(60_000);
const PASSWORD = 'pä:ss/wörd%41';

/** An ownCloud (a stand-in) with a link that has a password, and these files behind it. */
async function link(files: readonly string[], token = 'aBc123') {
  const server = await ownServer({ publicLinks: [{ token, password: PASSWORD, permissions: 1 }] });
  for (const name of files) {
    await mkdir(join(server.directory, name, '..'), { recursive: true });
    await writeFile(join(server.directory, name), ZIP);
  }
  const address = (password: string, path = `/s/${token}`) => {
    const url = new URL(`${server.url}${path}`);
    [url.username, url.password] = ['public', encodeURIComponent(password)];
    return url.href;
  };
  return { server, address };
}

async function fetched(url: string) {
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const directory = await temporaryFolder();
  const policy = { tries: 2, firstDelayMs: 1, maxDelayMs: 2, maxRetryAfterMs: 10 };
  const { path } = await downloadFile({ url, fileName: 'a.zip' }, { directory, http, policy });
  return sha256(await readFile(path));
}

describe('a public link with a password', () => {
  test.each([
    ['of one zip', ['Proben 1 & 2.zip'], '/s/aBc123'],
    ['of a folder with one zip and other files', ['a.zip', 'readme.txt'], '/index.php/s/aBc123/download'],
    ['of a folder in it', ['sub/deep ä/b.zip', 'a.zip'], '/s/aBc123?path=%2Fsub%2Fdeep%20%C3%A4'],
  ])('%s is resolved to the file', async (_, files, path) => {
    const { address } = await link(files);
    expect(await fetched(address(PASSWORD, path))).toBe(sha256(ZIP));
  });

  test.each([
    ['a wrong password', ['a.zip'], 'wrong', /does not take the password.*401.*entry’s password/],
    ['two zips', ['a.zip', 'b.zip'], PASSWORD, /2 files, 2 zips among them, expected one zip: share the zip itself/],
    ['nothing', [], PASSWORD, /shows no file, expected one zip/],
  ])('%s: says so, and no secret', async (_, files, password, message) => {
    const { address } = await link(files);
    const error = await failureOf(fetched(address(password)));
    expect(error.message).toMatch(message);
    for (const secret of [password, encodeURIComponent(password), 'aBc123']) expectNowhere(error, secret);
  });

  test('its directory can be read before it is downloaded, and it can be asked whether it changed', async () => {
    const server = await startServer((request, response) => {
      if (request.headers.authorization !== `Basic ${Buffer.from(`public:${PASSWORD}`).toString('base64')}`) {
        return void response.writeHead(401).end();
      }
      if (request.method === 'PROPFIND') {
        const item = (href: string, type: string) =>
          `<d:response><d:href>${href}</d:href><d:propstat><d:prop><d:resourcetype>${type}</d:resourcetype></d:prop></d:propstat></d:response>`;
        const top = '/remote.php/dav/public-files/tok/';
        const body = `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">${item(top, '<d:collection/>')}${item(`${top}a.zip`, '')}</d:multistatus>`;
        return void response.writeHead(207).end(body);
      }
      return sendFile(request, response, ZIP, { etag: '"1"', ranges: true });
    });
    onTestFinished(() => server.close());
    const http = createHttpClient();
    onTestFinished(() => http.close());
    const url = `http://public:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/s/tok`;
    expect(await askForVersion(downloadAddressOf(url), 'HEAD', { http })).toMatchObject({ sendsPieces: true });
    expect((await openForRangeReads(url, { http }))?.length).toBe(ZIP.length);
    expect(server.requests.map(({ url: path }) => path)).toContain('/remote.php/dav/public-files/tok/a.zip');
  });

  test('of a Nextcloud, which has it elsewhere, is asked there', async () => {
    const server = await startServer((request, response) => {
      if (request.method === 'PROPFIND') return void response.writeHead(404).end();
      if (request.url === '/cloud/public.php/dav/files/tok') return sendFile(request, response, ZIP, {});
      return void response.writeHead(403).end();
    });
    onTestFinished(() => server.close());
    expect(await fetched(`http://public:x@127.0.0.1:${server.port}/cloud/index.php/s/tok`)).toBe(sha256(ZIP));
  });

  test('its password goes to no other origin', async () => {
    const other = await startServer((request, response) => sendFile(request, response, ZIP, {}));
    onTestFinished(() => other.close());
    const server = await startServer((request, response) =>
      request.method === 'PROPFIND'
        ? void response.writeHead(404).end()
        : void response.writeHead(302, { location: `${other.origin}/a.zip` }).end(),
    );
    onTestFinished(() => server.close());
    expect(await fetched(`http://public:x@127.0.0.1:${server.port}/s/tok`)).toBe(sha256(ZIP));
    expect(server.requests.every(({ headers }) => headers.authorization?.startsWith('Basic '))).toBe(true);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('the name of an address in a cache and in a record does not depend on its password', () => {
    const name = cacheKeyOf('https://public:one@cloud.example.org/s/tok');
    expect(cacheKeyOf('https://public:two@cloud.example.org/s/tok')).toBe(name);
    expect(cacheKeyOf('https://cloud.example.org/s/tok')).not.toBe(name);
  });
});
