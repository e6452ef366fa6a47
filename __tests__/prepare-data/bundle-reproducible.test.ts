import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentsOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';

/**
 * The archive of the tiny data set. Every machine must come to these sums: Linux, Windows and macOS prove by them that
 * they agree. They change with whatever is in an archive (the report's look too): then the new ones are taken over from a
 * run of this test, after a look at what changed.
 */
const KNOWN = {
  data: '684c1307799d820ed6322d55b85d95b25288588a9926bb941cbcedf186cfbd29',
  results: '3f9756b369235961ca7d94e8dc21d965dfefcf8b5ac21d9ac8d5f6604ded815b',
};

test.each(Object.entries(KNOWN))('the archive of %s has the bytes that it has everywhere', async (content, sha256) => {
  const { run } = await prepareDataFixture();
  const { outputs } = await run({ 'archive-content': content, upload: 'false' });
  expect(outputs['archive-sha256']).toBe(sha256);
});

test('folder, machine, time zone, language, concurrency and time of a run make no difference', async () => {
  const { run } = await prepareDataFixture();
  const elsewhere = join(temporaryFolder('another place'), 'deep', 'down');
  mkdirSync(elsewhere, { recursive: true });
  const here = await run({ upload: 'false', concurrency: '1' }, { TZ: 'Pacific/Kiritimati', LANG: 'C' });
  const there = await run(
    {
      'keep-archive': 'true',
      concurrency: '8',
      'data-dir': 'other/folder',
      'archive-prefix': 'another',
      cache: 'false',
    },
    { TZ: 'America/New_York', LANG: 'tr_TR.UTF-8', GITHUB_RUN_ID: '99', GITHUB_REPOSITORY: 'other/repository' },
    elsewhere,
  );
  expect(there.outputs['archive-name']).not.toBe(here.outputs['archive-name']);
  expect(there.outputs['archive-sha256']).toBe(here.outputs['archive-sha256']);
  const [a, b] = [here, there].map(({ outputs }) => readFileSync(outputs['archive-path'] ?? ''));
  expect(a && b?.equals(a)).toBe(true);
});

test('another seed gives another split; a drawn one is reported, and gives its split again', async () => {
  const { run } = await prepareDataFixture();
  const drawn = await run({ seed: '', upload: 'false' });
  expect(drawn.outputs['seed']).toMatch(/^\d+$/);
  const again = await run({ seed: drawn.outputs['seed'] ?? '', upload: 'false', 'archive-prefix': 'again' });
  const other = await run({ upload: 'false', 'archive-prefix': 'other' });
  expect(again.outputs['archive-sha256']).toBe(drawn.outputs['archive-sha256']);
  expect(other.outputs['archive-sha256']).not.toBe(drawn.outputs['archive-sha256']);
});

test('nothing in an archive names the machine, the run or an address', async () => {
  const { run, workspace, cloud, fileList } = await prepareDataFixture();
  const { outputs } = await run({ 'keep-archive': 'true', 'archive-content': 'results' });
  const archive = await contentsOf(outputs['archive-path'] ?? '');
  const texts = ['manifest.csv', 'dataset.json', 'report.html'].map((name) => String(archive.get(name)));
  const year = new Date().getUTCFullYear();
  const traces = [
    workspace,
    cloud.url,
    '127.0.0.1',
    process.version,
    `${year}-`,
    ...fileList.map((entry) => entry.file_url),
  ];
  for (const text of texts) for (const trace of traces) expect(text).not.toContain(trace);
});
