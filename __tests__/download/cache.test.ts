import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CachedDownload, cacheKeyOf, type DownloadCache } from '../../src/download/cache.ts';
import { downloadFile } from '../../src/download/download-file.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { failureOf } from '../helpers/failure.ts';
import type { Serve } from '../helpers/loopback-server.ts';
import { type FileTraits, sendFile, sha256, zipLike } from '../helpers/served-zip.ts';

const ZIP = zipLike(60_000);
const SUM = sha256(ZIP);
const DATE = 'Mon, 02 Mar 2026 10:00:00 GMT';

/** A cache in a folder; `entries` can be looked at and spoilt. */
function folderCache(folder: string) {
  const entries = new Map<string, CachedDownload>();
  const cache: DownloadCache = {
    find: async (key) => entries.get(key),
    store: async (key, file) => {
      const path = join(folder, `cached-${key}`);
      await copyFile(file.path, path);
      entries.set(key, { ...file, path });
    },
  };
  return { cache, entries };
}

/** A download with a cache, to be run as often as wished. */
async function cachedFixture(traits: FileTraits, serve?: Serve) {
  const fixture = await downloadFixture(
    serve ?? ((request, response) => sendFile(request, response, ZIP, { ranges: true, ...traits })),
  );
  const { cache, entries } = folderCache(fixture.directory);
  const options = { ...fixture.options, cache };
  const run = (sum?: string) => downloadFile({ url: fixture.url, fileName: 'a.zip', sha256: sum }, options);
  const path = join(fixture.directory, `cached-${cacheKeyOf(fixture.url)}`);
  return { ...fixture, options, entries, run, cachedPath: path };
}

