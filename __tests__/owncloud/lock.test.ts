import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type LockRequest, takeLock } from '../../src/owncloud/lock.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

const HOUR = 3_600_000;
const options = { policy: SWIFT };

const request = (changes: Partial<LockRequest> = {}): LockRequest => ({
  folder: 'models/x/.lock',
  owner: 'https://example.org/runs/1',
  staleMs: 2 * HOUR,
  waitMs: 0,
  pollMs: 5,
  now: () => new Date('2026-11-22T12:00:00Z'),
  ...changes,
});

async function setUp() {
  const server = await ownServer();
  const folder = join(server.directory, 'models/x/.lock');
  const remote = await connectTo(server.url);
  return { remote, folder, notes: () => readdir(folder) };
}

test('a lock is a note that names its holder and its time, and is gone after its release', async () => {
  const { remote, folder, notes } = await setUp();
  const lock = await takeLock(remote, request(), options);
  const [note = ''] = await notes();
  expect(note).toMatch(/^owner-20261122T120000Z-[0-9a-f]{8}\.txt$/);
  expect(await readFile(join(folder, note), 'utf8')).toBe(
    'https://example.org/runs/1\nsince 2026-11-22T12:00:00.000Z\n',
  );
  await lock.requireHeld();
  await lock.release();
  expect(await notes()).toEqual([]);
});

test('whoever comes second and may not wait is told who holds it, and which file to delete if that run is dead', async () => {
  const { remote, notes } = await setUp();
  await takeLock(remote, request(), options);
  const [note] = await notes();
  const { message } = await errorOf(takeLock(remote, request({ owner: 'second' }), options));
  expect(message).toContain('https://example.org/runs/1, since 2026-11-22T12:00:00.000Z');
  expect(message).toContain(`delete the file “/models/x/.lock/${note}”`);
  expect(message).toContain('when it is 2 h 0 min old');
  expect(await notes()).toEqual([note]);
});

test('whoever may wait gets it when it is given back, and says once that it waits', async () => {
  const { remote } = await setUp();
  const first = await takeLock(remote, request(), options);
  const waits: string[] = [];
  const second = takeLock(remote, request({ waitMs: HOUR, onWait: (text) => void waits.push(text) }), options);
  while (waits.length === 0) await sleep(5);
  await first.release();
  await (await second).requireHeld();
  expect(waits).toHaveLength(1);
});

test('a note older than the limit counts for nothing: it is passed over, deleted, and its holder finds out', async () => {
  const { remote, notes } = await setUp();
  const dead = await takeLock(remote, request(), options);
  const now = () => new Date('2026-11-22T14:00:01Z');
  const alive = await takeLock(remote, request({ now }), options);
  expect(await notes()).toHaveLength(1);
  await alive.requireHeld();
  expect((await errorOf(dead.requireHeld())).message).toContain('Another run has taken over');
  await dead.release();
  expect(await notes()).toHaveLength(1);
});

test('a note that the server has not stored whole counts for nothing: it is put there again before anything is held', async () => {
  const { remote, folder, notes } = await setUp();
  const send = remote.client.customRequest.bind(remote.client);
  let puts = 0;
  await mkdir(folder, { recursive: true });
  remote.client.customRequest = async (...sent) => {
    const answer = await send(...sent);
    if (sent[1].method === 'PUT' && puts++ === 0) {
      for (const note of await notes()) await writeFile(join(folder, note), '');
    }
    return answer;
  };
  await takeLock(remote, request(), options);
  const [note = ''] = await notes();
  expect(await readFile(join(folder, note), 'utf8')).toContain('https://example.org/runs/1');
  expect(puts).toBe(2);
});

test('a note that is never stored whole is said to be damaged, with what to do, and none is left to block later runs', async () => {
  const { remote, folder, notes } = await setUp();
  const send = remote.client.customRequest.bind(remote.client);
  await mkdir(folder, { recursive: true });
  let puts = 0;
  remote.client.customRequest = async (...sent) => {
    const answer = await send(...sent);
    if (sent[1].method === 'PUT' && ++puts > 0) {
      for (const note of await notes()) await writeFile(join(folder, note), 'half');
    }
    return answer;
  };
  const { message } = await errorOf(takeLock(remote, request({ waitMs: HOUR }), options));
  expect(message).toMatch(/but 4 of \d+ bytes are there, after 5 tries\. .*make space there/);
  expect(puts).toBe(5);
  expect(await notes()).toEqual([]);
});

test.each([500, 423, 404])(
  'where the folder is missing and the server answers %i to a note in it, the folder is made',
  async (status) => {
    const folder = () => join(server.directory, 'models/x/.lock');
    const server: Awaited<ReturnType<typeof ownServer>> = await ownServer({
      hook: ({ method }) => (method === 'PUT' && !existsSync(folder()) ? { status } : undefined),
    });
    const lock = await takeLock(await connectTo(server.url), request(), options);
    expect(await readdir(folder())).toHaveLength(1);
    await lock.release();
  },
);

test('taking a lock that is free costs two requests, and one that was never taken the making of its folders, too', async () => {
  const asked: string[] = [];
  const server = await ownServer({ hook: ({ method }) => void asked.push(method) });
  const remote = await connectTo(server.url);
  for (const expected of [
    ['PUT', 'MKCOL', 'MKCOL', 'MKCOL', 'PUT', 'PROPFIND'],
    ['PUT', 'PROPFIND'],
  ]) {
    asked.length = 0;
    const lock = await takeLock(remote, request(), options);
    expect(asked).toEqual(expected);
    await lock.release();
  }
});

