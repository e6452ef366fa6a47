import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { markOf, removeLeftovers } from '../../src/owncloud/leftovers.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { connectTo, localFile, ownServer, SWIFT } from '../helpers/owncloud.ts';

const MARK = markOf('o/diatoms.of_lakes', '17');
const OLD = new Date('2026-11-27T11:00:00Z');
const YOUNG = new Date('2026-11-27T13:00:00Z');
const NOW = new Date('2026-11-28T12:00:00Z');
const PIECES = '0123456789abcdef'.repeat(2);

test('names of unfinished uploads hold repository and run, where they have room for it', async () => {
  expect(MARK).toBe('o-diatoms.of-lakes-17');
  expect(markOf(undefined, '17')).toBeUndefined();
  const puts: string[] = [];
  const server = await ownServer({
    hook: ({ method, path }) => {
      if (method === 'PUT') puts.push(decodeURIComponent(path).split('/').at(-1) ?? '');
      return undefined;
    },
  });
  const remote = await connectTo(server.url, {}, { mark: MARK });
  await uploadFile(remote, await localFile(10, 'a.zip'), { policy: SWIFT });
  const long = `${'a'.repeat(220)}.zip`;
  await uploadFile(remote, await localFile(10, long), { policy: SWIFT });
  expect(puts[0]).toMatch(/^a\.zip\.uploading-o-diatoms\.of-lakes-17-[0-9a-f]{8}$/);
  expect(puts[1]).toMatch(/^a{220}\.zip\.uploading-[0-9a-f]{8}$/);
});

test('what killed runs of the repository left is deleted after a day, and nothing else', async () => {
  const server = await ownServer();
  const [folder, uploads] = [join(server.directory, 'sets'), join(server.directory, '.uploads.part')];
  const files = [
    [`a.zip.uploading-${MARK}-0123abcd`, OLD],
    [`b.zip.uploading-${MARK}-0123abcd`, YOUNG],
    [`c.zip.uploading-${markOf('other/repository', '17')}-0123abcd`, OLD],
    ['d.zip.uploading-0123abcd', OLD],
    ['e.zip', OLD],
    [`diatom-actions-write-check-${MARK}-0123abcd.txt`, OLD],
    ['diatom-actions-write-check-0123abcd.txt', OLD],
  ] as const;
  const folders = [
    [`diatom-actions-${MARK}-${PIECES}`, OLD],
    [`diatom-actions-${markOf('o/diatoms.of_lakes', '18')}-${PIECES}`, YOUNG],
    [`diatom-actions-${markOf('o/diatoms', '17')}-${PIECES}`, OLD],
    [`web-file-upload-${PIECES}`, OLD],
  ] as const;
  await mkdir(folder);
  for (const [name, time] of files) {
    await writeFile(join(folder, name), 'half');
    await utimes(join(folder, name), time, time);
  }
  for (const [name, time] of folders) {
    await mkdir(join(uploads, name), { recursive: true });
    await writeFile(join(uploads, name, '00001'), 'piece');
    await utimes(join(uploads, name), time, time);
  }
  const remote = await connectTo(server.url);
  const options = { policy: SWIFT };
  const removed = await removeLeftovers(
    remote,
    { folders: ['sets'], repository: 'o/diatoms.of_lakes', now: NOW },
    options,
  );
  const trial = `diatom-actions-write-check-${MARK}-0123abcd.txt`;
  expect(removed).toEqual([files[0][0], trial, folders[0][0]]);
  const left = files.slice(1).flatMap(([name]) => (name === trial ? [] : [name]));
  expect((await readdir(folder)).toSorted()).toEqual(left.toSorted());
  expect((await readdir(uploads)).toSorted()).toEqual(
    folders
      .slice(1)
      .map(([name]) => name)
      .toSorted(),
  );
  expect(await removeLeftovers(remote, { folders: ['sets'], repository: undefined, now: NOW }, options)).toEqual([]);
});

test('a server that does not list them, or a folder that is not there, is no failure', async () => {
  const server = await ownServer({
    hook: ({ method, path }) => (method === 'PROPFIND' && path.includes('sets') ? { status: 403 } : undefined),
  });
  const remote = await connectTo(server.url);
  const warnings: string[] = [];
  const options = { policy: SWIFT, onWarning: (text: string) => void warnings.push(text) };
  const place = { repository: 'o/r', now: NOW };
  expect(await removeLeftovers(remote, { ...place, folders: ['sets'] }, options)).toEqual([]);
  expect(warnings.join()).toContain('was not looked for');
  expect(await removeLeftovers(remote, { ...place, folders: ['nowhere'] }, options)).toEqual([]);
});
