import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { startFileServer } from '../../scripts/stand-ins/file-server.ts';
import type { ListeningServer } from '../../scripts/stand-ins/listen.ts';
import { startApache } from '../helpers/apache.ts';
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

  test('the archive, downloaded again, is the local one byte for byte, and alone except for its record', async () => {
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
    expect((await readdir(join(server.directory, FOLDER))).sort()).toEqual([archive, `${archive}.run.json`]);
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
    expect(await readdir(join(server.directory, FOLDER))).toHaveLength(2);
  });

  test('a second run finds nothing new, and gives the same archive', async () => {
    const again = await prepare({ 'keep-data': 'false' });
    expect(again.exitCode, again.stdout).toBe(0);
    for (const output of ['archive-name', 'archive-url', 'archive-sha256', 'data-identity', 'classes']) {
      expect(again.outputs[output]).toBe(result.outputs[output]);
    }
    expect(again.outputs['changed']).toBe('false');
    expect(await readdir(join(server.directory, FOLDER))).toHaveLength(2);
  });

  test('the next data set keeps the sides, by the archive’s directory; the one after by its sides file', async () => {
    const inputs = { split: 'keep', seed: '', 'keep-data': 'false', 'archive-content': 'results' };
    const next = await prepare({ ...inputs, 'n-test': '20%' });
    expect(next.exitCode, next.stdout).toBe(0);
    const name = next.outputs['archive-name'] ?? '';
    const sides = await readFile(join(server.directory, FOLDER, `${name}.sides.csv`), 'utf8');
    expect(new Set(linesOf(sides).map((line) => line.split(',')[3])).size).toBe(2);
    // The images of the data set before, on the same sides: no new one is there to be drawn.
    expect(next.outputs).toMatchObject({
      changed: 'true',
      'train-count': result.outputs['train-count'],
      'test-count': result.outputs['test-count'],
    });
    const same = await prepare({ ...inputs, 'n-test': '20%' });
    expect(same.outputs).toMatchObject({ changed: 'false', 'archive-name': name });
    const third = await prepare({ ...inputs, 'n-test': '21%' });
    expect(third.exitCode, third.stdout).toBe(0);
    expect(third.stdout).toContain(`that “${name}” lists`);
    expect(third.outputs).toMatchObject({ changed: 'true', 'train-count': result.outputs['train-count'] });
  });

  test('the log holds neither the password nor an address of a zip, but in the masking of them', () => {
    const log = (result.stdout + result.stderr).replaceAll(/^::add-mask::.*$/gm, '');
    expect(log).not.toContain(server.password);
    expect(log).not.toContain(zips.url);
  });
});

describe('Apache, with a folder that may be written and not listed', () => {
  test('is red before anything is downloaded, and never a new line', async () => {
    const apache = await startApache({
      configuration: '<Directory "@DIRECTORY@/closed">\n<Limit PROPFIND>\nRequire all denied\n</Limit>\n</Directory>',
    });
    const asked: string[] = [];
    const counted = await startFileServer(data.directory, { onAnswer: ({ name }) => asked.push(name) });
    try {
      await mkdir(join(apache.directory, 'closed'));
      const own = await mkdtemp(join(workspace, 'closed-'));
      const run = (more: Record<string, string>) =>
        runAction({
          action: 'prepare-data',
          workspace: own,
          inputs: {
            'file-list': data.fileList(counted.url),
            split: 'keep',
            'owncloud-url': apache.url,
            'owncloud-username': apache.username,
            'owncloud-password': apache.password,
            'owncloud-folder': 'closed',
            ...more,
          },
        });
      const refused = await run({});
      expect(refused.exitCode).toBe(1);
      expect(refused.stdout).toMatch(/::error::The sides of the images before .*status 403/);
      expect(asked).toEqual([]);
      expect((await run({ check: 'true' })).summary).toMatch(/❌ \| Data set before \|.*status 403/);
      expect(await readdir(join(apache.directory, 'closed'))).toEqual([]);
    } finally {
      await counted.close();
      await apache.close();
    }
  });
});

function linesOf(text: string): string[] {
  return text.trimEnd().split('\n').slice(1);
}

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
