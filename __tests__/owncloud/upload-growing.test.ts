import { execFile } from 'node:child_process';
import { readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Answer, Hook, OwncloudServerOptions, SeenRequest } from '../../scripts/stand-ins/owncloud-server.ts';
import { DiatomError } from '../../src/errors.ts';
import type { ChunkSizes } from '../../src/owncloud/chunk-size.ts';
import type { Remote } from '../../src/owncloud/remote.ts';
import { type GrowingUploadOptions, uploadGrowing } from '../../src/owncloud/upload-growing.ts';
import { completeFile, growingFile, testBytes } from '../helpers/growing-file.ts';
import { nextcloudServer } from '../helpers/nextcloud.ts';
import {
  connectTo,
  errorOf,
  otherServer,
  ownServer,
  PASSWORD,
  SWIFT,
  temporaryFolder,
  USER,
} from '../helpers/owncloud.ts';

const KB = 1_000;
const NAME = 'diatom_set-2026-11-22-17-45-00.zip';
const TARGET = { folder: 'data sets', name: NAME };

/** Pieces of exactly so many bytes. */
const pieces = (bytes: number): ChunkSizes => ({ start: bytes, min: bytes, max: bytes });

const quick = (more: Partial<GrowingUploadOptions> = {}): GrowingUploadOptions => ({
  policy: SWIFT,
  sizes: pieces(100 * KB),
  assemblyMs: () => 100,
  longWaitMs: 60_000,
  ...more,
});

const isPiece = ({ method, path }: SeenRequest) => method === 'PUT' && path.includes('/uploads/');
const isAssembly = ({ method, path }: SeenRequest) => method === 'MOVE' && path.endsWith('/.file');

/** A hook for some requests only, told how many there were, this one included. */
function on(
  which: (request: SeenRequest) => boolean,
  act: (count: number, request: SeenRequest, proceed: () => Promise<Answer>) => ReturnType<Hook> = () => undefined,
) {
  const seen: SeenRequest[] = [];
  const hook: Hook = (request, proceed) => (which(request) ? act(seen.push(request), request, proceed) : undefined);
  return { hook, seen };
}

async function setUp(options: Partial<OwncloudServerOptions> = {}): Promise<{ remote: Remote; directory: string }> {
  const server = await ownServer(options);
  return { remote: await connectTo(server.url), directory: server.directory };
}

async function filesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

/** Where the server keeps the pieces. */
async function piecesIn(directory: string): Promise<string[]> {
  return readdir(join(directory, '.uploads.part'), { recursive: true }).catch(() => []);
}

async function expectStored(directory: string, bytes: number): Promise<void> {
  const stored = await readFile(join(directory, TARGET.folder, NAME));
  expect(stored.equals(testBytes(bytes))).toBe(true);
  expect(await filesIn(directory)).toEqual([NAME]);
  expect(await piecesIn(directory)).toEqual([]);
}