describe('with a cache', () => {
  test.each<[string, FileTraits]>([
    ['an ETag', { etag: '"v1"' }],
    ['a weak ETag', { etag: 'W/"v1"' }],
    ['a date', { lastModified: DATE }],
  ])('a file with %s that has not changed is not sent again', async (_, traits) => {
    const { run, server, files, directory, cachedPath, progress } = await cachedFixture(traits);
    expect(await run()).toMatchObject({ fromCache: false, sha256: SUM });
    await writeFile(join(directory, 'a.zip'), 'overwritten by the next run');
    expect(await run()).toMatchObject({
      path: join(directory, 'a.zip'),
      bytes: ZIP.length,
      sha256: SUM,
      fromCache: true,
    });
    expect(ZIP.equals(await readFile(join(directory, 'a.zip')))).toBe(true);
    expect(server.requests[1]?.headers['if-none-match']).toBe(traits.etag);
    expect(server.requests[1]?.headers['if-modified-since']).toBe(traits.lastModified);
    expect(await files()).toEqual(['a.zip', cachedPath.slice(directory.length + 1)]);
    expect(progress.at(-1)).toEqual({ fileName: 'a.zip', doneBytes: ZIP.length, totalBytes: ZIP.length });
  });

  test('a file that has changed is downloaded, and replaces the cached one', async () => {
    const now = zipLike(70_000, 'new');
    const { run, entries, url } = await cachedFixture({}, (request, response, number) =>
      number === 1
        ? sendFile(request, response, ZIP, { etag: '"v1"' })
        : sendFile(request, response, now, { etag: '"v2"' }),
    );
    await run();
    expect(await run()).toMatchObject({ fromCache: false, sha256: sha256(now) });
    expect(entries.get(cacheKeyOf(url))).toMatchObject({ sha256: sha256(now), etag: '"v2"' });
    expect(await run()).toMatchObject({ fromCache: true, sha256: sha256(now) });
  });

  test('a file whose sum is given and known is not even asked for', async () => {
    const { run, server } = await cachedFixture({});
    expect(await run(SUM)).toMatchObject({ fromCache: false });
    expect(await run(SUM.toUpperCase())).toMatchObject({ fromCache: true, sha256: SUM });
    expect(server.requests).toHaveLength(1);
  });

  test('a cached file with another sum than the given one is not used, not even if the server calls it unchanged', async () => {
    const now = zipLike(70_000, 'new');
    const { run, server } = await cachedFixture({}, (request, response, number) =>
      sendFile(request, response, number === 1 ? ZIP : now, { etag: '"the same"' }),
    );
    await run();
    expect(await run(sha256(now))).toMatchObject({ fromCache: false, sha256: sha256(now) });
    expect(server.requests[1]?.headers['if-none-match']).toBeUndefined();
  });

  test('a server without validators is asked every time, and nothing is cached', async () => {
    const { run, server, entries } = await cachedFixture({});
    await run();
    expect(await run()).toMatchObject({ fromCache: false });
    expect(entries.size).toBe(0);
    expect(server.requests).toHaveLength(2);
  });

  test.each([
    ['damaged', undefined, (path: string) => writeFile(path, zipLike(60_000, 'other'))],
    ['cut off', undefined, (path: string) => writeFile(path, ZIP.subarray(0, 50_000))],
    ['gone', undefined, async () => {}],
    ['damaged, and known by its sum', SUM, (path: string) => writeFile(path, zipLike(60_000, 'other'))],
  ])('a cached file that is %s costs a download and a warning, no more', async (what, sum, spoil) => {
    const { run, entries, url, cachedPath, warnings, files } = await cachedFixture({ etag: '"v1"' });
    await run(sum);
    await spoil(cachedPath);
    const entry = entries.get(cacheKeyOf(url));
    if (what === 'gone' && entry) entries.set(cacheKeyOf(url), { ...entry, path: `${cachedPath}-gone` });
    expect(await run(sum)).toMatchObject({ fromCache: false, sha256: SUM });
    expect(warnings).toEqual([expect.stringMatching(/^a\.zip: the copy in the cache can’t be used/)]);
    expect(await files()).toContain('a.zip');
    // It has been replaced by the good one.
    expect(await run(sum)).toMatchObject({ fromCache: true, sha256: SUM });
  });

  test('a cache that can be neither read nor written costs two warnings, no more', async () => {
    const fixture = await downloadFixture((request, response) => sendFile(request, response, ZIP, { etag: '"v1"' }));
    const cache: DownloadCache = {
      find: () => Promise.reject(new Error('no entry')),
      store: () => Promise.reject(new Error('no room')),
    };
    const done = await downloadFile({ url: fixture.url, fileName: 'a.zip' }, { ...fixture.options, cache });
    expect(done.sha256).toBe(SUM);
    expect(fixture.warnings).toEqual([expect.stringContaining('no entry'), expect.stringContaining('no room')]);
    expect(await fixture.files()).toEqual(['a.zip']);
  });

  test('who makes the sum of a cached file is asked for it, and believed', async () => {
    const { run, url, options } = await cachedFixture({ etag: '"v1"' });
    await run();
    const asked: string[] = [];
    const sha256Of = (sum: string) => async (path: string) => {
      asked.push(path);
      return sum;
    };
    const request = { url, fileName: 'a.zip' };
    expect(await downloadFile(request, { ...options, sha256Of: sha256Of(SUM) })).toMatchObject({ fromCache: true });
    expect(await downloadFile(request, { ...options, sha256Of: sha256Of('0') })).toMatchObject({ fromCache: false });
    expect(asked).toEqual([join(options.directory, 'a.zip'), join(options.directory, 'a.zip')]);
  });

  test('a run that is cancelled while somebody makes a sum ends at once, and leaves no file', async () => {
    const { run, url, options, files, cachedPath } = await cachedFixture({ etag: '"v1"' });
    await run();
    const stop = new AbortController();
    const sha256Of = () => {
      stop.abort();
      return new Promise<string>(() => {});
    };
    const failure = await failureOf(
      downloadFile({ url, fileName: 'a.zip' }, { ...options, sha256Of, signal: stop.signal }),
    );
    expect(failure).toMatchObject({ code: 'CANCELLED' });
    expect(await files()).toEqual([cachedPath.slice(options.directory.length + 1)]);
  });

  test('a run that is cancelled while it looks into the cache asks nobody for a sum', async () => {
    const { run, url, options } = await cachedFixture({ etag: '"v1"' });
    await run();
    const stop = new AbortController();
    const cache: DownloadCache = {
      ...options.cache,
      find: (key) => {
        stop.abort();
        return options.cache.find(key);
      },
    };
    let asked = 0;
    const sha256Of = async () => {
      asked++;
      return SUM;
    };
    const failure = await failureOf(
      downloadFile({ url, fileName: 'a.zip', sha256: SUM }, { ...options, cache, sha256Of, signal: stop.signal }),
    );
    expect(failure).toMatchObject({ code: 'CANCELLED' });
    expect(asked).toBe(0);
  });

  test('a cancelled run looks for nothing in it', async () => {
    const { options, url } = await downloadFixture(() => {});
    const cache: DownloadCache = {
      find: () => Promise.reject(new Error('looked up')),
      store: () => Promise.reject(new Error('stored')),
    };
    const signal = AbortSignal.abort();
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const run = downloadFile({ url, fileName: 'a.zip' }, { ...options, cache, signal, onWarning });
    expect(await failureOf(run)).toMatchObject({ code: 'CANCELLED' });
    expect(warnings).toEqual([]);
  });

  test('the key gives nothing of the address away', () => {
    expect(cacheKeyOf('https://user:secret@example.org/')).toMatch(/^[0-9a-f]{64}$/);
    expect(cacheKeyOf('https://example.org/a')).not.toBe(cacheKeyOf('https://example.org/b'));
  });
});
