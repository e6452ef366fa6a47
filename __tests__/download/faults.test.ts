import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { downloadFile } from '../../src/download/download-file.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import type { Serve } from '../helpers/loopback-server.ts';
import { type FileTraits, sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

const ZIP = zipLike(60_000);
const RESUMABLE: FileTraits = { etag: '"v1"', ranges: true };

/** The zip as a good server sends it, but with these faults the first time, or every time. */
const first =
  (traits: FileTraits): Serve =>
  (request, response, number) =>
    sendFile(request, response, ZIP, number === 1 ? traits : { ...traits, cutAfter: undefined, length: undefined });
const always =
  (traits: FileTraits): Serve =>
  (request, response) =>
    sendFile(request, response, ZIP, traits);

/** This status the first time, then the zip. */
const firstStatus =
  (status: number, headers: Record<string, string> = {}): Serve =>
  (request, response, number) =>
    number === 1 ? void response.writeHead(status, headers).end() : sendFile(request, response, ZIP, RESUMABLE);
const status =
  (code: number, headers: Record<string, string> = {}): Serve =>
  (_, response) =>
    void response.writeHead(code, headers).end('<html>');

function page(response: ServerResponse, html: string, contentType = 'text/html; charset=utf-8'): void {
  response.writeHead(200, { 'content-type': contentType }).end(html);
}
const html =
  (text: string, contentType?: string): Serve =>
  (_, response) =>
    page(response, text, contentType);

function sendPacked(response: ServerResponse, encoding: string, body: Buffer): void {
  response.writeHead(200, { etag: '"v1"', 'accept-ranges': 'bytes', 'content-encoding': encoding }).end(body);
}
const packed =
  (encoding: string, body: Buffer): Serve =>
  (_, response) =>
    sendPacked(response, encoding, body);

/** Sends half a file and then nothing more, and leaves the connection open. */
function stall(response: ServerResponse, headers: Record<string, string>): void {
  response.writeHead(200, { 'content-length': ZIP.length, ...headers }).write(ZIP.subarray(0, 30_000));
}

describe('a download arrives', () => {
  test.each<[string, Serve, (string | undefined)[], number?]>([
    ['from a good server', always(RESUMABLE), [undefined]],
    ['packed with gzip, which nobody asked for', packed('gzip', gzipSync(ZIP)), [undefined]],
    ['packed with Brotli', packed('br', brotliCompressSync(ZIP)), [undefined]],
    ['said to be packed, but is not', packed('gzip', ZIP), [undefined]],
    [
      'packed with gzip, after a cut: from the beginning',
      (_, response, number) =>
        sendPacked(response, 'gzip', number === 1 ? gzipSync(ZIP).subarray(0, 9_000) : gzipSync(ZIP)),
      [undefined, undefined],
    ],
    ['in chunks, without a length', always({ ending: 'chunks' }), [undefined]],
    ['without a length, ended by the connection', always({ ending: 'connection' }), [undefined]],
    [
      'mislabelled as a page',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(ZIP),
      [undefined],
    ],
    ['after a cut, from there on', first({ ...RESUMABLE, cutAfter: 20_000 }), [undefined, 'bytes=20000-']],
    [
      'after a cut, by its date, when the ETag is weak',
      first({ etag: 'W/"v1"', lastModified: 'Mon, 02 Mar 2026 10:00:00 GMT', ranges: true, cutAfter: 20_000 }),
      [undefined, 'bytes=20000-'],
    ],
    [
      'after a cut, from the start, when nothing tells whether it is the same',
      first({ ranges: true, cutAfter: 20_000 }),
      [undefined, undefined],
    ],
    [
      'after a cut, from the start, when the ETag is weak and the date too young',
      (request, response, number) =>
        sendFile(request, response, ZIP, {
          etag: 'W/"v1"',
          lastModified: new Date().toUTCString(),
          ranges: true,
          ...(number === 1 && { cutAfter: 20_000 }),
        }),
      [undefined, undefined],
    ],
    [
      'after a cut, from the start, when the server has no ranges',
      first({ etag: '"v1"', cutAfter: 20_000 }),
      [undefined, 'bytes=20000-'],
    ],
    [
      'after a cut, from the start, when the server says that it has no ranges',
      (request, response, number) => {
        response.setHeader('accept-ranges', 'none');
        sendFile(request, response, ZIP, { etag: '"v1"', ...(number === 1 && { cutAfter: 20_000 }) });
      },
      [undefined, undefined],
    ],
    [
      'after a cut, from the start, when only the length tells that the file has changed',
      (request, response, number) => {
        delete request.headers['if-range'];
        if (number === 1) {
          sendFile(request, response, zipLike(50_000, 'old'), { ...RESUMABLE, cutAfter: 20_000 });
        } else sendFile(request, response, ZIP, RESUMABLE);
      },
      [undefined, 'bytes=20000-', undefined],
      1,
    ],
    [
      'after a cut, from the start, when the file has changed meanwhile',
      (request, response, number) =>
        number === 1
          ? sendFile(request, response, zipLike(50_000, 'old'), { etag: '"v0"', ranges: true, cutAfter: 20_000 })
          : sendFile(request, response, ZIP, RESUMABLE),
      [undefined, 'bytes=20000-'],
    ],
    [
      'after a cut, from the start, when the server overlooks If-Range and the file has changed',
      (request, response, number) => {
        delete request.headers['if-range'];
        if (number === 1)
          sendFile(request, response, zipLike(60_000, 'old'), { ...RESUMABLE, etag: '"v0"', cutAfter: 20_000 });
        else sendFile(request, response, ZIP, RESUMABLE);
      },
      [undefined, 'bytes=20000-', undefined],
      1,
    ],
    [
      'after a cut, from the start, when the file has become shorter than its part',
      (request, response, number) => {
        delete request.headers['if-range'];
        if (number === 1)
          sendFile(request, response, zipLike(90_000, 'old'), { etag: '"v1"', ranges: true, cutAfter: 63_000 });
        else sendFile(request, response, ZIP, RESUMABLE);
      },
      [undefined, 'bytes=63000-', undefined],
      1,
    ],
    [
      'after a cut, from the start, when the server answers with another range',
      (request, response, number) => {
        if (number !== 2)
          return sendFile(request, response, ZIP, { ...RESUMABLE, ...(number === 1 && { cutAfter: 20_000 }) });
        response.writeHead(206, { 'content-range': 'bytes 0-59999/60000', etag: '"v1"' }).end(ZIP);
      },
      [undefined, 'bytes=20000-', undefined],
      1,
    ],
    [
      'after a cut, from the start, when the pieces do not fit and nothing but the missing end tells',
      (request, response, number) => {
        delete request.headers['if-range'];
        const file = number === 2 ? Buffer.alloc(60_000) : ZIP;
        sendFile(request, response, file, { ...RESUMABLE, ...(number === 1 && { cutAfter: 20_000 }) });
      },
      [undefined, 'bytes=20000-', undefined],
    ],
    [
      'after a stall',
      (request, response, number) =>
        number === 1 ? stall(response, { etag: '"v1"' }) : sendFile(request, response, ZIP, RESUMABLE),
      [undefined, 'bytes=30000-'],
    ],
    [
      'when the server announced too much',
      first({ ...RESUMABLE, length: 70_000, cutAfter: 60_000 }),
      [undefined, 'bytes=60000-'],
    ],
    [
      'when a body that ends with the connection was cut off the first time',
      (request, response, number) =>
        sendFile(request, response, number === 1 ? ZIP.subarray(0, 40_000) : ZIP, { ending: 'connection' }),
      [undefined, undefined],
    ],
    [
      'when the connection breaks before the answer',
      (request, response, number) => (number === 1 ? void response.destroy() : sendFile(request, response, ZIP, {})),
      [undefined, undefined],
    ],
    ...[408, 425, 429, 500, 502, 503, 504, 509, 520, 522].map((code): [string, Serve, undefined[]] => [
      `after a ${code}`,
      firstStatus(code),
      [undefined, undefined],
    ]),
  ])('%s', async (_, serve, ranges, failures = ranges.length - 1) => {
    const { server, options, url, files, progress, retries } = await downloadFixture(serve);
    const done = await downloadFile({ url, fileName: 'a.zip', sha256: sha256(ZIP).toUpperCase() }, options);
    const path = join(options.directory, 'a.zip');
    expect(done).toMatchObject({ path, bytes: ZIP.length, sha256: sha256(ZIP), fromCache: false });
    expect(ZIP.equals(await readFile(path))).toBe(true);
    expect(await files()).toEqual(['a.zip']);
    expect(server.requests.map(({ headers }) => headers.range)).toEqual(ranges);
    expect(retries).toHaveLength(failures);
    expect(progress.at(-1)).toMatchObject({ fileName: 'a.zip', doneBytes: ZIP.length });
  });

  test('after the wait that the server asks for', async () => {
    const { options, url, retries } = await downloadFixture(firstStatus(429, { 'retry-after': '1' }));
    await downloadFile({ url, fileName: 'a.zip' }, options);
    expect(retries).toMatchObject([{ fileName: 'a.zip', attempt: 1, waitMs: 1_000 }]);
  });

  test('over a line that breaks more often than there are tries, as long as each brings 1 MiB', async () => {
    const big = zipLike(6 * 1024 * 1024);
    const { server, options, url } = await downloadFixture((request, response) =>
      sendFile(request, response, big, { ...RESUMABLE, cutAfter: 1_500_000 }),
    );
    const done = await downloadFile(
      { url, fileName: 'a.zip' },
      { ...options, policy: { ...options.policy, tries: 2 } },
    );
    expect(done.sha256).toBe(sha256(big));
    expect(server.requests.length).toBeGreaterThan(4);
  });

  test('with the user name and password of its address', async () => {
    const { server, options } = await downloadFixture((request, response) =>
      request.headers.authorization === `Basic ${btoa('user:secret')}`
        ? sendFile(request, response, ZIP, {})
        : void response.writeHead(401).end(),
    );
    const url = `http://user:secret@127.0.0.1:${server.port}/a`;
    expect((await downloadFile({ url, fileName: 'a.zip' }, options)).sha256).toBe(sha256(ZIP));
  });
});

describe('a download fails, and says why', () => {
  const LOGIN = '<!DOCTYPE html><html><title>Sign in to your account</title>';
  test.each<[string, Serve, string, RegExp, number]>([
    ['a broken connection, always', always({ cutAfter: 10 }), 'NETWORK', /broke.*Tried 3 times/, 3],
    ['a server that never answers', () => {}, 'NETWORK', /did not answer in time.*Tried 3 times/, 3],
    ['stalls, always', (_, response) => stall(response, {}), 'NETWORK', /stopped sending.*Tried 3 times/, 3],
    ['503, always', status(503), 'DOWNLOAD', /503 \(Service Unavailable\): it is overloaded.*Tried 3 times/, 3],
    [
      '429 with a wait too long',
      status(429, { 'retry-after': '7200' }),
      'DOWNLOAD',
      /429.*left alone for 7200 seconds/,
      1,
    ],
    [
      'a challenge of AWS WAF',
      status(202, { 'x-amzn-waf-action': 'challenge' }),
      'DOWNLOAD',
      /stands a filter against robots \(AWS WAF\).*address of its API/,
      1,
    ],
    ['403 of Cloudflare', status(403, { 'cf-mitigated': 'challenge' }), 'DOWNLOAD', /robots \(Cloudflare\)/, 1],
    ...(
      [
        ['Cloudflare', '<title>Attention Required! | Cloudflare</title>'],
        ['Akamai', '<H1>Access Denied</H1> https://errors.edgesuite.net/18.2d'],
        ['DDoS-Guard', '<title>DDoS-Guard</title>'],
        ['ModSecurity', 'This error was generated by Mod_Security.'],
        ['Imperva', 'Request unsuccessful. Incapsula incident ID: 1'],
      ] as const
    ).map(([name, page]): [string, Serve, string, RegExp, number] => [
      `403 with the page of ${name}`,
      (_, response) => void response.writeHead(403, { 'content-type': 'text/html' }).end(`<html>${page}`),
      'DOWNLOAD',
      new RegExp(`robots \\(${name}\\)`),
      1,
    ]),
    [
      'a signed address that has expired',
      (_, response) =>
        void response
          .writeHead(403, { 'content-type': 'application/xml' })
          .end(
            '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>',
          ),
      'DOWNLOAD',
      /answers 403 .*The store says “AccessDenied”: the address has expired\./,
      1,
    ],
    ['a page of Anubis', html('<html><script id="anubis_challenge">'), 'DOWNLOAD', /robots \(Anubis\)/, 1],
    ['401', status(401), 'DOWNLOAD', /401.*needs a sign-in.*file_url/, 1],
    ['403', status(403), 'DOWNLOAD', /403.*has expired or is not open.*file_url/, 1],
    ['404', status(404), 'DOWNLOAD', /404.*no file under this link.*file_url/, 1],
    ['410', status(410), 'DOWNLOAD', /410.*withdrawn.*file_url/, 1],
    ['204', status(204), 'DOWNLOAD', /204.*expected 200/, 1],
    ['304 that nobody asked for', status(304), 'DOWNLOAD', /304.*expected 200/, 1],
    ['206 that nobody asked for', status(206), 'DOWNLOAD', /206.*expected 200/, 1],
    ['416 that nobody can mean', status(416), 'DOWNLOAD', /416.*expected 200/, 1],
    ['an empty file', (_, response) => void response.end(), 'DOWNLOAD', /is empty \(0 bytes\)/, 1],
    [
      'a page, as a login with 200',
      html(LOGIN),
      'DOWNLOAD',
      /web page instead of the zip.*sign-in page.*private browser window/,
      1,
    ],
    [
      'a page that is not called one',
      html(`\uFEFF\n${LOGIN}`, 'application/zip'),
      'DOWNLOAD',
      /web page instead of the zip/,
      1,
    ],
    [
      'a page of ownCloud',
      html('<html><title>ownCloud</title>'),
      'DOWNLOAD',
      /a page of ownCloud or Nextcloud.*public link/,
      1,
    ],
    [
      'a page of SharePoint',
      html('<html>login.microsoftonline.com'),
      'DOWNLOAD',
      /SharePoint or OneDrive.*Anyone with the link/,
      1,
    ],
    [
      'Google’s page about too many downloads',
      html('<html>Google Drive - Quota exceeded'),
      'DOWNLOAD',
      /too many downloads.*tomorrow/,
      1,
    ],
    [
      'a page far too long to be read',
      html(`<html>${'x'.repeat(10_000_000)}`),
      'DOWNLOAD',
      /web page instead of the zip/,
      1,
    ],
    [
      'a redirect to a login page',
      (request, response) => {
        if (request.url === '/login') page(response, LOGIN);
        else response.writeHead(302, { location: '/login' }).end();
      },
      'DOWNLOAD',
      /web page instead of the zip/,
      2,
    ],
    [
      'a circle of redirects',
      (request, response) => void response.writeHead(302, { location: request.url }).end(),
      'DOWNLOAD',
      /in a circle/,
      1,
    ],
    [
      'another kind of file',
      html('\x1f', 'application/gzip'),
      'DOWNLOAD',
      /no zip: it begins with the bytes 1F, a zip begins with 50 4B 03 04/,
      1,
    ],
    [
      'a tar archive',
      html(`Hannaea/${'\0'.repeat(249)}ustar\x0000`, 'application/zip'),
      'DOWNLOAD',
      /begins with the bytes 48 61 6E 6E \(tar\)/,
      1,
    ],
    [
      'an archive that unpacks itself',
      html('MZ and further on PK\x01\x02', 'application/zip'),
      'DOWNLOAD',
      /a Windows program; if it is an archive that unpacks itself, make a \.zip instead/,
      1,
    ],
    ['a 7-Zip archive', html('7z\xbc\xaf', 'application/zip'), 'DOWNLOAD', /begins with the bytes 37 7A/, 1],
    [
      'a zip whose end is missing on the server',
      (request, response) => sendFile(request, response, ZIP.subarray(0, 50_000), RESUMABLE),
      'DOWNLOAD',
      /50000 bytes\) begins like a zip but has no end/,
      1,
    ],
    [
      'a server that announces too little',
      always({ length: 50_000 }),
      'DOWNLOAD',
      /50000 bytes\) begins like a zip but has no end/,
      1,
    ],
    [
      'a body that always ends too early with the connection',
      (request, response) => sendFile(request, response, ZIP.subarray(0, 40_000), { ending: 'connection' }),
      'DOWNLOAD',
      /has no end.*Tried 3 times/,
      3,
    ],
  ])('%s', async (_, serve, code, says, requests) => {
    const { server, options, url, files } = await downloadFixture(serve);
    const withPassword = url.replace('//', '//user:secret-password@');
    const error = await failureOf(downloadFile({ url: withPassword, fileName: 'a.zip' }, options));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^a\.zip: /);
    expect(error.message).toMatch(says);
    expect(error.message).toContain('127.0.0.1');
    expectNowhere(error, 'secret');
    expectNowhere(error, btoa('user:secret-password'));
    expect(server.requests).toHaveLength(requests);
    expect(await files()).toEqual([]);
  });

  test('a wrong SHA-256: both are named, and nothing stays', async () => {
    const { server, options, url, files } = await downloadFixture(always(RESUMABLE));
    const error = await failureOf(downloadFile({ url, fileName: 'a.zip', sha256: 'ab'.repeat(32) }, options));
    expect(error.code).toBe('DOWNLOAD');
    expect(error.message).toContain(`SHA-256 ${sha256(ZIP)}, the file list expects ${'ab'.repeat(32)}`);
    expect(await files()).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test('a server that sends more than the whole that it has announced', async () => {
    const { options, url, files, progress } = await downloadFixture((request, response, number) => {
      if (number === 1) return sendFile(request, response, ZIP, { ...RESUMABLE, cutAfter: 20_000 });
      if (!request.headers.range) return void response.writeHead(500).end();
      response.writeHead(206, { 'content-range': `bytes 20000-59999/60000` }).end(ZIP);
    });
    const error = await failureOf(
      downloadFile({ url, fileName: 'a.zip' }, { ...options, policy: { ...options.policy, tries: 2 } }),
    );
    expect(error).toMatchObject({ code: 'DOWNLOAD' });
    expect(error.message).toMatch(/sends more than the 60000 bytes that it has announced/);
    expect(progress.every(({ doneBytes }) => doneBytes <= ZIP.length)).toBe(true);
    expect(await files()).toEqual([]);
  });

  test('a personal OneDrive, without asking it', async () => {
    const { server, options, files } = await downloadFixture(status(500));
    const error = await failureOf(downloadFile({ url: 'https://1drv.ms/u/s!secret', fileName: 'a.zip' }, options));
    expect(error.message).toMatch(/^a\.zip: The link to 1drv\.ms can’t be used/);
    expect(server.requests).toEqual([]);
    expect(await files()).toEqual([]);
  });

  test('a folder that is not there is DISK, names folder and code, and is not tried again', async () => {
    const { server, options, url } = await downloadFixture(always(RESUMABLE));
    const directory = join(options.directory, 'missing');
    const error = await failureOf(downloadFile({ url, fileName: 'a.zip' }, { ...options, directory }));
    expect(error.code).toBe('DISK');
    expect(error.message).toMatch(
      /^a\.zip: The file .*missing.*a\.zip can’t be written: there is no such file or folder\. \(ENOENT\)/,
    );
    expectNowhere(error, 'secret');
    expect(server.requests).toHaveLength(1);
  });
});
