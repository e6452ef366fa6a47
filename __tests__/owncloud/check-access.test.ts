import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { checkWriteAccess } from '../../src/owncloud/check-access.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { uploadGrowing } from '../../src/owncloud/upload-growing.ts';
import { completeFile } from '../helpers/growing-file.ts';
import { connectTo, errorOf, localFile, ownServer, SWIFT } from '../helpers/owncloud.ts';

test('creates the folder, tries every step with an unmistakable name and leaves nothing else', async () => {
  const seen: string[] = [];
  const server = await ownServer({ hook: ({ method, path }) => void seen.push(`${method} ${path.split('/').at(-1)}`) });
  await checkWriteAccess(await connectTo(server.url), 'new/folder', { policy: SWIFT });
  expect(await readdir(join(server.directory, 'new', 'folder'))).toEqual([]);
  for (const method of ['PUT', 'MOVE', 'DELETE']) {
    expect(seen.join('\n')).toMatch(new RegExp(`^${method} diatom-actions-write-check-[0-9a-f]{8}\\.txt`, 'm'));
  }
});

test.each([
  ['PUT', 507, 'quota'],
  ['MOVE', 403, 'rename'],
  ['DELETE', 403, 'delete'],
  ['MKCOL', 403, 'create the folder'],
])('%s refused with %i is the error of the check', async (refused, status, words) => {
  const server = await ownServer({ hook: ({ method }) => (method === refused ? { status } : undefined) });
  const error = await errorOf(checkWriteAccess(await connectTo(server.url), 'new', { policy: SWIFT }));
  expect(error.message).toContain(words);
});

describe('a folder that allows adding files, and neither renaming nor deleting them', () => {
  /** As ownCloud shows and treats a share with these permissions; whoever got it may drop it (D). */
  const addOnly: Hook = async ({ method, path }, proceed) => {
    if (/^(DELETE|MOVE)$/.test(method) && !path.includes('/uploads/')) return { status: 403 };
    if (method !== 'PROPFIND') return undefined;
    const answer = await proceed();
    return typeof answer.body === 'string' ? { ...answer, body: answer.body.replaceAll('RDNVCK', 'SDCK') } : answer;
  };

  test('is said by the check, which leaves nothing there', async () => {
    const server = await ownServer({ hook: addOnly });
    const warnings: string[] = [];
    const options = { policy: SWIFT, onWarning: (text: string) => void warnings.push(text) };
    expect(await checkWriteAccess(await connectTo(server.url), 'sets', options)).toBe('not tried');
    expect(warnings).toEqual([expect.stringMatching(/In “sets” this account may add files, and neither rename/)]);
    expect(await readdir(join(server.directory, 'sets'))).toEqual([]);
  });

  test('gets an upload under its name at once, compared', async () => {
    const server = await ownServer({ hook: addOnly });
    const request = await localFile(50_000, 'set.zip');
    const stored = await uploadFile(await connectTo(server.url), { ...request, folder: 'sets' }, { policy: SWIFT });
    expect(stored.verified).toBe('checksum');
    expect(await readdir(join(server.directory, 'sets'))).toEqual(['set.zip']);
  });

  test('gets one in pieces as any other does', async () => {
    const server = await ownServer({ hook: addOnly });
    const { source } = await completeFile(50_000);
    const options = { policy: SWIFT, sizes: { start: 10_000, min: 10_000, max: 20_000 } };
    await uploadGrowing(await connectTo(server.url), { source, folder: 'sets', name: 'set.zip' }, options);
    expect(await readdir(join(server.directory, 'sets'))).toEqual(['set.zip']);
  });
});
