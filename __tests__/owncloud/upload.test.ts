import { mkdir, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Answer, Hook, SeenRequest } from '../../scripts/stand-ins/owncloud-server.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { connectTo, errorOf, localFile, ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';

const BASIC = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

/** A hook that tampers with requests of one method only, and counts them. */
function on(
  method: string,
  act: (count: number, request: SeenRequest, proceed: () => Promise<Answer>) => ReturnType<Hook>,
) {
  let count = 0;
  const hook: Hook = (request, proceed) => (request.method === method ? act(++count, request, proceed) : undefined);
  return { hook, count: () => count };
}

async function filesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

describe('an upload that works', () => {
  test('stores the same bytes under the final name, compared by checksum, and leaves no temporary file', async () => {
    const server = await ownServer();
    const request = await localFile(3_000_000);
    const progress: number[] = [];
    const done = await uploadFile(await connectTo(server.url), request, {
      policy: SWIFT,
      onProgress: (bytes) => progress.push(bytes),
    });
    expect(done.verified).toBe('checksum');
    expect(await filesIn(server.directory)).toEqual([request.name]);
    const stored = await readFile(join(server.directory, request.folder, request.name));
    expect(stored.equals(await readFile(request.localPath))).toBe(true);
    expect(progress.at(-1)).toBe(request.bytes);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(done.url).toBe(`${server.url}/remote.php/dav/files/${encodeURIComponent(USER)}/data%20sets/${request.name}`);
  });

  test.each(['', '/', 'a/b/c', '/Proben 100%/Fluß #3/水 & more+/', "it's (new)!"])(
    'goes to the folder %j, created where missing',
    async (folder) => {
      const server = await ownServer({ basePath: '/own cloud' });
      const request = { ...(await localFile(1_000)), folder };
      const done = await uploadFile(await connectTo(server.url.replace(' ', '%20')), request, { policy: SWIFT });
      expect(await filesIn(join(server.directory, ...folder.split('/')))).toEqual([request.name]);
      const authorization = `Basic ${BASIC}`;
      const answer = await fetch(done.url, { headers: { authorization } });
      expect((await answer.arrayBuffer()).byteLength).toBe(1_000);
    },
  );

  test('sends Content-Length and OC-Checksum, first to a temporary name that ownCloud allows', async () => {
    const seen: SeenRequest[] = [];
    const server = await ownServer({ hook: (request) => void seen.push(request) });
    const request = await localFile(5_000);
    await uploadFile(await connectTo(server.url), request, { policy: SWIFT });
    const put = seen.filter(({ method }) => method === 'PUT');
    expect(put).toHaveLength(1);
    expect(put[0]?.headers['content-length']).toBe('5000');
    expect(put[0]?.headers['oc-checksum']).toBe(`SHA1:${request.uploadSum}`);
    expect(put[0]?.path).toMatch(/\.zip\.uploading-[0-9a-f]{8}$/);
    expect(seen.find(({ method }) => method === 'MOVE')?.headers['overwrite']).toBe('F');
  });
});

