import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DownloadOptions, downloadFile } from '../../src/download/download-file.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { failureOf } from '../helpers/failure.ts';
import type { Serve } from '../helpers/loopback-server.ts';
import { type FileTraits, sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

const ZIP = zipLike(60_000);
const RESUMABLE: FileTraits = { etag: '"v1"', ranges: true };
const PART = ['a.zip.part', 'a.zip.part.json'];

/** Sends so much of the zip and then waits for ever. */
function sendsOnly(bytes: number, headers: Record<string, string>): Serve {
  return (_, response) => {
    response.writeHead(200, { 'content-length': ZIP.length, ...headers }).write(ZIP.subarray(0, bytes));
  };
}

/** Cancels the download when its first `bytes` are there. */
async function cancelAfter(bytes: number, url: string, options: DownloadOptions) {
  const cancel = new AbortController();
  return failureOf(
    downloadFile(
      { url, fileName: 'a.zip' },
      { ...options, signal: cancel.signal, onProgress: ({ doneBytes }) => doneBytes >= bytes && cancel.abort() },
    ),
  );
}

describe('a cancelled download', () => {
  test('is CANCELLED, and its part stays when it can be resumed', async () => {
    const { options, url, files } = await downloadFixture(
      sendsOnly(20_000, { etag: '"v1"', 'accept-ranges': 'bytes' }),
    );
    expect(await cancelAfter(20_000, url, options)).toMatchObject({ code: 'CANCELLED' });
    expect(await files()).toEqual(PART);
    expect((await stat(join(options.directory, 'a.zip.part'))).size).toBe(20_000);
    const note = await readFile(join(options.directory, 'a.zip.part.json'), 'utf8');
    expect(JSON.parse(note)).toEqual({ key: sha256(url), validator: '"v1"', total: ZIP.length, ranges: true });
  });

  test.each<[string, Record<string, string>]>([
    ['the server does not say that it has ranges', { etag: '"v1"' }],
    ['the server says that it has none', { etag: '"v1"', 'accept-ranges': 'none' }],
    ['there is no validator', { 'accept-ranges': 'bytes' }],
    ['the validator is weak', { etag: 'W/"v1"', 'accept-ranges': 'bytes' }],
  ])('leaves nothing when %s', async (_, headers) => {
    const { options, url, files } = await downloadFixture(sendsOnly(20_000, headers));
    expect(await cancelAfter(20_000, url, options)).toMatchObject({ code: 'CANCELLED' });
    expect(await files()).toEqual([]);
  });

  test('does not wait for a server that does not answer, nor for the next try', async () => {
    const cancel = new AbortController();
    const { options, url, server } = await downloadFixture((_, response, number) =>
      number === 1 ? void response.writeHead(503, { 'retry-after': '2' }).end() : undefined,
    );
    const request = { url, fileName: 'a.zip' };
    const waiting = downloadFile(request, { ...options, signal: cancel.signal, onRetry: () => cancel.abort() });
    expect(await failureOf(waiting)).toMatchObject({ code: 'CANCELLED' });
    expect(server.requests).toHaveLength(1);
  });

  test('asks for nothing when it was cancelled before', async () => {
    const { options, url, server } = await downloadFixture((_, response) => void response.end());
    const run = downloadFile({ url, fileName: 'a.zip' }, { ...options, signal: AbortSignal.abort() });
    expect(await failureOf(run)).toMatchObject({ code: 'CANCELLED' });
    expect(server.requests).toEqual([]);
  });
});

describe('the next run', () => {
  /** A run that is cancelled after 20,000 bytes; then `serve` takes over. */
  async function secondRun(serve: Serve) {
    const cut = sendsOnly(20_000, { etag: '"v1"', 'accept-ranges': 'bytes' });
    const fixture = await downloadFixture((request, response, number) =>
      (number === 1 ? cut : serve)(request, response, number),
    );
    await cancelAfter(20_000, fixture.url, fixture.options);
    return fixture;
  }
  const good: Serve = (request, response) => sendFile(request, response, ZIP, RESUMABLE);

  test('goes on where the last one stopped', async () => {
    const { options, url, server, files, progress } = await secondRun(good);
    const done = await downloadFile({ url, fileName: 'a.zip', sha256: sha256(ZIP) }, options);
    expect(done).toMatchObject({ bytes: ZIP.length, sha256: sha256(ZIP), fromCache: false });
    expect(server.requests[1]?.headers).toMatchObject({ range: 'bytes=20000-', 'if-range': '"v1"' });
    expect(progress.every(({ doneBytes, totalBytes }) => doneBytes > 20_000 && totalBytes === ZIP.length)).toBe(true);
    expect(await files()).toEqual(['a.zip']);
  });

  test('takes the file as it is now when it has changed', async () => {
    const now = zipLike(70_000, 'new');
    const { options, url, files } = await secondRun((request, response) =>
      sendFile(request, response, now, { ...RESUMABLE, etag: '"v2"' }),
    );
    expect((await downloadFile({ url, fileName: 'a.zip' }, options)).sha256).toBe(sha256(now));
    expect(await files()).toEqual(['a.zip']);
  });

  test('keeps the part when the server fails or sends a page', async () => {
    for (const answer of ['fails', 'page']) {
      const { options, url, files } = await secondRun((_, response) => {
        response.writeHead(answer === 'page' ? 200 : 503, { 'content-type': 'text/html' }).end('<html>maintenance');
      });
      expect(await failureOf(downloadFile({ url, fileName: 'a.zip' }, options))).toMatchObject({ code: 'DOWNLOAD' });
      expect(await files()).toEqual(PART);
    }
  });

  test('needs no byte when only the renaming was missing', async () => {
    const { options, url, server, files } = await secondRun(good);
    await writeFile(join(options.directory, 'a.zip.part'), ZIP);
    expect((await downloadFile({ url, fileName: 'a.zip' }, options)).sha256).toBe(sha256(ZIP));
    expect(server.requests[1]?.headers.range).toBe(`bytes=${ZIP.length}-`);
    expect(server.requests).toHaveLength(2);
    expect(await files()).toEqual(['a.zip']);
  });

  test('starts from the beginning when a part looks whole, but the file has changed to one of the same length', async () => {
    const now = zipLike(60_000, 'new');
    const { options, url, server } = await secondRun((request, response) => {
      delete request.headers['if-range'];
      sendFile(request, response, now, { ...RESUMABLE, etag: '"v2"' });
    });
    await writeFile(join(options.directory, 'a.zip.part'), ZIP);
    expect((await downloadFile({ url, fileName: 'a.zip' }, options)).sha256).toBe(sha256(now));
    expect(server.requests).toHaveLength(3);
  });

  test.each([
    ['another address', (url: string) => ({ url: `${url}2` })],
    ['a damaged note', (url: string) => ({ url, note: '{"key":' })],
    ['a note of another kind', (url: string) => ({ url, note: '[]' })],
    ['a part that is longer than the file', (url: string) => ({ url, part: Buffer.alloc(90_000) })],
    ['an empty part', (url: string) => ({ url, part: Buffer.alloc(0) })],
  ])(
    'starts from the beginning with %s',
    async (_, change: (url: string) => { url: string; note?: string; part?: Buffer }) => {
      const { options, url: firstUrl, server, files } = await secondRun(good);
      const { url, note, part } = change(firstUrl);
      if (note !== undefined) await writeFile(join(options.directory, 'a.zip.part.json'), note);
      if (part !== undefined) await writeFile(join(options.directory, 'a.zip.part'), part);
      expect((await downloadFile({ url, fileName: 'a.zip' }, options)).sha256).toBe(sha256(ZIP));
      expect(server.requests.slice(1).map(({ headers }) => headers.range)).toEqual([undefined]);
      expect(await files()).toEqual(['a.zip']);
    },
  );

  test('starts from the beginning when the part was damaged on the disk, and only the expected sum tells', async () => {
    const { options, url, server } = await secondRun(good);
    await writeFile(join(options.directory, 'a.zip.part'), Buffer.alloc(20_000));
    const done = await downloadFile({ url, fileName: 'a.zip', sha256: sha256(ZIP) }, options);
    expect(done.sha256).toBe(sha256(ZIP));
    expect(server.requests.slice(1).map(({ headers }) => headers.range)).toEqual(['bytes=20000-', undefined]);
  });
});
