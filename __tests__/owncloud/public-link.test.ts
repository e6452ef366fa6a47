import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook, SeenRequest } from '../../scripts/stand-ins/owncloud-server.ts';
import { checkWriteAccess } from '../../src/owncloud/check-access.ts';
import { requireUsableFolder } from '../../src/owncloud/ensure-folder.ts';
import { removeOldArchives } from '../../src/owncloud/keep-last.ts';
import { linkEndpoints } from '../../src/owncloud/public-link.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { connectTo, errorOf, localFile, ownServer, SWIFT } from '../helpers/owncloud.ts';

const NOBODY = { username: '', password: '' };

/** A server with one link, which nothing but the link may reach. */
async function linkServer(permissions: number, password?: string, hook?: Hook) {
  const link = { token: 'aB3xY', permissions, ...(password === undefined ? {} : { password }) };
  const server = await ownServer({ basePath: '/cloud', publicLinks: [link], ...(hook ? { hook } : {}) });
  return { ...server, link: `${server.url}/s/aB3xY` };
}

describe('a public link', () => {
  test('that allows everything is used like a folder', async () => {
    const server = await linkServer(15);
    const remote = await connectTo(server.link, NOBODY);
    expect(remote.kind).toBe('public-link');
    expect(remote.folderPage('data sets')).toBe(server.link);
    const request = await localFile(2_000);
    expect((await uploadFile(remote, request, { policy: SWIFT })).verified).toBe('checksum');
    expect(await readdir(join(server.directory, request.folder))).toEqual([request.name]);
  });

  test.each(['?path=%2Fx%20y', '?dir=/x%20y', '/x%20y'])('with a folder in it (%s) is that folder', async (folder) => {
    const server = await linkServer(15);
    await mkdir(join(server.directory, 'x y'));
    const remote = await connectTo(server.link + folder, NOBODY);
    await uploadFile(remote, await localFile(2_000), { policy: SWIFT });
    expect(await readdir(join(server.directory, 'x y', 'data sets'))).toHaveLength(1);
    const error = await errorOf(connectTo(`${server.link}?path=/z`, NOBODY));
    expect(error.message).toContain('names the folder “z”, which does not exist');
  });

  test('with a password needs that one, and no user name', async () => {
    const server = await linkServer(15, 'link password');
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const settings = { username: 'ada', password: 'link password' };
    expect((await connectTo(server.link, settings, { onWarning })).access).toBe('full');
    expect(warnings.join()).toContain('owncloud-username is not used');
    const error = await errorOf(connectTo(server.link, { username: '', password: 'wrong' }));
    expect(error.message).toContain('the link’s password is missing or wrong');
  });

  test('for viewing only is refused', async () => {
    const error = await errorOf(connectTo((await linkServer(1)).link, NOBODY));
    expect(error.message).toContain('does not allow uploads');
  });

  test('that was withdrawn', async () => {
    const server = await linkServer(15, undefined, ({ method }) =>
      method === 'PROPFIND' ? { status: 404 } : undefined,
    );
    expect((await errorOf(connectTo(server.link, NOBODY))).message).toContain('does not exist (any more)');
  });

  test('for viewing and adding: straight to the final name, compared, never over another file', async () => {
    const server = await linkServer(5);
    const remote = await connectTo(server.link, NOBODY);
    expect(remote.access).toBe('add-only');
    const request = { ...(await localFile(2_000)), folder: '' };
    expect((await uploadFile(remote, request, { policy: SWIFT })).verified).toBe('checksum');
    expect(await readdir(server.directory)).toEqual([request.name]);
    const error = await errorOf(uploadFile(remote, request, { policy: SWIFT }));
    expect(error.message).toContain('there is already something named');
  });

  test.each([
    ['nextcloud', ['/c/public.php/dav/files/T/', '/c/public.php/webdav/']],
    ['owncloud', ['/c/remote.php/dav/public-files/T/', '/c/public.php/webdav/']],
    ['infinite-scale', ['/c/remote.php/dav/public-files/T/']],
  ] as const)('%s offers it by its own addresses', (product, paths) => {
    const endpoints = linkEndpoints(product, new URL('https://example.org/c/'), 'T');
    expect(endpoints.map(({ root }) => root.pathname)).toEqual(paths);
  });
});