describe('a server that says it stored the file but did not', () => {
  test.each([
    [
      'a redirect to a sign-in page',
      { status: 302, headers: { location: 'https://login.example.org/saml?token=t0p' } },
    ],
    ['a 303 to another page', { status: 303, headers: { location: '/index.php/login' } }],
  ])('%s is an error and is not followed', async (_, answer) => {
    const put = on('PUT', () => answer);
    const server = await ownServer({ hook: put.hook });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain(answer.status === 302 ? 'https://login.example.org instead' : '/index.php/login');
    expect(error.message).not.toContain('t0p');
    expect(put.count()).toBe(1);
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('a page in place of the answer is an error: nothing is there', async () => {
    const server = await ownServer({ hook: on('PUT', () => ({ status: 200, body: '<html>Welcome</html>' })).hook });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain('said that it stored');
    expect(error.message).toContain('nothing is there');
  });

  test('a file stored in part is sent again once, and is an error when it stays so', async () => {
    const cut = (times: number) =>
      on('PUT', async (count, request, proceed) => {
        const answer = await proceed();
        const name = request.path.split('/').at(-1) ?? '';
        if (count <= times) await truncate(join(server.directory, 'data sets', name), 900);
        return answer;
      });
    let put = cut(1);
    let server = await ownServer({ hook: (...args) => put.hook(...args) });
    const warnings: string[] = [];
    const request = await localFile(1_000);
    const options = { policy: SWIFT, onWarning: (message: string) => warnings.push(message) };
    expect((await uploadFile(await connectTo(server.url), request, options)).verified).toBe('checksum');
    expect(warnings.join()).toContain('900 of 1000 bytes are there');

    put = cut(9);
    server = await ownServer({ hook: (...args) => put.hook(...args) });
    const error = await errorOf(uploadFile(await connectTo(server.url), request, options));
    expect(error.message).toContain('900 of 1000 bytes are there');
    expect(put.count()).toBe(2);
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('a file with other bytes of the same length is caught by its checksum', async () => {
    const server = await ownServer({
      hook: on('PUT', async (_, request, proceed) => {
        const answer = await proceed();
        await writeFile(join(server.directory, 'data sets', request.path.split('/').at(-1) ?? ''), 'x'.repeat(1_000));
        return answer;
      }).hook,
    });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain('its checksum differs');
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('a file that is replaced after the move is noticed, and what has the name is left alone', async () => {
    const server = await ownServer({
      hook: on('MOVE', async (_, __, proceed) => {
        const answer = await proceed();
        await truncate(join(server.directory, 'data sets', 'diatom_set-2026-11-22-17-45-00.zip'), 10);
        return answer;
      }).hook,
    });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain('is not what was uploaded');
    expect(await filesIn(server.directory)).toEqual(['diatom_set-2026-11-22-17-45-00.zip']);
  });

  test('a server without checksums is compared by size, and says so', async () => {
    const server = await ownServer({
      hook: on('PROPFIND', async (_, __, proceed) => {
        const answer = await proceed();
        return { ...answer, body: String(answer.body).replace(/<oc:checksums>.*?<\/oc:checksums>/, '') };
      }).hook,
    });
    const done = await uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT });
    expect(done.verified).toBe('size');
  });
});

describe('Nextcloud, whose listed checksum is only what the sender gave', () => {
  const nextcloud =
    (sumOf: (sha1: string) => Record<string, string>): Hook =>
    async ({ path, method, headers }, proceed) => {
      if (path.endsWith('/status.php')) {
        return {
          status: 200,
          body: '{"maintenance":false,"versionstring":"31.0.2","productname":"Nextcloud","extendedSupport":false}',
        };
      }
      if (method !== 'PUT') return undefined;
      expect(headers['x-hash']).toBe('sha1');
      return { ...(await proceed()), headers: sumOf(String(headers['oc-checksum']).slice(5)) };
    };

  test.each([
    ['the sum it made of what it got is the proof', (sha1: string) => ({ 'x-hash-sha1': sha1 }), 'checksum'],
    ['without that sum only the size is', () => ({}), 'size'],
  ])('%s', async (_, sumOf, verified) => {
    const server = await ownServer({ hook: nextcloud(sumOf) });
    const remote = await connectTo(server.url);
    expect(remote.kind).toBe('nextcloud');
    expect((await uploadFile(remote, await localFile(1_000), { policy: SWIFT })).verified).toBe(verified);
  });

  test('a different sum is an error', async () => {
    const server = await ownServer({ hook: nextcloud(() => ({ 'x-hash-sha1': '0'.repeat(40) })) });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain('its checksum differs');
  });
});

describe('failures that pass', () => {
  test.each([408, 423, 425, 429, 500, 502, 503, 504, 509, 520, 524])('status %i is tried again', async (status) => {
    const put = on('PUT', (count) => (count === 1 ? { status } : undefined));
    const server = await ownServer({ hook: put.hook });
    const retries: number[] = [];
    const request = await localFile(400_000);
    await uploadFile(await connectTo(server.url), request, {
      policy: SWIFT,
      onRetry: ({ attempt }) => retries.push(attempt),
    });
    expect(put.count()).toBe(2);
    expect(retries).toEqual([1]);
  });

  test('Retry-After is obeyed, and one that is too long ends the attempts', async () => {
    const waits: number[] = [];
    const put = on('PUT', (count) =>
      count === 1
        ? { status: 503, headers: { 'retry-after': '1' } }
        : { status: 503, headers: { 'retry-after': '3600' } },
    );
    const server = await ownServer({ hook: put.hook });
    const remote = await connectTo(server.url);
    const error = await errorOf(
      uploadFile(remote, await localFile(10), {
        policy: { ...SWIFT, maxRetryAfterMs: 5_000 },
        onRetry: ({ waitMs }) => waits.push(waitMs),
      }),
    );
    expect(waits).toEqual([1_000]);
    expect(put.count()).toBe(2);
    expect(error.message).toContain('maintenance');
  });

  test('an answer to PUT that got lost: the file is found and not sent again', async () => {
    const put = on('PUT', async (_, __, proceed) => {
      await proceed();
      return 'hang up' as const;
    });
    const server = await ownServer({ hook: put.hook });
    const done = await uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT });
    expect(done.verified).toBe('checksum');
    expect(put.count()).toBe(1);
  });

  test('a connection that breaks in the middle: the file is sent again from its beginning', async () => {
    const put = on('PUT', (count) => (count <= 2 ? 'hang up' : undefined));
    const server = await ownServer({ hook: put.hook });
    const done = await uploadFile(await connectTo(server.url), await localFile(2_000_000), { policy: SWIFT });
    expect(done.verified).toBe('checksum');
    expect(put.count()).toBe(3);
  });

  test('a checksum that ownCloud found wrong is tried again', async () => {
    const put = on('PUT', (count) =>
      count === 1
        ? {
            status: 400,
            body: '<d:error xmlns:d="DAV:" xmlns:s="x"><s:message>The computed checksum does not match the one received from the client.</s:message></d:error>',
          }
        : undefined,
    );
    const server = await ownServer({ hook: put.hook });
    await uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT });
    expect(put.count()).toBe(2);
  });

  test.each<[string, Awaited<ReturnType<Hook>>]>([
    ['504', { status: 504 }],
    ['423', { status: 423 }],
    ['no answer', 'hang up'],
    ['404, as after a lost answer', { status: 404 }],
    ['412, as after a lost answer', { status: 412 }],
  ])('a MOVE that worked although the answer is: %s', async (_, answer) => {
    const move = on('MOVE', async (_count, __, proceed) => {
      await proceed();
      return answer;
    });
    const server = await ownServer({ hook: move.hook });
    const request = await localFile(1_000);
    const done = await uploadFile(await connectTo(server.url), request, { policy: SWIFT });
    expect(done.verified).toBe('checksum');
    expect(move.count()).toBe(1);
    expect(await filesIn(server.directory)).toEqual([request.name]);
  });

  test('a MOVE that did not work at first is sent again', async () => {
    const move = on('MOVE', (count) => (count < 3 ? { status: 423 } : undefined));
    const server = await ownServer({ hook: move.hook });
    const request = await localFile(1_000);
    await uploadFile(await connectTo(server.url), request, { policy: SWIFT });
    expect(await filesIn(server.directory)).toEqual([request.name]);
  });

  test('two runs create the same folders at the same moment', async () => {
    const server = await ownServer();
    const requests = await Promise.all(['a.zip', 'b.zip', 'c.zip'].map((name) => localFile(1_000, name)));
    const remote = await connectTo(server.url);
    await Promise.all(
      requests.map((request) => uploadFile(remote, { ...request, folder: 'x/y/z' }, { policy: SWIFT })),
    );
    expect((await filesIn(server.directory)).sort()).toEqual(['a.zip', 'b.zip', 'c.zip']);
  });
});

