import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Answer, Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { openRemote } from '../../src/owncloud/read-file.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

const DATA = Buffer.from('0123456789abcdef');

async function opened(hook?: Hook) {
  const server = await ownServer(hook ? { hook } : {});
  await writeFile(join(server.directory, 'a.zip'), DATA);
  const remote = await connectTo(server.url);
  return { open: (path: string) => openRemote(remote, path, { policy: SWIFT }) };
}

describe('a file that is read in pieces', () => {
  test('gives any of them, and fewer bytes only at its end', async () => {
    const { open } = await opened();
    const file = await open('/a.zip');
    expect(file?.length).toBe(16);
    for (const [position, length] of [
      [0, 4],
      [5, 100],
      [15, 1],
      [16, 3],
    ] as const) {
      expect(await file?.read(position, length)).toEqual(DATA.subarray(position, position + length));
    }
  });

  test('is not there', async () => {
    expect(await (await opened()).open('/b.zip')).toBeUndefined();
  });

  test.each<[string, Answer]>([
    ['sends all of it', { status: 200, body: String(DATA) }],
    ['sends another part', { status: 206, headers: { 'content-range': 'bytes 1-4/16' }, body: '1234' }],
    ['has another file by now', { status: 206, headers: { 'content-range': 'bytes 0-3/99' }, body: '0123' }],
  ])('on a server that %s is an error', async (_, answer) => {
    const { open } = await opened(({ method, path }) =>
      method === 'GET' && path.endsWith('.zip') ? answer : undefined,
    );
    const file = await open('/a.zip');
    const read = file?.read(0, 4) ?? Promise.resolve();
    expect((await errorOf(read)).message).toMatch(/does not send a part of “\/a\.zip”/);
  });
});