describe('an upload in pieces that works', () => {
  test('stores the same bytes under the final name, compared by checksum, and leaves no piece', async () => {
    const put = on(isPiece);
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(1_234_567);
    const progress: number[] = [];
    const done = await uploadGrowing(remote, { source, ...TARGET }, quick({ onProgress: (at) => progress.push(at) }));
    expect(done).toEqual({ verified: 'checksum', url: remote.fileUrl(`/data sets/${NAME}`) });
    await expectStored(directory, 1_234_567);
    expect(progress.at(-1)).toBe(1_234_567);
    const names = put.seen.map(({ path }) => path.split('/').at(-1));
    expect(names.sort()).toEqual(Array.from({ length: 13 }, (_, index) => String(index + 1).padStart(5, '0')));
    const lengths = put.seen.map(({ headers }) => Number(headers['content-length']));
    expect(lengths.filter((length) => length === 100 * KB)).toHaveLength(12);
    expect(lengths).toContain(34_567);
  });

  test('pieces grow on a fast line, up to the largest', async () => {
    const put = on(isPiece);
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(4_000_000);
    const sizes = { start: 100 * KB, min: 50 * KB, max: 400 * KB };
    await uploadGrowing(remote, { source, ...TARGET }, quick({ sizes }));
    await expectStored(directory, 4_000_000);
    const lengths = put.seen.map(({ headers }) => Number(headers['content-length']));
    expect(lengths[0]).toBe(100 * KB);
    expect(Math.max(...lengths)).toBeGreaterThan(100 * KB);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(400 * KB);
  });

  test('as many at a time as wanted, and no more', async () => {
    let atOnce = 0;
    let most = 0;
    const put = on(isPiece, async (_, __, proceed) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      const answer = await proceed();
      await new Promise((resolve) => setTimeout(resolve, 20));
      atOnce -= 1;
      return answer;
    });
    const { remote } = await setUp({ hook: put.hook });
    const upload = async (parallel?: number) => {
      most = 0;
      const { source } = await completeFile(1_200_000);
      await uploadGrowing(remote, { source, folder: '', name: `${parallel}.zip` }, quick({ parallel }));
      return most;
    };
    expect(await upload()).toBe(3);
    expect(await upload(1)).toBe(1);
    expect(await upload(5)).toBe(5);
  });

  test('says length and checksum of the whole, and never overwrites', async () => {
    const move = on(isAssembly);
    const { remote } = await setUp({ hook: move.hook });
    const { source } = await completeFile(300 * KB);
    await uploadGrowing(remote, { source, ...TARGET }, quick());
    expect(move.seen[0]?.headers).toMatchObject({
      overwrite: 'F',
      'oc-total-length': '300000',
      'oc-checksum': `SHA1:${(await source.complete).uploadSum}`,
    });
  });

  test('a file that is no larger than one piece goes whole', async () => {
    const put = on(isPiece);
    for (const bytes of [0, 1, 100 * KB]) {
      const { remote, directory } = await setUp({ hook: put.hook });
      const { source } = await completeFile(bytes);
      const stored: number[] = [];
      await uploadGrowing(remote, { source, ...TARGET }, quick({ onStored: (at) => stored.push(at) }));
      await expectStored(directory, bytes);
      expect(stored).toEqual([bytes]);
    }
    expect(put.seen).toEqual([]);
  });

  test('a server that takes no pieces gets the file whole, when it is complete', async () => {
    const { remote, directory } = await setUp({ chunking: false });
    const file = await growingFile();
    const upload = uploadGrowing(remote, { source: file.source, ...TARGET }, quick());
    await file.write(testBytes(300 * KB));
    expect(await filesIn(directory)).toEqual([]);
    file.finish();
    expect((await upload).verified).toBe('checksum');
    await expectStored(directory, 300 * KB);
  });

  test.each(['/remote.php/webdav', '/own/remote.php/webdav'])(
    'the older address %s leads to the same',
    async (path) => {
      const server = await ownServer({ basePath: path.startsWith('/own') ? '/own' : '' });
      const remote = await connectTo(new URL(path, server.url).href);
      const { source } = await completeFile(300 * KB);
      await uploadGrowing(remote, { source, ...TARGET }, quick());
      await expectStored(server.directory, 300 * KB);
    },
  );

  test('two uploads at once do not get into each other’s way', async () => {
    const { remote, directory } = await setUp();
    const names = ['a.zip', 'b.zip', 'c.zip'];
    await Promise.all(
      names.map(async (name) => {
        const { source } = await completeFile(500 * KB);
        await uploadGrowing(remote, { source, folder: 'x/y', name }, quick());
      }),
    );
    expect((await filesIn(directory)).sort()).toEqual(names);
  });
});