describe('an upload-only link', () => {
  test('gets the file under its final name with a checksum, not verified, and nothing else is asked of it', async () => {
    const seen: SeenRequest[] = [];
    const server = await linkServer(4, undefined, (request) => void seen.push(request));
    const remote = await connectTo(server.link, NOBODY);
    expect(remote.description).toContain('upload-only public link of ownCloud 10.15.0');
    seen.length = 0;
    const request = { ...(await localFile(2_000)), folder: '/' };
    const done = await uploadFile(remote, request, { policy: SWIFT });
    expect(done.verified).toBe('no');
    expect(seen.map(({ method }) => method)).toEqual(['PUT']);
    expect(seen[0]?.headers['oc-checksum']).toBe(`SHA1:${request.uploadSum}`);
    expect(seen[0]?.headers['x-requested-with']).toBe('XMLHttpRequest');
    expect((await readFile(join(server.directory, request.name))).equals(await readFile(request.localPath))).toBe(true);
  });

  test('takes no folder, and that is found without asking the server', async () => {
    const seen: SeenRequest[] = [];
    const server = await linkServer(4, undefined, (request) => void seen.push(request));
    const remote = await connectTo(server.link, NOBODY);
    seen.length = 0;
    expect(() => requireUsableFolder(remote, 'diatoms')).toThrow('owncloud-folder is “diatoms”');
    await expect(checkWriteAccess(remote, 'diatoms', {})).rejects.toThrow('leave owncloud-folder empty');
    expect(() => requireUsableFolder(remote, '/')).not.toThrow();
    expect(seen).toEqual([]);
  });

  test('of a Nextcloud, which lets it do nothing but PUT', async () => {
    const paths: string[] = [];
    const server = await linkServer(4, undefined, async ({ method, path }) => {
      if (path.endsWith('status.php'))
        return { status: 200, body: '{"maintenance":false,"versionstring":"30","productname":"Nextcloud"}' };
      paths.push(`${method} ${path}`);
      return { status: method === 'PUT' ? 201 : 405 };
    });
    const remote = await connectTo(server.link, NOBODY);
    const request = { ...(await localFile(100)), folder: '' };
    expect((await uploadFile(remote, request, { policy: SWIFT })).verified).toBe('no');
    expect(paths).toEqual([
      'PROPFIND /cloud/public.php/dav/files/aB3xY/',
      `PUT /cloud/public.php/dav/files/aB3xY/${request.name}`,
    ]);
  });

  test('an upload whose answer got lost is repeated, with a warning that it may be there twice', async () => {
    let puts = 0;
    const server = await linkServer(4, undefined, async ({ method }, proceed) => {
      if (method !== 'PUT' || ++puts > 1) return undefined;
      await proceed();
      return 'hang up';
    });
    const warnings: string[] = [];
    const remote = await connectTo(server.link, NOBODY);
    const request = { ...(await localFile(100)), folder: '' };
    await uploadFile(remote, request, { policy: SWIFT, onWarning: (message) => warnings.push(message) });
    expect(warnings.join()).toContain('may be there twice');
    expect((await readdir(server.directory)).length).toBe(2);
  });

  test('takes no folder', async () => {
    const remote = await connectTo((await linkServer(4)).link, NOBODY);
    const error = await errorOf(uploadFile(remote, await localFile(100), { policy: SWIFT }));
    expect(error.message).toContain('leave owncloud-folder empty');
  });

  test('keeps older archives and is not tried out, each with a warning', async () => {
    const server = await linkServer(4);
    const remote = await connectTo(server.link, NOBODY);
    await writeFile(join(server.directory, 'p-2020-01-01-00-00-00.zip'), '');
    const warnings: string[] = [];
    const options = { policy: SWIFT, onWarning: (message: string) => warnings.push(message) };
    const current = 'p-2026-01-01-00-00-00.zip';
    expect(await removeOldArchives(remote, { folder: '', prefix: 'p', keepLast: 0, current }, options)).toEqual([]);
    await checkWriteAccess(remote, '', options);
    expect(warnings).toHaveLength(2);
    expect(await readdir(server.directory)).toEqual(['p-2020-01-01-00-00-00.zip']);
  });
});
