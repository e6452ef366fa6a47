import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { removeOldArchives } from '../../src/owncloud/keep-last.ts';
import { connectTo, errorOf, ownServer, SWIFT } from '../helpers/owncloud.ts';

const archive = (year: number, prefix = 'diatom_set') => `${prefix}-${year}-01-02-03-04-05.zip`;
const OTHERS = [
  'diatom_set-2020-01-02-03-04-05.zip.bak',
  'diatom_set-2020-01-02.zip',
  'diatom_set-old-2020-01-02-03-04-05.zip',
  'my-diatom_set-2020-01-02-03-04-05.zip',
  'diatom.set-2020-01-02-03-04-05.zip',
  'diatom_set-2017-01-02-03-04-05.ZIP',
  'notes.txt',
];

async function folderWith(names: string[], hook?: Hook) {
  const server = await ownServer(hook ? { hook } : {});
  const folder = join(server.directory, 'data sets');
  await mkdir(folder);
  for (const name of names) await writeFile(join(folder, name), 'x');
  return { folder, remote: await connectTo(server.url) };
}

test.each([
  [0, [2019, 2020, 2021, 2022]],
  [1, [2019, 2020, 2021]],
  [3, [2019]],
  [4, []],
  [99, []],
])(
  'with keep-last %i the archives of %j are deleted; current, later and foreign files stay',
  async (keepLast, years) => {
    const all = [...[2019, 2020, 2021, 2022, 2023, 2024].map((year) => archive(year)), ...OTHERS];
    const { folder, remote } = await folderWith(all);
    await mkdir(join(folder, archive(2018)));
    const which = { folder: '/data sets/', prefix: 'diatom_set', keepLast, current: archive(2023) };
    const removed = await removeOldArchives(remote, which, { policy: SWIFT });
    expect(removed).toEqual(years.map((year) => archive(year)));
    expect((await readdir(folder)).sort()).toEqual(
      [...all, archive(2018)].filter((name) => !removed.includes(name)).sort(),
    );
  },
);

test('a prefix is taken literally, whatever characters it has', async () => {
  const prefix = 'a.b (50%) #1+';
  const { folder, remote } = await folderWith([
    archive(2020, prefix),
    archive(2021, prefix),
    archive(2020, 'axb (50%) #1+'),
  ]);
  const which = { folder: 'data sets', prefix, keepLast: 0, current: archive(2021, prefix) };
  expect(await removeOldArchives(remote, which, { policy: SWIFT })).toEqual([archive(2020, prefix)]);
  expect(await readdir(folder)).toHaveLength(2);
});

test('a folder of thousands of files is listed in full', async () => {
  const names = Array.from({ length: 2_500 }, (_, index) => `x & y ${index}.txt`);
  const { remote } = await folderWith([...names, archive(2020)]);
  const which = { folder: 'data sets', prefix: 'diatom_set', keepLast: 0, current: archive(2021) };
  expect(await removeOldArchives(remote, which, { policy: SWIFT })).toEqual([archive(2020)]);
});

test('an archive that can’t be deleted is a warning, one that is gone already is nothing', async () => {
  const answers: Record<string, number> = { [archive(2019)]: 403, [archive(2020)]: 404 };
  const { remote } = await folderWith([archive(2019), archive(2020), archive(2021)], ({ method, path }) => {
    const status = method === 'DELETE' ? answers[path.split('/').at(-1) ?? ''] : undefined;
    return status === undefined ? undefined : { status };
  });
  const warnings: string[] = [];
  const which = { folder: 'data sets', prefix: 'diatom_set', keepLast: 0, current: archive(2023) };
  const options = { policy: SWIFT, onWarning: (message: string) => warnings.push(message) };
  expect(await removeOldArchives(remote, which, options)).toEqual([archive(2021)]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(archive(2019));
});

test('a folder that can’t be listed is an error', async () => {
  const { remote } = await folderWith([], ({ headers }) => (headers['depth'] === '1' ? { status: 403 } : undefined));
  const which = { folder: 'data sets', prefix: 'diatom_set', keepLast: 0, current: archive(2023) };
  expect((await errorOf(removeOldArchives(remote, which, { policy: SWIFT }))).message).toContain('403');
});

describe('the files beside archives', () => {
  const withBesides = (year: number) => ['', '.sides.csv', '.run.json'].map((ending) => archive(year) + ending);

  test('are deleted with them, and where their archive is gone and they are older than all that stay', async () => {
    const gone = withBesides(2018).slice(1);
    const unfinished = withBesides(2022).slice(1, 2);
    const { folder, remote } = await folderWith([
      ...gone,
      ...[2019, 2020, 2021, 2023].flatMap(withBesides),
      ...unfinished,
      `${archive(2017, 'other')}.sides.csv`,
    ]);
    const which = { folder: 'data sets', prefix: 'diatom_set', keepLast: 1, current: archive(2023) };
    expect(await removeOldArchives(remote, which, { policy: SWIFT })).toEqual([archive(2019), archive(2020)]);
    expect((await readdir(folder)).sort()).toEqual(
      [...[2021, 2023].flatMap(withBesides), ...unfinished, `${archive(2017, 'other')}.sides.csv`].sort(),
    );
  });

  test('stay with an archive that can’t be deleted', async () => {
    const { folder, remote } = await folderWith([2019, 2023].flatMap(withBesides), ({ method, path }) =>
      method === 'DELETE' && path.endsWith('.zip') ? { status: 403 } : undefined,
    );
    const which = { folder: 'data sets', prefix: 'diatom_set', keepLast: 0, current: archive(2023) };
    expect(await removeOldArchives(remote, which, { policy: SWIFT })).toEqual([]);
    expect((await readdir(folder)).sort()).toEqual([2019, 2023].flatMap(withBesides).sort());
  });
});
