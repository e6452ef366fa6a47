import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type ActionResult, type RunningAction, startAction } from '../../scripts/run-action.ts';
import { type FileServerOptions, startFileServer } from '../../scripts/stand-ins/file-server.ts';
import { type OwncloudServerOptions, startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { openZip } from '../../src/archive/open-zip.ts';
import { filesBelow } from './files-below.ts';
import { temporaryFolder } from './runner.ts';
import { TOKEN, tinyFileList, writeTinyDataSet } from './tiny-data-set.ts';

const PASSWORD = 'CLOUD-PASSWORD-0815';

/** A workspace, a server with the zips of the tiny data set, and an ownCloud; all gone after the test. */
export async function prepareDataFixture(options: Partial<OwncloudServerOptions> = {}, served: FileServerOptions = {}) {
  const [workspace, zips, cloudFolder] = [
    temporaryFolder('workspace'),
    temporaryFolder('zips'),
    temporaryFolder('cloud'),
  ];
  writeTinyDataSet(zips);
  const files = await startFileServer(zips, served);
  const cloud = await startOwncloudServer({ directory: cloudFolder, username: 'ada', password: PASSWORD, ...options });
  onTestFinished(async () => {
    await cloud.close();
    await files.close();
  });
  const fileList = tinyFileList(files.url);
  const start = (
    inputs: Readonly<Record<string, string>> = {},
    env: Readonly<Record<string, string | undefined>> = {},
    own: string = workspace,
  ): RunningAction =>
    startAction({
      action: 'prepare-data',
      workspace: own,
      inputs: {
        'file-list': JSON.stringify(fileList),
        'n-test': '3',
        seed: 'demo',
        // One image of the tiny data set is not an image, and those of many tests are bytes without meaning.
        'broken-images': 'keep',
        'owncloud-url': cloud.url,
        'owncloud-username': 'ada',
        'owncloud-password': PASSWORD,
        ...inputs,
      },
      env,
    });
  return {
    workspace,
    fileList,
    zips,
    cloud,
    start,
    run: (...given: Parameters<typeof start>) => start(...given).result,
    /** All files on the ownCloud, by their paths. */
    uploaded: () => filesBelow(cloud.directory),
    breakLink: (name: string) => rmSync(join(zips, name)),
    replaceZip: (name: string, content: string | Uint8Array) => writeFileSync(join(zips, name), content),
  };
}

/** Names and contents of a zip, in its order. */
export async function contentsOf(path: string): Promise<Map<string, Buffer>> {
  const zip = await openZip(path, { name: path });
  const contents = new Map<string, Buffer>();
  for (const entry of zip.entries) contents.set(entry.path, await zip.read(entry));
  await zip.close();
  return contents;
}

/** Password and addresses may be seen in the commands that mask them, and nowhere else. */
export function expectNoSecrets(result: ActionResult, fileUrls: readonly string[]): void {
  const lines = result.stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  const seen = [...lines, result.stderr, result.summary, ...Object.values(result.outputs)].join('\n');
  for (const secret of [PASSWORD, TOKEN, ...fileUrls]) expect(seen).not.toContain(secret);
}

/** The one error that a run which failed shows, in plain text. */
export function errorOf(result: ActionResult): string {
  expect(result.exitCode).toBe(1);
  const errors = result.stdout.split('\n').filter((line) => line.startsWith('::error::'));
  expect(errors).toHaveLength(1);
  return (errors[0] ?? '')
    .slice('::error::'.length)
    .replaceAll('%0A', '\n')
    .replaceAll('%0D', '\r')
    .replaceAll('%25', '%');
}
