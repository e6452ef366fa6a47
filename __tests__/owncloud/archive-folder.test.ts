import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { listArchives } from '../../src/owncloud/archive-folder.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

const archive = (year: number, prefix = 'diatom_set') => `${prefix}-${year}-01-02-03-04-05.zip`;
const WHERE = { folder: 'data/sets', prefix: 'diatom_set' };

async function folderWith(names: readonly string[], hook?: Hook) {
  const server = await ownServer(hook ? { hook } : {});
  const folder = join(server.directory, 'data', 'sets');
  await mkdir(folder, { recursive: true });
  for (const name of names) await writeFile(join(folder, name), name);
  return connectTo(server.url);
}

test('lists archives of the prefix, the newest first, each with what lies beside it', async () => {
  const remote = await folderWith([
    archive(2024),
    archive(2026),
    `${archive(2024)}.sides.csv`,
    `${archive(2024)}.run.json`,
    `${archive(2025)}.sides.csv`,
    archive(2027, 'other'),
    `${archive(2026)}.uploading-12ab34cd`,
    'notes.txt',
  ]);
  const { archives, missing } = await listArchives(remote, WHERE, { policy: SWIFT });
  expect(archives.map(({ name, path, bytes, sides, run }) => [name, path, bytes, sides?.name, run?.name])).toEqual([
    [archive(2026), `/data/sets/${archive(2026)}`, 34, undefined, undefined],
    [archive(2024), `/data/sets/${archive(2024)}`, 34, `${archive(2024)}.sides.csv`, `${archive(2024)}.run.json`],
  ]);
  expect(missing).toEqual([archive(2025)]);
});

describe('a folder that does not exist', () => {
  test.each(['new', 'data/new', 'new/er/est'])('%s has no archives', async (folder) => {
    const remote = await folderWith([]);
    expect(await listArchives(remote, { ...WHERE, folder }, { policy: SWIFT })).toEqual({
      archives: [],
      missing: [],
      deleted: [],
    });
  });

  test('is no certainty when the one above can’t be listed either', async () => {
    const remote = await folderWith([], ({ headers }) => (headers['depth'] === '1' ? { status: 404 } : undefined));
    const { message } = await errorOf(listArchives(remote, WHERE, { policy: SWIFT }));
    expect(message).toMatch(/neither the folder “data\/sets” nor one above it can be listed/);
  });
});

test.each([403, 503, 'hang up'] as const)('a folder that the server does not list (%s) is an error', async (fault) => {
  const remote = await folderWith([archive(2024)], ({ headers }) =>
    headers['depth'] !== '1' ? undefined : fault === 'hang up' ? fault : { status: fault },
  );
  expect((await errorOf(listArchives(remote, WHERE, { policy: SWIFT }))).message).not.toBe('');
});
