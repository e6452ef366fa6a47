import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkWriteAccess } from '../../src/owncloud/check-access.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

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
