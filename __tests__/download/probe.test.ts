import { describe, expect, test } from 'vitest';
import { downloadFile } from '../../src/download/download-file.ts';
import { probeDownload } from '../../src/download/probe.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import type { Serve } from '../helpers/loopback-server.ts';
import { sendFile, zipLike } from '../helpers/served-zip.ts';

const ZIP = zipLike(60_000);

describe('probeDownload', () => {
  test('asks for the first bytes only, tells the size and stores nothing', async () => {
    const { server, options, url, files } = await downloadFixture((_, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-4095/5000000000' }).end(ZIP.subarray(0, 4096));
    });
    expect(await probeDownload(url, options)).toEqual({ bytes: 5_000_000_000 });
    expect(server.requests[0]?.headers.range).toBe('bytes=0-4095');
    expect(await files()).toEqual([]);
  });

  test('stops reading when the server sends the whole file', async () => {
    let closed: Promise<unknown> | undefined;
    const { options, url } = await downloadFixture((_, response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
      // Never sent to its end: whoever waited for that would wait for ever.
      response.writeHead(200, { 'content-length': 5_000_000_000 }).write(ZIP);
    });
    expect(await probeDownload(url, options)).toEqual({ bytes: 5_000_000_000 });
    await closed;
  });

  test('does not know the size when the server does not tell', async () => {
    const { options, url } = await downloadFixture((request, response) =>
      sendFile(request, response, ZIP, { ending: 'chunks' }),
    );
    expect(await probeDownload(url, options)).toEqual({ bytes: undefined });
  });

  test.each<[string, Serve]>([
    ['404', (_, response) => void response.writeHead(404).end()],
    ['a page', (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>ownCloud')],
    ['an empty file', (_, response) => void response.writeHead(200).end()],
    ['another kind of file', (_, response) => void response.end('%PDF-1.7')],
    ['a circle', (request, response) => void response.writeHead(302, { location: request.url }).end()],
  ])('%s: says what the download would say, except for the name', async (_, serve) => {
    const { options, url, server } = await downloadFixture(serve);
    const error = await failureOf(probeDownload(url, options));
    expect(server.requests).toHaveLength(1);
    const download = await failureOf(downloadFile({ url, fileName: 'a.zip' }, options));
    expect(`a.zip: ${error.message}`).toBe(download.message);
    expect(error.code).toBe('DOWNLOAD');
    expectNowhere(error, 'secret');
  });

  test('an empty file of a server with ranges is empty, too', async () => {
    const { options, url } = await downloadFixture((_, response) => {
      response.writeHead(416, { 'content-range': 'bytes */0' }).end();
    });
    expect((await failureOf(probeDownload(url, options))).message).toMatch(/is empty/);
  });

  test('tries a second time and no third', async () => {
    const { options, url, server } = await downloadFixture((_, response) => void response.writeHead(503).end());
    expect((await failureOf(probeDownload(url, options))).message).toMatch(/503/);
    expect(server.requests).toHaveLength(2);
  });

  test('can be cancelled', async () => {
    const cancel = new AbortController();
    const { options, url } = await downloadFixture(() => cancel.abort());
    const run = probeDownload(url, { ...options, signal: cancel.signal });
    expect(await failureOf(run)).toMatchObject({ code: 'CANCELLED' });
  });
});
