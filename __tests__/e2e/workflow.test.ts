import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPromise } from 'yauzl';
import { ROOT } from '../../scripts/action-metadata.ts';
import { ACTION, runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { run } from '../helpers/commands.ts';
import { type TestData, testData } from '../helpers/test-data.ts';

let data: TestData;
let apache: ApacheServer;

beforeAll(async () => {
  data = testData();
  apache = await startApache({ zips: data.directory });
});

afterAll(() => apache?.close());

/** The workflow that README.md tells people to copy, with a server that exists. */
async function readmeWorkflow(): Promise<string> {
  const readme = await readFile(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block);
  const workflow = blocks.find((block) => block.includes(`uses: ${ACTION}\n`));
  if (workflow === undefined) throw new Error(`README.md has no workflow with “uses: ${ACTION}”`);
  return workflow
    .replace(/owncloud-url: .*/, `owncloud-url: ${apache.url}`)
    .replace(/owncloud-username: .*/, `owncloud-username: ${apache.username}`);
}

function expectNothingSecret({ log }: WorkflowRun): void {
  expect(log).not.toContain(apache.password);
  expect(log).not.toContain(apache.zipsUrl);
}

test('the workflow in README.md has ten lines or little more, and puts all images on the server', async () => {
  const workflow = await readmeWorkflow();
  expect(workflow.trim().split('\n').length).toBeLessThanOrEqual(15);
  const secrets = { FILE_LIST: data.fileList(apache.zipsUrl), OWNCLOUD_PASSWORD: apache.password };
  const result = await runWorkflow(workflow, { secrets });
  expect(result).toMatchObject({ exitCode: 0, log: expect.stringContaining('Job succeeded') });
  expectNothingSecret(result);

  const stored = (await readdir(apache.directory)).sort();
  expect(stored).toEqual([expect.stringMatching(/^diatom_set-\d{4}(-\d\d){5}\.zip$/), `${stored[0]}.run.json`]);
  const splits = { train: 0, test: 0 };
  for await (const { fileName } of (await openPromise(join(apache.directory, stored[0] ?? ''))).eachEntry()) {
    const split = /^results\/(train|test)\//.exec(fileName)?.[1];
    if (split === 'train' || split === 'test') splits[split] += 1;
  }
  const { train, test: testCount } = data.counts;
  expect(splits).toEqual({ train, test: testCount });
});

describe('a release is used by another repository', () => {
  let folder: string;
  let commit: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'release-'));
    const git = (...args: string[]) =>
      run('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args]);
    // The commit that is tagged, and not what lies uncommitted in this checkout.
    await git('clone', '--quiet', ROOT, folder);
    await git('-C', folder, 'tag', '-a', 'v1.2.3', '-m', 'v1.2.3');
    await git('-C', folder, '-c', 'advice.detachedHead=false', 'checkout', '--quiet', 'v1.2.3');
    commit = (await git('-C', folder, 'rev-parse', 'HEAD')).trim();
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(['its tag', 'the tag of its major version', 'its commit'])(
    'by %s: its workflow, and all that this uses',
    async (by) => {
      const ref = by === 'its tag' ? 'v1.2.3' : by === 'its commit' ? commit : 'v1';
      const workflow = `
on: workflow_dispatch
permissions:
  contents: read
jobs:
  data:
    uses: ${ACTION.replace(/@.*/, `/.github/workflows/prepare-data.yml@${ref}`)}
    secrets:
      FILE_LIST: \${{ secrets.FILE_LIST }}
      OWNCLOUD_PASSWORD: \${{ secrets.OWNCLOUD_PASSWORD }}
`;
      const settings = { url: apache.url, username: apache.username, folder: `release ${ref}` };
      const result = await runWorkflow(workflow, {
        release: { folder, ref },
        files: { '.github/diatoms.yml': JSON.stringify({ owncloud: settings, data: { 'n-test': 10 } }) },
        secrets: { FILE_LIST: data.fileList(apache.zipsUrl), OWNCLOUD_PASSWORD: apache.password },
      });
      expect(result).toMatchObject({ exitCode: 0 });
      expectNothingSecret(result);
      const stored = await readdir(join(apache.directory, `release ${ref}`));
      expect(stored.filter((name) => name.endsWith('.zip'))).toHaveLength(1);
    },
  );
});

test('the action of the same name in prepare-data takes settings, over which its inputs win; with check: true, it stores nothing', async () => {
  const before = await readdir(apache.directory);
  const workflow = `
on: workflow_dispatch
permissions: {}
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: ${ACTION.replace('@', '/prepare-data@')}
        with:
          settings: |
            owncloud-url: https://nowhere.invalid
            owncloud-username: ${apache.username}
            split: keep
            n-test: 20%
          file-list: \${{ secrets.FILE_LIST }}
          owncloud-url: ${apache.url}
          owncloud-password: \${{ secrets.OWNCLOUD_PASSWORD }}
          owncloud-folder: checked
          check: true
`;
  const list = gzipSync(data.fileList(apache.zipsUrl)).toString('base64');
  const result = await runWorkflow(workflow, { secrets: { FILE_LIST: list, OWNCLOUD_PASSWORD: apache.password } });
  expect(result).toMatchObject({ exitCode: 0, log: expect.stringContaining('signed in, wrote and deleted a file') });
  expect(result.log).not.toContain('FAILED');
  expectNothingSecret(result);
  expect(await readdir(join(apache.directory, 'checked'))).toEqual([]);
  expect((await readdir(apache.directory)).filter((name) => name !== 'checked')).toEqual(before);
});