test('files that are no notes do not matter', async () => {
  const { remote, folder, notes } = await setUp();
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'read me.txt'), 'x');
  await (await takeLock(remote, request(), options)).release();
  expect(await notes()).toEqual(['read me.txt']);
});

test('of many at once never two hold it', async () => {
  const { remote } = await setUp();
  let holders = 0;
  const most: number[] = [];
  const work = async () => {
    const lock = await takeLock(remote, request({ waitMs: HOUR }), options);
    most.push(++holders);
    await lock.requireHeld();
    holders--;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 5 }, work));
  expect(most).toEqual([1, 1, 1, 1, 1]);
});

test('whoever holds it keeps it while others try to get it', async () => {
  const { remote, folder } = await setUp();
  const lock = await takeLock(remote, request(), options);
  // As it is between the note of another and its look around.
  await writeFile(join(folder, 'owner-20261122T115900Z-00000000.txt'), 'another');
  await lock.requireHeld();
});

test('of two whose notes lie there at once the first by name waits with its note, so that they do not meet for ever', async () => {
  const { remote, folder, notes } = await setUp();
  const later = join(folder, 'owner-20261122T120001Z-00000000.txt');
  const send = remote.client.customRequest.bind(remote.client);
  await mkdir(folder, { recursive: true });
  remote.client.customRequest = async (...sent) => {
    if (sent[1].method === 'PUT') await writeFile(later, 'another');
    return send(...sent);
  };
  const waits: string[] = [];
  const lock = takeLock(remote, request({ waitMs: HOUR, onWait: (text) => void waits.push(text) }), options);
  while (waits.length === 0) await sleep(1);
  for (let look = 0; look < 20; look++) {
    expect(await notes()).toHaveLength(2);
    await sleep(2);
  }
  await rm(later);
  await (await lock).requireHeld();
});

test('whoever waits and whose note somebody deletes puts one there again before it holds anything', async () => {
  const { remote, folder, notes } = await setUp();
  const first = join(folder, 'owner-20261122T120001Z-00000000.txt');
  const send = remote.client.customRequest.bind(remote.client);
  await mkdir(folder, { recursive: true });
  let puts = 0;
  remote.client.customRequest = async (...sent) => {
    if (sent[1].method === 'PUT' && puts++ === 0) await writeFile(first, 'another');
    return send(...sent);
  };
  const taking = takeLock(remote, request({ waitMs: HOUR }), options);
  while ((await notes()).length < 2) await sleep(1);
  for (const note of await notes()) await rm(join(folder, note), { force: true });
  const lock = await taking;
  expect(await notes()).toHaveLength(1);
  await lock.requireHeld();
});

test('a folder in which every note disappears is said so, and not tried for ever', async () => {
  const folder = () => join(server.directory, 'models/x/.lock');
  const server: Awaited<ReturnType<typeof ownServer>> = await ownServer({
    hook: async ({ method, path }) => {
      if (method === 'PROPFIND' && /\/\.lock\/?$/.test(path)) {
        for (const note of await readdir(folder()).catch(() => [])) await rm(join(folder(), note));
      }
      return undefined;
    },
  });
  const { message } = await errorOf(takeLock(await connectTo(server.url), request({ waitMs: HOUR }), options));
  expect(message).toContain('is not there a moment later, 5 times: somebody or something deletes it. Look there.');
});

test('a note that could not be taken back is tried again, so that it is in nobody’s way', async () => {
  let refused = 0;
  let isRefused = true;
  const server = await ownServer({
    hook: ({ method }) => (isRefused && method === 'DELETE' && ++refused ? { status: 403 } : undefined),
  });
  const folder = join(server.directory, 'models/x/.lock');
  const remote = await connectTo(server.url);
  const send = remote.client.customRequest.bind(remote.client);
  const earlier = join(folder, 'owner-20261122T110000Z-00000000.txt');
  await mkdir(folder, { recursive: true });
  remote.client.customRequest = async (...sent) => {
    if (sent[1].method === 'PUT') await writeFile(earlier, 'another');
    return send(...sent);
  };
  const onWait = () => {
    isRefused = false;
  };
  const cancel = new AbortController();
  const taking = takeLock(remote, request({ waitMs: HOUR, onWait }), { ...options, signal: cancel.signal });
  await expect.poll(async () => refused > 0 && !isRefused && (await readdir(folder)).length).toBe(1);
  cancel.abort();
  await errorOf(taking);
  expect(await readdir(folder)).toEqual(['owner-20261122T110000Z-00000000.txt']);
});

test('waiting ends when the run is cancelled, and leaves no note', async () => {
  const { remote, notes } = await setUp();
  await takeLock(remote, request(), options);
  const cancel = new AbortController();
  const waiting = takeLock(remote, request({ waitMs: HOUR, pollMs: HOUR, onWait: () => cancel.abort() }), {
    ...options,
    signal: cancel.signal,
  });
  expect((await errorOf(waiting)).message).toBe('The run was cancelled.');
  expect(await notes()).toHaveLength(1);
});
