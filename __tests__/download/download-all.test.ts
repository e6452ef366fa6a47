import { describe, expect, test } from 'vitest';
import { downloadAll } from '../../src/download/download-all.ts';
import { downloadFixture, SECRET_PATH } from '../helpers/download-fixture.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

/** Every path its own file, of its own size. */
const fileFor = (url: string | undefined) => zipLike(1_000 + Number(url?.split('=').at(-1)), url);

function requestsTo(origin: string, numbers: readonly number[]) {
  return numbers.map((number) => ({ url: `${origin}${SECRET_PATH}&n=${number}`, fileName: `${number}.zip` }));
}

describe('downloadAll', () => {
  test.each([1, 3, 20])('returns the files in the order of the requests, %i at a time', async (concurrency) => {
    let open = 0;
    let most = 0;
    const { server, options, files } = await downloadFixture((request, response) => {
      most = Math.max(most, ++open);
      response.on('close', () => open--);
      // The earlier a file is asked for, the later it arrives.
      const delay = 60 / (Number(request.url?.split('=').at(-1)) + 1);
      setTimeout(() => sendFile(request, response, fileFor(request.url), {}), delay);
    });
    const requests = requestsTo(server.origin, [0, 1, 2, 3, 4, 5, 6]);
    const done = await downloadAll(requests, { ...options, concurrency });
    expect(done.map(({ bytes }) => bytes)).toEqual([1000, 1001, 1002, 1003, 1004, 1005, 1006]);
    expect(done.map(({ sha256 }) => sha256)).toEqual(
      requests.map(({ url }) => sha256(fileFor(url.slice(server.origin.length)))),
    );
    expect(await files()).toEqual(requests.map(({ fileName }) => fileName));
    expect(most).toBeLessThanOrEqual(concurrency);
    if (concurrency > 1) expect(most).toBeGreaterThan(1);
  });

  test('of no requests returns nothing', async () => {
    const { options } = await downloadFixture(() => {});
    expect(await downloadAll([], { ...options, concurrency: 4 })).toEqual([]);
  });

  test('tries every file, then names every failure in one error, a line a file, in their order', async () => {
    const { server, options, files } = await downloadFixture((request, response) => {
      const number = Number(request.url?.split('=').at(-1));
      if (number === 1) setTimeout(() => response.writeHead(404).end(), 50);
      else if (number === 2) response.end('<html>');
      else sendFile(request, response, fileFor(request.url), {});
    });
    const run = downloadAll(requestsTo(server.origin, [0, 1, 2, 3]), { ...options, concurrency: 4 });
    const error = await failureOf(run);
    expect(error.code).toBe('DOWNLOAD');
    const [title, ...lines] = error.message.split('\n');
    expect(title).toBe('2 of 4 files could not be downloaded:');
    expect(lines).toEqual([expect.stringMatching(/^- 1\.zip: .*404/), expect.stringMatching(/^- 2\.zip: .*web page/)]);
    expectNowhere(error, 'secret');
    expect(await files()).toEqual(['0.zip', '3.zip']);
  });

  test('throws a single failure as it is', async () => {
    const { server, options } = await downloadFixture((request, response) =>
      request.url?.endsWith('=1') ? void response.destroy() : sendFile(request, response, fileFor(request.url), {}),
    );
    const error = await failureOf(downloadAll(requestsTo(server.origin, [0, 1]), { ...options, concurrency: 2 }));
    expect(error.code).toBe('NETWORK');
    expect(error.message).toMatch(/^1\.zip: The server .* broke the connection/);
  });

  test('cancelled, stops what runs and begins nothing more', async () => {
    const cancel = new AbortController();
    const { server, options, files } = await downloadFixture((_, __, number) => {
      if (number === 2) cancel.abort();
    });
    const run = downloadAll(requestsTo(server.origin, [0, 1, 2, 3, 4]), {
      ...options,
      concurrency: 2,
      signal: cancel.signal,
    });
    expect(await failureOf(run)).toMatchObject({ code: 'CANCELLED' });
    expect(server.requests).toHaveLength(2);
    expect(await files()).toEqual([]);
  });
});
