import { existsSync, readFileSync, statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { errorOf, expectNoSecrets, prepareDataFixture } from '../helpers/prepare-data.ts';
import { sendFile, zipLike } from '../helpers/served-zip.ts';
import { tinyFileList } from '../helpers/tiny-data-set.ts';

/** Waits for what another process does. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

/** Serves the first half of a zip and then nothing more. */
async function stallingServer(headers: Readonly<Record<string, string>>): Promise<string> {
  const zip = zipLike(200_000);
  const server = await startServer((_, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/zip', 'content-length': zip.length, ...headers });
    response.write(zip.subarray(0, 100_000));
  });
  onTestFinished(() => server.close());
  return `${server.origin}/`;
}

// Windows has no signals: there a runner ends an action without a word.
describe.runIf(process.platform !== 'win32')('a cancelled run', () => {
  test.each([
    ['SIGINT', { etag: '"1"', 'accept-ranges': 'bytes' }, ['hannaea-1.zip.part', 'hannaea-1.zip.part.json']],
    ['SIGTERM', {}, []],
  ] as const)('%s while downloading keeps only what can be resumed', async (signal, headers, kept) => {
    const { start, workspace, uploaded } = await prepareDataFixture();
    const [entry] = tinyFileList(await stallingServer(headers));
    const action = start({ 'file-list': JSON.stringify([entry]) });
    const part = join(workspace, 'data', 'downloads', 'hannaea-1.zip.part');
    await until(() => existsSync(part) && statSync(part).size === 100_000);
    action.kill(signal);
    const result = await action.result;
    expect(errorOf(result)).toBe('The run was cancelled.');
    expect(filesBelow(join(workspace, 'data', 'downloads'))).toEqual(kept);
    expect(filesBelow(workspace).filter((path) => !path.startsWith('data/'))).toEqual([]);
    expect(uploaded()).toEqual([]);
    expectNoSecrets(result, [entry?.file_url ?? '']);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s while uploading removes the temporary file from the server and keeps the archive',
    async (signal) => {
      let arrived = false;
      const { start, workspace, uploaded } = await prepareDataFixture({
        hook: async ({ method }, proceed) => {
          if (method !== 'PUT') return undefined;
          await proceed();
          arrived = true;
          // The answer never comes.
          return new Promise(() => {});
        },
      });
      const action = start();
      await until(() => arrived);
      expect(uploaded()).toEqual([expect.stringMatching(/^diatom_set-.+\.zip\.uploading-/)]);
      action.kill(signal);
      const result = await action.result;
      const path = join(workspace, result.outputs['archive-name'] ?? '');
      expect(errorOf(result)).toBe(
        `The archive was not uploaded: The run was cancelled.\nNothing is lost: the archive is kept at ${path} (on a hosted runner only until the job ends).`,
      );
      expect(uploaded()).toEqual([]);
      expect(String(readFileSync(path).length)).toBe(result.outputs['archive-bytes']);
    },
  );

  test('is taken up by the next one where it ended', async () => {
    const { start, zips, workspace } = await prepareDataFixture();
    const zip = readFileSync(join(zips, 'hannaea-1.zip'));
    const traits = { etag: '"1"', ranges: true };
    let downloads = 0;
    const server = await startServer((request, response) => {
      // Not a download, but a look at the directory, or at whether it comes in pieces.
      const isLook = request.method === 'HEAD' || request.headers.range?.startsWith('bytes=-');
      if (isLook) return sendFile(request, response, zip, traits);
      downloads++;
      if (downloads > 1) return sendFile(request, response, zip, traits);
      response.writeHead(200, { etag: '"1"', 'accept-ranges': 'bytes', 'content-length': zip.length });
      response.write(zip.subarray(0, 1_000));
    });
    onTestFinished(() => server.close());
    const [entry] = tinyFileList(`${server.origin}/`);
    const inputs = { 'file-list': JSON.stringify([entry]), upload: 'false' };
    const first = start(inputs);
    const part = join(workspace, 'data', 'downloads', 'hannaea-1.zip.part');
    await until(() => existsSync(part) && statSync(part).size === 1_000);
    first.kill('SIGINT');
    expect((await first.result).exitCode).toBe(1);
    const second = await start(inputs).result;
    expect(second).toMatchObject({ exitCode: 0, outputs: { 'train-count': '9', 'test-count': '3' } });
    const gets = server.requests.filter(({ method }) => method === 'GET');
    const ranges = gets.map(({ headers }) => headers.range);
    expect(ranges.filter((range) => !range?.startsWith('bytes=-'))).toEqual([undefined, 'bytes=1000-']);
  });
});
