import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { downloadAll } from '../../src/download/download-all.ts';
import { downloadFile } from '../../src/download/download-file.ts';
import type { Lane } from '../../src/download/pace.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { failureOf } from '../helpers/failure.ts';
import { sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

/** More than the buffers between server and client hold. */
const LARGE = zipLike(24 * 2 ** 20);
const SMALL = zipLike(60_000);
const RESUMABLE = { etag: '"v1"', ranges: true };

/** A lane in which all waits for `turn` after the first piece. */
function pausedUntil(turn: Promise<void>): { lane: Lane; begun: Promise<void> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const received = () => {
    resolve();
    return turn;
  };
  return { lane: { received, leave() {}, waited: true }, begun };
}

describe('a paused download', () => {
  test('outlives the time-out of its connection, holds its server back, and arrives unharmed with one request', async () => {
    let unsentBytes = () => 0;
    const { options, url, server, retries, directory } = await downloadFixture((request, response) => {
      sendFile(request, response, LARGE, RESUMABLE);
      unsentBytes = () => response.writableLength;
    });
    const turn = Promise.withResolvers<void>();
    const { lane, begun } = pausedUntil(turn.promise);
    const run = downloadFile({ url, fileName: 'a.zip' }, { ...options, enterLane: () => lane });
    await begun;
    // The time-out is 250 ms, but undici looks at it every half second only.
    await sleep(2_000);
    const unsent = unsentBytes();
    turn.resolve();
    expect(await run).toMatchObject({ bytes: LARGE.length, sha256: sha256(LARGE) });
    expect(LARGE.equals(await readFile(join(directory, 'a.zip')))).toBe(true);
    expect(unsent).toBeGreaterThan(0);
    expect(server.requests).toHaveLength(1);
    expect(retries).toEqual([]);
  });

  test('is CANCELLED at once', async () => {
    const cancel = new AbortController();
    const { options, url } = await downloadFixture((request, response) => sendFile(request, response, LARGE, {}));
    const { lane, begun } = pausedUntil(new Promise(() => {}));
    const run = downloadFile({ url, fileName: 'a.zip' }, { ...options, enterLane: () => lane, signal: cancel.signal });
    void begun.then(() => cancel.abort());
    expect(await failureOf(run)).toMatchObject({ code: 'CANCELLED' });
  });

  test('does not have to wait when it is complete', async () => {
    const { options, url } = await downloadFixture((request, response) => sendFile(request, response, SMALL, {}));
    const never = new Promise<void>(() => {});
    let left = 0;
    const lane: Lane = {
      received: (bytes) => {
        left += bytes;
        return left < SMALL.length ? undefined : never;
      },
      leave() {},
      waited: false,
    };
    const done = await downloadFile({ url, fileName: 'a.zip' }, { ...options, enterLane: () => lane });
    expect(done.sha256).toBe(sha256(SMALL));
  });

  test.each([
    [true, 'is resumed as often as its server hangs up, whatever the number of tries', undefined],
    [false, 'fails when it did not have to wait', 'NETWORK'],
  ])('waited: %s: %s', async (waited, _, code) => {
    const { options, url, server } = await downloadFixture((request, response, number) =>
      sendFile(request, response, SMALL, { ...RESUMABLE, ...(number <= 5 && { cutAfter: 10_000 }) }),
    );
    const lane: Lane = { received: () => undefined, leave() {}, waited };
    const run = downloadFile({ url, fileName: 'a.zip' }, { ...options, enterLane: () => lane });
    if (code) expect(await failureOf(run)).toMatchObject({ code });
    else expect(await run).toMatchObject({ bytes: SMALL.length, sha256: sha256(SMALL) });
    expect(server.requests).toHaveLength(code ? options.policy.tries : 6);
  });
});

test('downloads that take turns arrive unharmed', async () => {
  const files = new Map(Array.from({ length: 6 }, (_, index) => [`/${index}`, zipLike(4 * 2 ** 20, `file ${index}`)]));
  const { server, options } = await downloadFixture((request, response) =>
    sendFile(request, response, files.get(request.url ?? '') ?? SMALL, RESUMABLE),
  );
  const requests = [...files.keys()].map((path) => ({
    url: `${server.origin}${path}`,
    fileName: `${path.slice(1)}.zip`,
  }));
  const ends: number[] = [];
  const done = await downloadAll(requests, {
    ...options,
    concurrency: 4,
    onDownloaded: (_, index) => ends.push(index),
  });
  expect(done.map(({ sha256: sum }) => sum)).toEqual([...files.values()].map(sha256));
  expect(server.requests).toHaveLength(files.size);
  expect(ends.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
});
