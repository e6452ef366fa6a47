import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { sendFile, sha256 } from '../helpers/served-zip.ts';
import { tinyFileList } from '../helpers/tiny-data-set.ts';

/** A run that waits in the middle of its archive, for a zip that does not come. */
async function waitingRun(inputs: Readonly<Record<string, string>> = {}) {
  const fixture = await prepareDataFixture();
  const { zips, fileList, start, workspace } = fixture;
  const name = 'hannaea-1.zip';
  const server = await startServer((request, response) => {
    const isLook = request.method === 'HEAD' || request.headers.range?.startsWith('bytes=-');
    if (isLook) return sendFile(request, response, readFileSync(join(zips, name)), { etag: '"1"', ranges: true });
  });
  onTestFinished(() => server.close());
  const waiting = tinyFileList(`${server.origin}/`).find((entry) => entry.downloaded_file_name === name);
  // The last of the list, so that the others are in the archive.
  const others = fileList.filter((entry) => entry.downloaded_file_name !== name);
  const action = start({ 'file-list': JSON.stringify([...others, waiting]), ...inputs });
  const files = () => filesBelow(workspace);
  const part = () => files().find((file) => /^[^/]+\.zip\.part$/.test(file));
  // Before the archive, low-disk tries the disk under the same name.
  const hasBegun = () => files().includes('data/results/manifest.csv.part') && part() !== undefined;
  // The two others are here when they have their notes; with little disk there are none.
  const isDownloading = () =>
    'low-disk' in inputs
      ? files().some((file) => /downloads.+\.part/.test(file) && !file.includes(name))
      : files().filter((file) => file.endsWith('.kept.json')).length < 2;
  while (!hasBegun() || isDownloading()) await sleep(10);
  return { ...fixture, action, part: join(workspace, part() ?? '') };
}

// Windows can't end a process so that it has no say.
describe.runIf(process.platform !== 'win32')('a run that is killed', () => {
  test.each([{}, { 'low-disk': 'true', 'archive-content': 'results' }])(
    'leaves no archive under a final name, and the next one removes its part and says so: %o',
    async (inputs) => {
      const { action, part, run, workspace, uploaded, cloud } = await waitingRun(inputs);
      action.kill('SIGKILL');
      await action.result;
      expect(readdirSync(workspace).filter((name) => name.endsWith('.zip'))).toEqual([]);
      writeFileSync(join(workspace, 'other.zip.part'), 'of somebody else');
      const next = await run(inputs);
      expect(next.exitCode).toBe(0);
      expect(next.stdout).toContain(`what it had of its archive (${part},`);
      expect(filesBelow(workspace).filter((path) => path.includes('.part'))).toEqual(['other.zip.part']);
      expect(readdirSync(join(workspace, 'data')).toSorted()).toEqual(['.diatom-actions', 'downloads', 'results']);
      // What had come whole is asked about and not sent again, without a cache too.
      expect(next.stdout.match(/\(unchanged, from the cache\)/g) ?? []).toHaveLength('low-disk' in inputs ? 0 : 2);
      const downloads = readdirSync(join(workspace, 'data', 'downloads'));
      expect(downloads.filter((name) => !name.endsWith('.zip'))).toEqual([]);
      const name = next.outputs['archive-name'] ?? '';
      expect(uploaded()).toContain(name);
      expect(sha256(readFileSync(join(cloud.directory, name)))).toBe(next.outputs['archive-sha256']);
    },
  );
});

test('a second run in the folder of one that goes on is red, and changes nothing of it', async () => {
  const { action, part, run, workspace } = await waitingRun();
  const before = filesBelow(workspace);
  expect(before).toContain('data/.diatom-run');
  const message = errorOf(await run());
  expect(message).toMatch(
    /^Input data-dir: another run, begun \d\d:\d\d, uses this folder \(.+\)\. It is process \d+ on /,
  );
  expect(filesBelow(workspace)).toEqual(before);
  action.kill('SIGINT');
  await action.result;
  expect(existsSync(part)).toBe(false);
  expect(filesBelow(workspace).filter((path) => path.includes('diatom-run'))).toEqual([]);
});

test('what killed runs of the repository left on the server is deleted a day later, and said', async () => {
  const { run, uploaded, cloud } = await prepareDataFixture();
  const pieces = `.uploads.part/diatom-actions-lab-diatoms-17-${'01'.repeat(16)}`;
  const old = 'diatom_set-2026-11-22-17-45-00.zip.uploading-lab-diatoms-17-0123abcd';
  const young = old.replace('0123abcd', '4567abcd');
  mkdirSync(join(cloud.directory, pieces), { recursive: true });
  for (const name of [old, young]) writeFileSync(join(cloud.directory, name), 'half');
  const yesterday = (Date.now() - 25 * 3_600_000) / 1_000;
  for (const name of [pieces, old]) utimesSync(join(cloud.directory, name), yesterday, yesterday);
  const { stdout } = await run({}, { GITHUB_REPOSITORY: 'lab/diatoms', GITHUB_RUN_ID: '18' });
  expect(stdout).toContain(`left by runs that were cut short: ${old}, ${basename(pieces)}`);
  expect(uploaded().filter((path) => path.includes('.uploading-'))).toEqual([young]);
  expect(readdirSync(join(cloud.directory, '.uploads.part'))).toEqual([]);
});
