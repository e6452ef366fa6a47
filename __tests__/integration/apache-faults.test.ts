import { chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { startFileServer } from '../../scripts/stand-ins/file-server.ts';
import type { ListeningServer } from '../../scripts/stand-ins/listen.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { type TestData, testData } from '../helpers/test-data.ts';

/** What administrators set: a limit of size, and a folder that may only be read. */
const CONFIGURATION = `
<Location /dav/limited>
  LimitRequestBody 65536
</Location>
<Location /dav/read-only>
  <LimitExcept GET HEAD OPTIONS PROPFIND>
    Require all denied
  </LimitExcept>
</Location>
`;

let data: TestData;
let zips: ListeningServer;
let apache: ApacheServer;
let base: string;
let workspace: string;

beforeAll(async () => {
  data = testData();
  zips = await startFileServer(data.directory);
  apache = await startApache({ configuration: CONFIGURATION });
  base = await mkdtemp(join(tmpdir(), 'apache-faults-'));
  const { uid, gid } = await stat(apache.directory);
  for (const folder of ['limited', 'read-only']) {
    await mkdir(join(apache.directory, folder));
    await chown(join(apache.directory, folder), uid, gid);
  }
});

afterAll(async () => {
  await apache?.close();
  await zips?.close();
  if (base) await rm(base, { recursive: true });
});

async function prepare(inputs: Readonly<Record<string, string>>): Promise<ActionResult> {
  workspace = await mkdtemp(join(base, 'workspace-'));
  return runAction({
    action: 'prepare-data',
    workspace,
    inputs: {
      'file-list': data.fileList(zips.url),
      'owncloud-url': apache.url,
      'owncloud-username': apache.username,
      'owncloud-password': apache.password,
      ...inputs,
    },
  });
}

function errorOf({ exitCode, stdout }: ActionResult): string {
  expect(exitCode).toBe(1);
  return /^::error::(.*)$/m.exec(stdout)?.[1]?.replaceAll('%0A', '\n') ?? '';
}

async function expectArchiveKept(error: string): Promise<void> {
  const [archive = ''] = (await readdir(workspace)).filter((name) => name.endsWith('.zip'));
  expect(error).toContain(`Nothing is lost: the archive is kept at ${join(workspace, archive)}`);
  expect((await stat(join(workspace, archive))).size).toBeGreaterThan(65_536);
}

test('an archive larger than the server takes (413): the error says so, and the archive is kept', async () => {
  const error = errorOf(await prepare({ 'owncloud-folder': 'limited' }));
  expect(error).toContain('(status 413): the file is larger than the server, or a proxy before it, accepts');
  await expectArchiveKept(error);
  expect(await readdir(join(apache.directory, 'limited'))).toEqual([]);
});

test('a folder that may only be read (403): the error says so, and the archive is kept', async () => {
  const error = errorOf(await prepare({ 'owncloud-folder': 'read-only' }));
  expect(error).toContain('(status 403): the account may not do that there');
  await expectArchiveKept(error);
  expect(await readdir(join(apache.directory, 'read-only'))).toEqual([]);
});

test('a preflight finds the folder that may only be read', async () => {
  const error = errorOf(await prepare({ 'owncloud-folder': 'read-only', check: 'true' }));
  expect(error).toMatch(/A run would fail:\n- ownCloud: .*status 403/);
  expect(await readdir(workspace)).toEqual([]);
});

test('a file that has the name of the folder: the error names it, and the file stays', async () => {
  await writeFile(join(apache.directory, 'taken'), 'a file');
  for (const folder of ['taken', 'taken/below']) {
    const error = errorOf(await prepare({ 'owncloud-folder': folder }));
    expect(error).toContain('a folder “/taken” is needed');
    expect(error).toContain('but a file has that name');
    await expectArchiveKept(error);
  }
  expect((await stat(join(apache.directory, 'taken'))).size).toBe(6);
});

test('an address that is not the WebDAV folder: the error says what is there', async () => {
  const error = errorOf(await prepare({ 'owncloud-url': new URL('/', apache.url).href }));
  expect(error).toContain('there is neither an ownCloud or Nextcloud (no status.php) nor a WebDAV folder (status 405)');
  expect(await readdir(workspace)).toEqual([]);
});
