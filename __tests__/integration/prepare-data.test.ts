import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startFileServer } from '../../scripts/demo/file-server.ts';
import type { ListeningServer } from '../../scripts/demo/listen.ts';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { type TestData, testData } from '../helpers/test-data.ts';
import { contentsOf, requireUnpackers, UNPACKERS } from '../helpers/unpack.ts';
import { WEBDAV_SERVERS, type WebdavServer } from '../helpers/webdav-servers.ts';

const FOLDER = 'Data sets/plankton #1 äöü';

let data: TestData;
let zips: ListeningServer;
let workspace: string;

beforeAll(async () => {
  data = testData();
  requireUnpackers();
  zips = await startFileServer(data.directory);
  workspace = await mkdtemp(join(tmpdir(), 'workspace-'));
});

afterAll(async () => {
  await zips?.close();
  if (workspace) await rm(workspace, { recursive: true });
});

describe.each(Object.entries(WEBDAV_SERVERS))('with %s', (name, start) => {
  let server: WebdavServer;
  let own: string;
  let result: ActionResult;

  const prepare = (inputs: Readonly<Record<string, string>>) =>
    runAction({
      action: 'prepare-data',
      workspace: own,
      inputs: {
        'file-list': data.fileList(zips.url),
        seed: 'integration',
        'owncloud-url': server.url,
        'owncloud-username': server.username,
        'owncloud-password': server.password,
        'owncloud-folder': FOLDER,
        ...inputs,
      },
    });

  beforeAll(async () => {
    server = await start();
    own = join(workspace, name);
    await mkdir(own);
    result = await prepare({ 'keep-archive': 'true' });
  });

  afterAll(() => server?.close());

  test('the shipped bundle splits the images and ends green', () => {
    expect(result).toMatchObject({ exitCode: 0 });
    const { train, test: testCount, images } = data.counts;
    expect(train + testCount).toBe(images);
    expect(result.outputs).toMatchObject({ 'train-count': String(train), 'test-count': String(testCount) });
    expect(Object.keys(JSON.parse(result.outputs['classes'] ?? '')).sort()).toEqual(data.labels);
    expect(result.summary).toContain(`verified by ${server.verifies}`);
  });

  test('the archive, downloaded again, is the local one byte for byte, and the only file in the folder', async () => {
    const { 'archive-name': archive = '', 'archive-path': path = '', 'archive-url': url = '' } = result.outputs;
    const folderUrl = server.filesUrl + FOLDER.split('/').map(encodeURIComponent).join('/');
    expect(decodeURIComponent(url)).toBe(decodeURIComponent(`${folderUrl}/${archive}`));
    const login = Buffer.from(`${server.username}:${server.password}`).toString('base64');
    const response = await fetch(url, { headers: { authorization: `Basic ${login}` } });
    expect(response.status).toBe(200);
    const remote = Buffer.from(await response.arrayBuffer());
    expect(remote.equals(await readFile(path))).toBe(true);
    expect(String(remote.length)).toBe(result.outputs['archive-bytes']);
    expect(createHash('sha256').update(remote).digest('hex')).toBe(result.outputs['archive-sha256']);
    expect(await readdir(join(server.directory, FOLDER))).toEqual([archive]);
  });

  test('a preflight is green and leaves nothing behind', async () => {
    const before = await readdir(join(server.directory, FOLDER));
    const checked = await prepare({ check: 'true', 'data-dir': 'new' });
    expect(checked.stdout).not.toContain('FAILED');
    expect(checked.exitCode).toBe(0);
    expect(await readdir(join(server.directory, FOLDER))).toEqual(before);
    expect(await readdir(own)).not.toContain('new');
  });

  test('a wrong password ends red with advice, before anything is downloaded or stored', async () => {
    const refused = await prepare({ 'owncloud-password': 'not-the-password', 'data-dir': 'refused' });
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(/::error::.*the user name or the password is wrong: check owncloud-username/);
    expect(await readdir(own)).not.toContain('refused');
    expect(await readdir(join(server.directory, FOLDER))).toHaveLength(1);
  });

  test('the log holds neither the password nor an address of a zip, but in the masking of them', () => {
    const log = (result.stdout + result.stderr).replaceAll(/^::add-mask::.*$/gm, '');
    expect(log).not.toContain(server.password);
    expect(log).not.toContain(zips.url);
  });
});

describe('the archive unpacks to the folder that the run made, with', () => {
  let archive: string;
  let own: string;

  beforeAll(async () => {
    own = join(workspace, 'unpack');
    await mkdir(own);
    const inputs = { 'file-list': data.fileList(zips.url), seed: 'integration', upload: 'false' };
    const result = await runAction({ action: 'prepare-data', workspace: own, inputs });
    expect(result).toMatchObject({ exitCode: 0 });
    archive = result.outputs['archive-path'] ?? '';
  });

  test.each(Object.entries(UNPACKERS))('%s', async (name, { unpack }) => {
    const target = join(own, name);
    await mkdir(target);
    await unpack(archive, target);
    const { '.diatom-actions': marker, ...prepared } = await contentsOf(join(own, 'data'));
    expect(marker).toBeDefined();
    const images = Object.keys(prepared).filter((path) => /^results\/(train|test)\//.test(path));
    expect(images).toHaveLength(data.counts.images);
    expect(await contentsOf(target)).toEqual(prepared);
  });
});

test('every server got the very same archive', async () => {
  const sums = await Promise.all(
    Object.keys(WEBDAV_SERVERS).map(async (name) => {
      const [archive = ''] = (await readdir(join(workspace, name))).filter((file) => file.endsWith('.zip'));
      return createHash('sha256')
        .update(await readFile(join(workspace, name, archive)))
        .digest('hex');
    }),
  );
  expect(new Set(sums).size).toBe(1);
});
