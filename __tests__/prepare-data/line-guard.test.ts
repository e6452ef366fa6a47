import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestFile } from '../../src/files/digest-file.ts';
import { listArchives } from '../../src/owncloud/archive-folder.ts';
import { createLineGuard } from '../../src/prepare-data/line-guard.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { connectTo, errorOf, ownServer, SWIFT, temporaryFolder } from '../helpers/owncloud.ts';

const archive = (year: number) => `set-${year}-01-02-03-04-05.zip`;
const OWN = archive(2026);

/** @param onWaiting called when the guard waits for another run */
async function guardedFolder(before: readonly string[] = [], onWaiting: () => void = () => {}) {
  const server = await ownServer();
  const there = (name: string) => join(server.directory, name);
  for (const name of before) await writeFile(there(name), name);
  const remote = await connectTo(server.url);
  const where = { folder: '', prefix: 'set' };
  const waited: string[] = [];
  const guard = createLineGuard(
    { remote, ...where, name: OWN, before: await listArchives(remote, where, { policy: SWIFT }) },
    {
      policy: SWIFT,
      patience: { patienceMs: 500, pauseMs: 10 },
      onWaiting: (message) => {
        waited.push(message);
        onWaiting();
      },
    },
  );
  const path = join(await temporaryFolder(), 'sides.csv');
  await writeFile(path, 'the sides');
  guard.ready({ path, ...(await digestFile(path, undefined)) });
  return { guard, there, waited, files: () => filesBelow(server.directory) };
}

test('the sides are there before the archive, and go when it does not come', async () => {
  const { guard, files } = await guardedFolder([archive(2024), `${archive(2025)}.sides.csv`]);
  await guard.beforeNamed();
  expect(files()).toContain(`${OWN}.sides.csv`);
  await guard.withdraw();
  expect(files()).toEqual([archive(2024), `${archive(2025)}.sides.csv`]);
});

test('the sides stay when their archive is there after all', async () => {
  const { guard, there, files } = await guardedFolder();
  await guard.beforeNamed();
  await writeFile(there(OWN), 'came late');
  await guard.withdraw();
  expect(files()).toEqual([OWN, `${OWN}.sides.csv`]);
});

test.each([archive(2025), archive(2027)])('an archive that has come meanwhile (%s) ends the run', async (name) => {
  const { guard, there } = await guardedFolder([archive(2024)]);
  await writeFile(there(name), 'x');
  expect((await errorOf(guard.beforeNamed())).message).toContain(`has stored “${name}”`);
});

test('of two runs at the same point, the one with the later name ends at once', async () => {
  const { guard, there, waited } = await guardedFolder();
  await writeFile(there(`${archive(2025)}.sides.csv`), 'x');
  expect((await errorOf(guard.beforeNamed())).message).toContain(archive(2025));
  expect(waited).toEqual([]);
});

test('the one with the earlier name waits for the other, and goes on when that gives up', async () => {
  const name = `${archive(2027)}.sides.csv`;
  const { guard, there, waited } = await guardedFolder([], () => rmSync(there(name)));
  await writeFile(there(name), 'x');
  await guard.beforeNamed();
  expect(waited).toHaveLength(1);
});

test('and ends when the other has come first, or does not come to an end', async () => {
  const first = await guardedFolder();
  await writeFile(first.there(`${archive(2027)}.sides.csv`), 'x');
  setTimeout(() => void writeFile(first.there(archive(2027)), 'x'), 50);
  expect((await errorOf(first.guard.beforeNamed())).message).toContain('Start again');
  const second = await guardedFolder();
  await writeFile(second.there(`${archive(2027)}.sides.csv`), 'x');
  expect((await errorOf(second.guard.beforeNamed())).message).toContain('Start again');
});

test('the sides of another run under the same name are never touched', async () => {
  const { guard, there, files } = await guardedFolder();
  await writeFile(there(`${OWN}.sides.csv`), 'of another');
  expect((await errorOf(guard.beforeNamed())).message).toContain('already something named');
  await guard.withdraw();
  expect(files()).toEqual([`${OWN}.sides.csv`]);
});