describe('refusals, each in a sentence a scientist can act on', () => {
  test.each([
    [401, 'app password'],
    [403, 'permission to create, change and delete'],
    [404, 'does not exist'],
    [409, 'the folder above it does not exist'],
    [413, 'upload limit'],
    [423, 'locked'],
    [429, 'too many requests'],
    [500, 'it has a fault'],
    [503, 'maintenance'],
    [504, 'proxy'],
    [507, 'quota'],
  ])('PUT answered with %i', async (status, words) => {
    const server = await ownServer({
      hook: on('PUT', () => ({
        status,
        body: `<d:error xmlns:d="DAV:" xmlns:s="x"><s:message>no, ${PASSWORD} ${BASIC}</s:message></d:error>`,
      })).hook,
    });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT }));
    expect(error.message).toContain(words);
    expect(error.message).toContain(`status ${status}`);
    expect(error.message).toContain(new URL(server.url).host);
    expect(error.message).toContain('It says: “no, *** ***”');
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(PASSWORD);
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('a large file that is refused before it was read gives the refusal, not a broken connection', async () => {
    const server = await ownServer({ hook: on('PUT', () => ({ status: 507, headers: { connection: 'close' } })).hook });
    const error = await errorOf(
      uploadFile(await connectTo(server.url), await localFile(20_000_000), { policy: SWIFT }),
    );
    expect(error.message).toContain('quota');
  });

  test('a name that is taken stops before anything is sent', async () => {
    const put = on('PUT', () => undefined);
    const server = await ownServer({ hook: put.hook });
    const remote = await connectTo(server.url);
    const request = { ...(await localFile(1_000)), folder: '' };
    await writeFile(join(server.directory, request.name), 'somebody else’s');
    const error = await errorOf(uploadFile(remote, request, { policy: SWIFT }));
    expect(error.message).toContain('there is already something named');
    expect(put.count()).toBe(0);
    expect(await readFile(join(server.directory, request.name), 'utf8')).toBe('somebody else’s');
  });

  test('a name that is taken during the upload is not overwritten', async () => {
    const request = { ...(await localFile(1_000)), folder: '' };
    const server = await ownServer({
      hook: on('PUT', async (_, __, proceed) => {
        await writeFile(join(server.directory, request.name), 'somebody else’s');
        return proceed();
      }).hook,
    });
    const error = await errorOf(uploadFile(await connectTo(server.url), request, { policy: SWIFT }));
    expect(error.message).toContain('there is already something named');
    expect(await filesIn(server.directory)).toEqual([request.name]);
    expect(await readFile(join(server.directory, request.name), 'utf8')).toBe('somebody else’s');
  });

  test.each(['data', 'data/below', 'data/far/below'])('a file in the place of the folder %s', async (folder) => {
    const server = await ownServer();
    await writeFile(join(server.directory, 'data'), 'a file');
    const request = { ...(await localFile(10)), folder };
    const error = await errorOf(uploadFile(await connectTo(server.url), request, { policy: SWIFT }));
    expect(error.message).toContain('a folder “/data” is needed');
    expect(error.message).toContain('a file has that name');
    // Not every action has the same input for its folder.
    expect(error.message).not.toContain('owncloud-folder');
  });

  test('a folder that may not be created', async () => {
    const server = await ownServer({ hook: on('MKCOL', () => ({ status: 403 })).hook });
    const error = await errorOf(uploadFile(await connectTo(server.url), await localFile(10), { policy: SWIFT }));
    expect(error.message).toContain('did not create the folder “/data sets/” (status 403)');
  });

  test('a folder whose creation is refused although it exists is used', async () => {
    let looks = 0;
    const hook: Hook = ({ method, path }) => {
      if (method === 'MKCOL') return { status: 403 };
      return method === 'PROPFIND' && path.endsWith('/data sets/') && ++looks === 1 ? { status: 404 } : undefined;
    };
    const server = await ownServer({ hook });
    await mkdir(join(server.directory, 'data sets'));
    await uploadFile(await connectTo(server.url), await localFile(10), { policy: SWIFT });
    expect(await filesIn(server.directory)).toHaveLength(1);
  });

  test.each(['a/../../b', 'a\\b', 'a\nb', './a'])('the folder %j is refused by name', async (folder) => {
    const server = await ownServer();
    const request = { ...(await localFile(10)), folder };
    const error = await errorOf(uploadFile(await connectTo(server.url), request, { policy: SWIFT }));
    expect(error.message).toContain('owncloud-folder');
  });
});

