import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { copyFolder } from '../../src/owncloud/copy-folder.ts';
import { listFolder } from '../../src/owncloud/list-folder.ts';
import { moveFolder } from '../../src/owncloud/move-folder.ts';
import { digestRemote, readText } from '../../src/owncloud/read-file.ts';
import { removeFolder } from '../../src/owncloud/remove-folder.ts';
import { replaceFolder } from '../../src/owncloud/replace-folder.ts';
import { verifyFolder } from '../../src/owncloud/verify-folder.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

const options = { policy: SWIFT };
const digest = (algorithm: string, data: string) => createHash(algorithm).update(data).digest('hex');

/** A server with a folder `a b` of two files and a folder in it. */
async function setUp(hook?: Hook) {
  const server = await ownServer(hook ? { hook } : {});
  await mkdir(join(server.directory, 'a b', 'inner'), { recursive: true });
  await writeFile(join(server.directory, 'a b', 'one.txt'), 'one');
  await writeFile(join(server.directory, 'a b', 'zwei äöü & #.txt'), 'zwei');
  return { directory: server.directory, remote: await connectTo(server.url) };
}

/** Takes the checksums out of every answer, as servers other than ownCloud's have none. */
const withoutSums: Hook = async ({ method }, proceed) => {
  if (method !== 'PROPFIND') return undefined;
  const { body = '', ...answer } = await proceed();
  const xml = typeof body === 'string' ? body : await text(body);
  return { ...answer, body: xml.replaceAll(/<oc:checksums>.*?<\/oc:checksums>/g, '') };
};

async function* breaksOff() {
  yield 'on';
  throw new Error('The server is gone');
}

const expected = (name: string, content: string) => ({
  name,
  sha256: digest('sha256', content),
  stored: { bytes: content.length, uploadSum: digest('sha1', content) },
});

test('a folder is listed with what the server knows of each member', async () => {
  const { remote } = await setUp();
  const entries = await listFolder(remote, 'a b', options);
  expect(entries?.map(({ name, type, size }) => [name, type, size]).sort()).toEqual([
    ['inner', 'directory', undefined],
    ['one.txt', 'file', 3],
    ['zwei äöü & #.txt', 'file', 4],
  ]);
  const one = entries?.find(({ name }) => name === 'one.txt');
  expect(one).toMatchObject({ uploadSum: digest('sha1', 'one'), modified: expect.any(Date) });
  expect(await listFolder(remote, 'none', options)).toBeUndefined();
});

test('a text that is not there is nothing; one that breaks off in the middle is tried again', async () => {
  let broken = 0;
  const { remote } = await setUp(({ method, path }) => {
    if (method !== 'GET' || !path.endsWith('one.txt') || broken++ > 0) return undefined;
    return { status: 200, headers: { 'content-length': '10' }, body: Readable.from(breaksOff()) };
  });
  expect(await readText(remote, '/a b/none', options)).toBeUndefined();
  expect(await readText(remote, '/a b/one.txt', options)).toBe('one');
  expect(await digestRemote(remote, '/a b/one.txt', options)).toEqual({ bytes: 3, sha256: digest('sha256', 'one') });
});

test('renaming never overwrites, and says so', async () => {
  const { remote, directory } = await setUp();
  await mkdir(join(directory, 'taken'));
  const { message } = await errorOf(moveFolder(remote, 'a b', 'taken', options));
  expect(message).toContain('“a b” at 127.0.0.1');
  expect(message).toContain('could not be renamed to “taken”');
  await moveFolder(remote, 'a b', 'free', options);
  expect((await readdir(directory)).sort()).toEqual(['free', 'taken']);
});

test('a copy whose answer got lost is found whole, and one that was cut short is made again under another name', async () => {
  let copies = 0;
  const { remote, directory } = await setUp(async ({ method }, proceed) => {
    if (method !== 'COPY') return undefined;
    copies++;
    if (copies === 1) await mkdir(join(directory, 'copy 1'));
    else if (copies === 2) await proceed();
    return copies > 2 ? undefined : 'hang up';
  });
  let number = 0;
  const name = () => `copy ${++number}`;
  expect(await copyFolder(remote, 'a b', name, options)).toBe('copy 2');
  expect((await readdir(directory)).sort()).toEqual(['a b', 'copy 2']);
  expect(await readFile(join(directory, 'copy 2', 'one.txt'), 'utf8')).toBe('one');
});

test('deleting a folder that is not there is fine', async () => {
  const { remote, directory } = await setUp();
  for (let times = 0; times < 2; times++) await removeFolder(remote, 'a b', options);
  expect(await readdir(directory)).toEqual([]);
});

test('a folder is compared by the server’s sums, without reading its files', async () => {
  const reads: string[] = [];
  const { remote, directory } = await setUp(({ method, path }) => {
    if (method === 'GET' && path.includes('a b')) reads.push(path);
    return undefined;
  });
  await verifyFolder(remote, 'a b', [expected('one.txt', 'one')], options);
  await writeFile(join(directory, 'a b', 'one.txt'), 'oNe');
  const { message } = await errorOf(
    verifyFolder(remote, 'a b', [expected('one.txt', 'one'), expected('two.txt', 'two')], options),
  );
  expect(message).toContain('one.txt: its checksum differs; two.txt is missing');
  expect(reads).toEqual([]);
});

test('where the server has no sums, a file of the right size and wrong content is found by reading it', async () => {
  const { remote, directory } = await setUp(withoutSums);
  await verifyFolder(remote, 'a b', [expected('one.txt', 'one')], options);
  await writeFile(join(directory, 'a b', 'one.txt'), 'oNe');
  const { message } = await errorOf(verifyFolder(remote, 'a b', [expected('one.txt', 'one')], options));
  expect(message).toContain(`one.txt has the SHA-256 ${digest('sha256', 'oNe')}`);
});

test('a cancelled run does not begin to replace a folder, and ends what it has begun', async () => {
  const cancel = new AbortController();
  let armed = false;
  const { remote, directory } = await setUp(({ method }) => {
    if (armed && method === 'MOVE') cancel.abort();
    return undefined;
  });
  for (const name of ['current', 'next']) {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'name'), name);
  }
  const names = { folder: 'current', next: 'next', previous: 'previous' };
  const aborted = { ...options, signal: AbortSignal.abort() };
  expect((await errorOf(replaceFolder(remote, names, aborted))).message).toBe('The run was cancelled.');
  expect((await readdir(directory)).sort()).toEqual(['a b', 'current', 'next']);
  armed = true;
  expect(await replaceFolder(remote, names, { ...options, signal: cancel.signal })).toBe(true);
  expect(await readFile(join(directory, 'current', 'name'), 'utf8')).toBe('next');
  expect(await readFile(join(directory, 'previous', 'name'), 'utf8')).toBe('current');
});