describe('a file that grows', () => {
  test('is sent while it is written: no piece before its bytes are there, none later than it must', async () => {
    const put = on(isPiece);
    const { remote, directory } = await setUp({ hook: put.hook });
    const file = await growingFile();
    const data = testBytes(350 * KB);
    const upload = uploadGrowing(remote, { source: file.source, ...TARGET }, quick());
    await file.write(data.subarray(0, 100 * KB + 1));
    await expect.poll(() => put.seen.length).toBe(1);
    await file.write(data.subarray(100 * KB + 1, 200 * KB - 1));
    await expect.poll(() => file.asked()).toBe(200 * KB);
    expect(put.seen).toHaveLength(1);
    await file.write(data.subarray(200 * KB - 1, 250 * KB));
    await expect.poll(() => put.seen.length).toBe(2);
    await file.write(data.subarray(250 * KB));
    file.finish();
    await upload;
    await expectStored(directory, 350 * KB);
    expect(put.seen).toHaveLength(4);
  });

  test('more slowly than it is sent goes in the first size, although larger pieces have become possible', async () => {
    const put = on(isPiece);
    const { remote, directory } = await setUp({ hook: put.hook });
    const file = await growingFile();
    const data = testBytes(2_000 * KB);
    let stored = 0;
    const onStored = (bytes: number) => {
      stored = bytes;
    };
    const sizes = { start: 100 * KB, min: 100 * KB, max: 400 * KB };
    const upload = uploadGrowing(remote, { source: file.source, ...TARGET }, quick({ sizes, onStored }));
    await file.write(data.subarray(0, 1_600 * KB));
    await expect.poll(() => stored).toBeGreaterThan(1_500 * KB);
    expect(Math.max(...put.seen.map(({ headers }) => Number(headers['content-length'])))).toBeGreaterThan(100 * KB);
    expect(file.asked()).toBe(stored + 100 * KB);
    await file.write(data.subarray(1_600 * KB));
    file.finish();
    await upload;
    await expectStored(directory, 2_000 * KB);
  });

  test('is not waited for beyond what can be sent: a slow server holds its writer back', async () => {
    const gate = Promise.withResolvers<void>();
    const put = on(isPiece, async (_, __, proceed) => {
      await gate.promise;
      return proceed();
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(1_000 * KB);
    let asked = 0;
    const watched = {
      ...source,
      reach: (bytes: number) => {
        asked = Math.max(asked, bytes);
        return source.reach(bytes);
      },
    };
    const upload = uploadGrowing(remote, { source: watched, ...TARGET }, quick({ longWaitMs: 50 }));
    // Three of them are sent at a time, and when their answer is long waited for, three more.
    await expect.poll(() => put.seen.length, { timeout: 10_000 }).toBe(6);
    await sleep(600);
    expect(put.seen).toHaveLength(6);
    expect(asked).toBe(600 * KB);
    gate.resolve();
    await upload;
    await expectStored(directory, 1_000 * KB);
  });

  test('what a server has that answers late is followed by the rest meanwhile, in pieces that are larger', async () => {
    const gate = Promise.withResolvers<void>();
    const whole = 3_000 * KB;
    let received = 0;
    const put = on(isPiece, async (_, { headers }, proceed) => {
      const answer = await proceed();
      received += Number(headers['content-length']);
      if (received === whole || put.seen.length === 6) gate.resolve();
      await gate.promise;
      return answer;
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(whole);
    const sizes = { start: 100 * KB, min: 100 * KB, max: 2_000 * KB };
    await uploadGrowing(remote, { source, ...TARGET }, quick({ sizes, longWaitMs: 500 }));
    await expectStored(directory, whole);
    const lengths = put.seen.map(({ headers }) => Number(headers['content-length']));
    expect(lengths[3]).toBeGreaterThan(100 * KB);
  });

  test('whoever waits for what is stored hears of it, in order, and only of what the server lists', async () => {
    const { remote, directory } = await setUp();
    const file = await growingFile();
    const data = testBytes(1_050 * KB);
    const stored = [0];
    const onStored = (bytes: number) => stored.push(bytes);
    const upload = uploadGrowing(remote, { source: file.source, ...TARGET }, quick({ onStored }));
    // A writer with room for 150 KB beyond what is stored.
    for (let at = 0; at < data.length; at += 50 * KB) {
      await expect.poll(() => stored.at(-1)).toBeGreaterThanOrEqual(at - 100 * KB);
      const sizes = await Promise.all(
        (await piecesIn(directory)).map(async (name) => (await stat(join(directory, '.uploads.part', name))).size),
      );
      expect(sizes.filter((size) => size === 100 * KB).length * 100 * KB).toBeGreaterThanOrEqual(stored.at(-1) ?? 0);
      await file.write(data.subarray(at, at + 50 * KB));
    }
    file.finish();
    await upload;
    await expectStored(directory, 1_050 * KB);
    expect(stored.at(-1)).toBe(1_050 * KB);
    expect(stored).toEqual([...stored].sort((a, b) => a - b));
  });

  test('whose writer fails: the pieces are deleted and its error is passed on', async () => {
    const put = on(isPiece);
    const { remote, directory } = await setUp({ hook: put.hook });
    const file = await growingFile();
    const upload = errorOf(uploadGrowing(remote, { source: file.source, ...TARGET }, quick()));
    await file.write(testBytes(250 * KB));
    await expect.poll(() => put.seen.length).toBe(2);
    const failure = new DiatomError('ZIP', 'a source was damaged');
    file.fail(failure);
    expect(await upload).toBe(failure);
    expect(await filesIn(directory)).toEqual([]);
    expect(await piecesIn(directory)).toEqual([]);
  });

  test.each([true, false])('whose writer fails before anything was sent (pieces: %j)', async (chunking) => {
    const { remote, directory } = await setUp({ chunking });
    const file = await growingFile();
    const upload = errorOf(uploadGrowing(remote, { source: file.source, ...TARGET }, quick()));
    const failure = new DiatomError('ZIP', 'a source was damaged');
    file.fail(failure);
    expect(await upload).toBe(failure);
    expect(await filesIn(directory)).toEqual([]);
  });

  test('that is cut short or deleted while it is sent is an error, and nothing of it stays', async () => {
    for (const spoil of [(path: string) => truncate(path, 150 * KB), (path: string) => unlink(path)]) {
      const { remote, directory } = await setUp();
      const file = await completeFile(300 * KB);
      await spoil(file.source.path);
      const error = await errorOf(uploadGrowing(remote, { source: file.source, ...TARGET }, quick()));
      expect(error).toMatchObject({ code: 'DISK' });
      expect(await piecesIn(directory)).toEqual([]);
    }
  });

  test('takes no memory by the size of its pieces', { timeout: 60_000 }, async () => {
    const server = await ownServer();
    const path = join(await temporaryFolder(), 'zeros');
    const script = join(import.meta.dirname, '../helpers/upload-sparse.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [
      script,
      server.url,
      USER,
      PASSWORD,
      path,
      '300000000',
    ]);
    const { verified, grownBy } = JSON.parse(stdout);
    expect(verified).toBe('checksum');
    expect((await stat(join(server.directory, 'zeros.zip'))).size).toBe(300_000_000);
    // Three pieces of 100 MB were under way at a time.
    expect(grownBy).toBeLessThan(120_000_000);
  });
});

describe('failures that pass', () => {
  test.each([408, 423, 429, 500, 502, 503, 504])(
    'status %i for one piece: that piece is sent again',
    async (status) => {
      const put = on(isPiece, (count) => (count === 2 ? { status } : undefined));
      const { remote, directory } = await setUp({ hook: put.hook });
      const { source } = await completeFile(450 * KB);
      const progress: number[] = [];
      await uploadGrowing(remote, { source, ...TARGET }, quick({ onProgress: (at) => progress.push(at) }));
      await expectStored(directory, 450 * KB);
      expect(put.seen).toHaveLength(6);
      expect(progress.at(-1)).toBe(450 * KB);
    },
  );

  test('a piece that failed keeps its place until it is sent again, however long that takes', async () => {
    const put = on(isPiece, async (count, _, proceed) => {
      const answer = await proceed();
      return count === 1 ? { status: 503, headers: { 'retry-after': '1' } } : answer;
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(350 * KB);
    const policy = { ...SWIFT, maxRetryAfterMs: 2_000 };
    await uploadGrowing(remote, { source, ...TARGET }, quick({ policy, parallel: 1, longWaitMs: 50 }));
    await expectStored(directory, 350 * KB);
    const numbers = put.seen.map(({ path }) => Number(path.split('/').at(-1)));
    expect(numbers.slice(0, 2)).toEqual([1, 1]);
  });

  test('connections that break', async () => {
    const broken = new Set<string>();
    const hook: Hook = async ({ method, path }, proceed) => {
      // Each request fails once: before it was heard, or after it was obeyed.
      const key = `${method} ${path}`;
      if (!path.includes('/dav/') || broken.has(key)) return undefined;
      broken.add(key);
      if (broken.size % 2 === 0) await proceed();
      return 'hang up';
    };
    const { remote, directory } = await setUp({ hook });
    const { source } = await completeFile(450 * KB);
    await uploadGrowing(remote, { source, ...TARGET }, quick());
    await expectStored(directory, 450 * KB);
  });

  test('a piece that the server keeps in part only is found before the pieces are put together', async () => {
    const warnings: string[] = [];
    const put = on(isPiece, async (count, request, proceed) => {
      const answer = await proceed();
      if (count === 2) await truncate(join(directory, '.uploads.part', ...request.path.split('/').slice(-2)), 99 * KB);
      return answer;
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(350 * KB);
    const progress: number[] = [];
    await uploadGrowing(
      remote,
      { source, ...TARGET },
      quick({ onWarning: (text) => warnings.push(text), onProgress: (at) => progress.push(at) }),
    );
    await expectStored(directory, 350 * KB);
    expect(put.seen).toHaveLength(5);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('99000 of its 100000 bytes');
    expect(progress.at(-1)).toBe(350 * KB);
  });

  test('a piece that is kept in part again is an error', async () => {
    const put = on(isPiece, async (_, request, proceed) => {
      const answer = await proceed();
      if (request.path.endsWith('00002')) {
        await truncate(join(directory, '.uploads.part', ...request.path.split('/').slice(-2)), 99 * KB);
      }
      return answer;
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    for (const onStored of [undefined, () => {}]) {
      const { source } = await completeFile(350 * KB);
      const error = await errorOf(uploadGrowing(remote, { source, ...TARGET }, quick({ onStored })));
      expect(error).toMatchObject({ code: 'OWNCLOUD' });
      expect(error.message).toContain('99000 of its 100000 bytes');
      expect(await filesIn(directory)).toEqual([]);
    }
  });

  test.each<[string, Awaited<ReturnType<Hook>>]>([
    ['504', { status: 504 }],
    ['423', { status: 423 }],
    ['500', { status: 500 }],
    ['no answer', 'hang up'],
    ['404, as after a lost answer', { status: 404 }],
    ['412, as after a lost answer', { status: 412 }],
  ])('an assembly that worked although the answer is: %s', async (_, answer) => {
    const move = on(isAssembly, async (_count, __, proceed) => {
      await proceed();
      return answer;
    });
    const { remote, directory } = await setUp({ hook: move.hook });
    const { source } = await completeFile(350 * KB);
    expect((await uploadGrowing(remote, { source, ...TARGET }, quick())).verified).toBe('checksum');
    await expectStored(directory, 350 * KB);
    expect(move.seen).toHaveLength(1);
  });

  test('an assembly that goes on after the proxy gave up is waited for, not asked for again', async () => {
    let assembled = Promise.resolve<unknown>(undefined);
    const move = on(isAssembly, (_, __, proceed) => {
      assembled = new Promise((resolve) => setTimeout(resolve, 150)).then(proceed);
      return { status: 504 };
    });
    const { remote, directory } = await setUp({ hook: move.hook });
    const { source } = await completeFile(350 * KB);
    await uploadGrowing(remote, { source, ...TARGET }, quick({ assemblyMs: () => 30_000 }));
    await assembled;
    await expectStored(directory, 350 * KB);
    expect(move.seen).toHaveLength(1);
  });

  test.each<[string, Awaited<ReturnType<Hook>>]>([
    ['504', { status: 504 }],
    ['423', { status: 423 }],
    ['no answer', 'hang up'],
  ])('an assembly that did not work (%s) is asked for again', async (_, answer) => {
    const move = on(isAssembly, (count) => (count === 1 ? answer : undefined));
    const { remote, directory } = await setUp({ hook: move.hook });
    const { source } = await completeFile(350 * KB);
    await uploadGrowing(remote, { source, ...TARGET }, quick());
    await expectStored(directory, 350 * KB);
    expect(move.seen).toHaveLength(2);
  });
});

describe('refusals', () => {
  test.each([
    [401, 'app password'],
    [403, 'permission'],
    [413, 'upload limit'],
    [507, 'quota'],
  ])(
    'a piece answered with %i ends the upload at once, without its pieces and without secrets',
    async (status, words) => {
      const put = on(isPiece, (count) =>
        count === 2
          ? { status, body: `<d:error xmlns:d="DAV:" xmlns:s="x"><s:message>no, ${PASSWORD}</s:message></d:error>` }
          : undefined,
      );
      const { remote, directory } = await setUp({ hook: put.hook });
      const { source } = await completeFile(2_000 * KB);
      const error = await errorOf(uploadGrowing(remote, { source, ...TARGET }, quick()));
      expect(error.message).toContain(words);
      expect(error.message).toContain(remote.rootUrl.host);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(PASSWORD);
      expect(put.seen.length).toBeLessThan(20);
      expect(await filesIn(directory)).toEqual([]);
      expect(await piecesIn(directory)).toEqual([]);
    },
  );

  test('a redirect of a piece is not followed: no other server gets the data or the password', async () => {
    const thief = await otherServer((_, response) => response.end());
    const put = on(isPiece, () => ({ status: 307, headers: { location: `${thief.url}/x?token=t0p` } }));
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(300 * KB);
    const error = await errorOf(uploadGrowing(remote, { source, ...TARGET }, quick()));
    expect(error.message).toContain(`it points to ${thief.url} instead`);
    expect(error.message).not.toContain('t0p');
    expect(thief.requests).toEqual([]);
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('a checksum of the whole that is another: nothing gets the name', async () => {
    const move = on(isAssembly);
    const { remote, directory } = await setUp({ hook: move.hook });
    const file = await growingFile();
    await file.write(testBytes(350 * KB));
    file.finish({ uploadSum: 'a'.repeat(40) });
    const error = await errorOf(uploadGrowing(remote, { source: file.source, ...TARGET }, quick()));
    expect(error.message).toContain('damaged on the way');
    expect(error.message).toContain('The computed checksum does not match');
    expect(move.seen).toHaveLength(1);
    expect(await filesIn(directory)).toEqual([]);
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('a length that is another: nothing gets the name', async () => {
    const { remote, directory } = await setUp();
    const file = await growingFile();
    await file.write(testBytes(350 * KB));
    file.finish({ bytes: 350 * KB + 1 });
    const error = await errorOf(uploadGrowing(remote, { source: file.source, ...TARGET }, quick()));
    expect(error.message).toContain('do not sum up');
    expect(await filesIn(directory)).toEqual([]);
  });

  test('a name that is taken stops before anything is sent, and before the file is complete', async () => {
    const { remote, directory } = await setUp();
    await writeFile(join(directory, NAME), 'somebody else’s');
    const { source } = await growingFile();
    const error = await errorOf(uploadGrowing(remote, { source, folder: '', name: NAME }, quick()));
    expect(error.message).toContain('there is already something named');
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('a name that is taken during the upload is not overwritten', async () => {
    const put = on(isPiece, async () => {
      await writeFile(join(directory, NAME), 'somebody else’s');
      return undefined;
    });
    const { remote, directory } = await setUp({ hook: put.hook });
    const { source } = await completeFile(350 * KB);
    const error = await errorOf(uploadGrowing(remote, { source, folder: '', name: NAME }, quick()));
    expect(error.message).toContain('there is already something named');
    expect(await readFile(join(directory, NAME), 'utf8')).toBe('somebody else’s');
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('a file that is replaced after the assembly is noticed, and what has the name is left alone', async () => {
    const move = on(isAssembly, async (_, __, proceed) => {
      const answer = await proceed();
      await truncate(join(directory, NAME), 10);
      return answer;
    });
    const { remote, directory } = await setUp({ hook: move.hook });
    const { source } = await completeFile(350 * KB);
    const error = await errorOf(uploadGrowing(remote, { source, folder: '', name: NAME }, quick()));
    expect(error.message).toContain('is not what was uploaded');
    expect(await filesIn(directory)).toEqual([NAME]);
  });

  test('a server that takes nothing more', async () => {
    const { remote } = await setUp({ hook: on(isPiece, () => new Promise(() => {})).hook });
    const { source } = await completeFile(60_000_000);
    const options = quick({ policy: { ...SWIFT, tries: 1 }, stallTimeoutMs: 300, sizes: pieces(20_000_000) });
    const error = await errorOf(uploadGrowing(remote, { source, ...TARGET }, options));
    expect(error.message).toContain('took nothing of the file');
  });
});

describe('a cancelled run', () => {
  test.each<[string, (request: SeenRequest) => boolean]>([
    ['while pieces are sent', isPiece],
    ['while they are put together', isAssembly],
    [
      'while they are compared',
      ({ method, path, headers }) => method === 'PROPFIND' && path.includes('/uploads/') && headers['depth'] === '1',
    ],
  ])('%s leaves nothing', async (_, which) => {
    const controller = new AbortController();
    const { remote, directory } = await setUp({
      hook: on(which, () => {
        controller.abort();
        return new Promise(() => {});
      }).hook,
    });
    const { source } = await completeFile(450 * KB);
    const error = await errorOf(uploadGrowing(remote, { source, ...TARGET }, quick({ signal: controller.signal })));
    expect(error).toMatchObject({ code: 'CANCELLED' });
    expect(await filesIn(directory)).toEqual([]);
    expect(await piecesIn(directory)).toEqual([]);
  });

  test.each([
    ['a first piece', true, 0],
    ['more', true, 150 * KB],
    ['the end, for a server that takes no pieces', false, 0],
  ])('while it waits for %s of the file', async (_, chunking, written) => {
    const controller = new AbortController();
    const { remote, directory } = await setUp({ chunking });
    const file = await growingFile();
    await file.write(testBytes(written));
    const upload = errorOf(
      uploadGrowing(remote, { source: file.source, ...TARGET }, quick({ signal: controller.signal })),
    );
    if (chunking) await expect.poll(() => file.asked()).toBeGreaterThan(written);
    controller.abort();
    expect(await upload).toMatchObject({ code: 'CANCELLED' });
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('while a proxy’s time-out is waited out', async () => {
    const controller = new AbortController();
    const { remote, directory } = await setUp({ hook: on(isAssembly, () => ({ status: 504 })).hook });
    const { source } = await completeFile(350 * KB);
    setTimeout(() => controller.abort(), 300);
    const options = quick({ signal: controller.signal, assemblyMs: () => 60_000 });
    expect(await errorOf(uploadGrowing(remote, { source, ...TARGET }, options))).toMatchObject({ code: 'CANCELLED' });
    expect(await piecesIn(directory)).toEqual([]);
  });

  test('says so when the pieces can’t be deleted', async () => {
    const warnings: string[] = [];
    const { remote } = await setUp({
      hook: ({ method, path }) => {
        if (method === 'DELETE') return { status: 403 };
        return path.endsWith('/.file') ? { status: 403 } : undefined;
      },
    });
    const { source } = await completeFile(350 * KB);
    await errorOf(uploadGrowing(remote, { source, ...TARGET }, quick({ onWarning: (text) => warnings.push(text) })));
    expect(warnings.join()).toContain('may still take up space');
  });
});

describe('Nextcloud', () => {
  const LIMITS = { max_size: 6_000_000, max_parallel_count: 2 };
  const user = { username: 'u', password: 'p' };

  test('gets a Destination with every request, numbers from 1, pieces within its limits, and its sums are compared', async () => {
    const server = await nextcloudServer(LIMITS);
    const remote = await connectTo(server.url, user);
    const { source } = await completeFile(20_000_000);
    const done = await uploadGrowing(remote, { source, folder: '', name: NAME }, { policy: SWIFT });
    // What it lists as a checksum is only what the sender said.
    expect(done.verified).toBe('size');
    expect(server.files.get(NAME)?.equals(testBytes(20_000_000))).toBe(true);
    const put = server.seen.filter(({ method }) => method === 'PUT');
    const lengths = put.map(({ headers }) => Number(headers['content-length']));
    expect(lengths.sort((a, b) => a - b)).toEqual([2_000_000, 6_000_000, 6_000_000, 6_000_000]);
    expect(put.every(({ headers }) => headers['x-hash'] === 'sha1')).toBe(true);
    const destinations = server.seen
      .filter(({ method, path }) => method !== 'PROPFIND' && path.includes('/uploads/'))
      .map(({ headers }) => headers['destination']);
    expect(destinations).toHaveLength(6);
    expect(new Set(destinations)).toEqual(new Set([`${server.url}/remote.php/dav/files/u/${NAME}`]));
  });

  test('never gets more pieces at once than it states, however late it answers', async () => {
    const gate = Promise.withResolvers<void>();
    const server = await nextcloudServer(LIMITS, async ({ method }, reply) => {
      if (method === 'PUT') await gate.promise;
      return reply;
    });
    const remote = await connectTo(server.url, user);
    const { source } = await completeFile(20_000_000);
    const upload = uploadGrowing(remote, { source, folder: '', name: NAME }, { policy: SWIFT, longWaitMs: 50 });
    const put = () => server.seen.filter(({ method }) => method === 'PUT');
    await expect.poll(() => put().length, { timeout: 10_000 }).toBe(LIMITS.max_parallel_count);
    await sleep(600);
    expect(put()).toHaveLength(LIMITS.max_parallel_count);
    gate.resolve();
    await upload;
    expect(server.files.get(NAME)?.equals(testBytes(20_000_000))).toBe(true);
  });

  test('a piece whose sum differs is sent again', async () => {
    let changed = 0;
    const server = await nextcloudServer(LIMITS, ({ method }, reply) =>
      method === 'PUT' && changed++ === 0 ? { ...reply, headers: { 'x-hash-sha1': '0'.repeat(40) } } : reply,
    );
    const remote = await connectTo(server.url, user);
    const { source } = await completeFile(14_000_000);
    await uploadGrowing(remote, { source, folder: '', name: NAME }, { policy: SWIFT });
    expect(server.seen.filter(({ method }) => method === 'PUT')).toHaveLength(4);
    expect(server.files.get(NAME)?.equals(testBytes(14_000_000))).toBe(true);
  });

  test('a piece whose sum always differs ends the upload', async () => {
    const server = await nextcloudServer(LIMITS, ({ method }, reply) =>
      method === 'PUT' ? { ...reply, headers: { 'x-hash-sha1': '0'.repeat(40) } } : reply,
    );
    const remote = await connectTo(server.url, user);
    const { source } = await completeFile(14_000_000);
    const error = await errorOf(uploadGrowing(remote, { source, folder: '', name: NAME }, { policy: SWIFT }));
    expect(error.message).toContain('other bytes');
    expect(server.files.size).toBe(0);
    expect(server.uploads.size).toBe(0);
  });

  test('what is stored is heard of although it lists pieces by their number alone', async () => {
    const server = await nextcloudServer(LIMITS);
    const remote = await connectTo(server.url, user);
    const { source } = await completeFile(20_000_000);
    const stored: number[] = [];
    const options = { policy: SWIFT, onStored: (bytes: number) => stored.push(bytes) };
    await uploadGrowing(remote, { source, folder: '', name: NAME }, options);
    expect(stored.at(-1)).toBe(20_000_000);
  });
});

describe('what is waited for before the name', () => {
  test.each([true, false])('comes when all is there, and before the name is (in pieces: %s)', async (chunking) => {
    const move = on(({ method }) => method === 'MOVE');
    const { remote, directory } = await setUp({ hook: move.hook, chunking });
    const { source } = await completeFile(450 * KB);
    let seen: string[] = [];
    const beforeNamed = async () => {
      expect(move.seen).toEqual([]);
      seen = chunking ? await piecesIn(directory) : await filesIn(directory);
    };
    await uploadGrowing(remote, { source, ...TARGET }, quick({ beforeNamed }));
    expect(seen).toHaveLength(chunking ? 6 : 1);
    await expectStored(directory, 450 * KB);
  });

  test.each([true, false])('ends the upload with its failure, and nothing stays (in pieces: %s)', async (chunking) => {
    const { remote, directory } = await setUp({ chunking });
    const { source } = await completeFile(450 * KB);
    const beforeNamed = () => Promise.reject(new DiatomError('OWNCLOUD', 'another run was first'));
    const upload = uploadGrowing(remote, { source, ...TARGET }, quick({ beforeNamed }));
    expect((await errorOf(upload)).message).toBe('another run was first');
    expect(await filesIn(directory)).toEqual([]);
    expect(await piecesIn(directory)).toEqual([]);
  });
});