describe('time-outs', () => {
  test('a server that stops taking the file', async () => {
    const server = await ownServer({ hook: on('PUT', () => new Promise(() => {})).hook });
    const error = await errorOf(
      uploadFile(await connectTo(server.url), await localFile(30_000_000), {
        policy: { ...SWIFT, tries: 1 },
        stallTimeoutMs: 300,
      }),
    );
    expect(error.message).toContain('took nothing of the file');
  });

  test('a server that takes the file and never answers', async () => {
    const server = await ownServer({
      hook: on('PUT', async (_, __, proceed) => {
        await proceed();
        return new Promise(() => {});
      }).hook,
    });
    const remote = await connectTo(server.url, {}, { answerTimeoutMs: 1_000 });
    // The file is there, so the lost answer does no harm.
    expect((await uploadFile(remote, await localFile(1_000), { policy: SWIFT })).verified).toBe('checksum');
  });
});

describe('a cancelled run', () => {
  test('deletes the temporary file, although its signal is aborted, and says that it was cancelled', async () => {
    const controller = new AbortController();
    const server = await ownServer({
      hook: on('MOVE', () => {
        controller.abort();
        return new Promise(() => {});
      }).hook,
    });
    const error = await errorOf(
      uploadFile(await connectTo(server.url), await localFile(1_000), { policy: SWIFT, signal: controller.signal }),
    );
    expect(error).toMatchObject({ code: 'CANCELLED' });
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('in the middle of sending leaves nothing either', async () => {
    const controller = new AbortController();
    const server = await ownServer();
    const error = await errorOf(
      uploadFile(await connectTo(server.url), await localFile(30_000_000), {
        policy: SWIFT,
        signal: controller.signal,
        onProgress: (bytes) => bytes > 5_000_000 && controller.abort(),
      }),
    );
    expect(error).toMatchObject({ code: 'CANCELLED' });
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('waits for a locked temporary file, and names it when it can’t be deleted', async () => {
    const warnings: string[] = [];
    const locked = on('DELETE', (count) => (count === 1 ? { status: 423 } : undefined));
    let hook = locked.hook;
    const server = await ownServer({
      hook: (request, proceed) => (request.method === 'MOVE' ? { status: 403 } : hook(request, proceed)),
    });
    const remote = await connectTo(server.url);
    const options = { policy: SWIFT, onWarning: (message: string) => warnings.push(message) };
    await errorOf(uploadFile(remote, await localFile(1_000), options));
    expect(locked.count()).toBe(2);
    expect(await filesIn(server.directory)).toEqual([]);
    expect(warnings).toEqual([]);

    hook = on('DELETE', () => ({ status: 403 })).hook;
    await errorOf(uploadFile(remote, await localFile(1_000), options));
    expect(warnings.join()).toMatch(/The temporary file “.*uploading-.*” may still be at/);
  });
});

describe('a local file', () => {
  test('that vanished, shrank or grew is an error before anything is sent', async () => {
    const put = on('PUT', () => undefined);
    const remote = await connectTo((await ownServer({ hook: put.hook })).url);
    const request = await localFile(1_000);
    const { localPath } = request;
    for (const change of [() => truncate(localPath, 999), () => truncate(localPath, 1001), () => unlink(localPath)]) {
      await change();
      expect(await errorOf(uploadFile(remote, request, { policy: SWIFT }))).toMatchObject({ code: 'DISK' });
    }
    expect(put.count()).toBe(0);
  });

  test('that changes during the upload is an error, and nothing of it is stored', async () => {
    const request = await localFile(10_000_000);
    const put = on('PUT', async (_, __, proceed) => {
      const answer = proceed();
      await truncate(request.localPath, 8_000_000);
      return answer;
    });
    const server = await ownServer({ hook: put.hook });
    const error = await errorOf(uploadFile(await connectTo(server.url), request, { policy: SWIFT }));
    expect(error).toMatchObject({ code: 'DISK' });
    expect(error.message).toContain(request.localPath);
    expect(put.count()).toBe(1);
    expect(await filesIn(server.directory)).toEqual([]);
  });

  test('with other bytes than its checksum says never gets its name', async () => {
    const server = await ownServer();
    const request = { ...(await localFile(1_000)), uploadSum: 'a'.repeat(40) };
    expect(await errorOf(uploadFile(await connectTo(server.url), request, { policy: SWIFT }))).toMatchObject({
      code: 'DISK',
    });
    expect(await filesIn(server.directory)).toEqual([]);
  });
});
