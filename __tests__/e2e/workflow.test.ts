import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPromise } from 'yauzl';
import { ACTION, runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
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
  const run = await runWorkflow(workflow, { secrets });
  expect(run).toMatchObject({ exitCode: 0, log: expect.stringContaining('Job succeeded') });
  expectNothingSecret(run);

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
  const run = await runWorkflow(workflow, { secrets: { FILE_LIST: list, OWNCLOUD_PASSWORD: apache.password } });
  expect(run).toMatchObject({ exitCode: 0, log: expect.stringContaining('signed in, wrote and deleted a file') });
  expect(run.log).not.toContain('FAILED');
  expectNothingSecret(run);
  expect(await readdir(join(apache.directory, 'checked'))).toEqual([]);
  expect((await readdir(apache.directory)).filter((name) => name !== 'checked')).toEqual(before);
});
