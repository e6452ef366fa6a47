import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { requireCommand } from '../helpers/commands.ts';
import { repositoryName, workflowFiles } from '../helpers/workflow-files.ts';

/** What actionlint 1.7.12 does not know yet; GitHub’s language service, which does, checks these places. */
const KNOWN_FALSE: readonly RegExp[] = [
  /^specifying action "\$\/(\.github\/actions\/)?[a-z-]+" in invalid format because ref is missing\./,
  /^reusable workflow call "\$\/\.github\/workflows\/[a-z-]+\.yml" at "uses" is not following the format /,
  /^property "workflow_(repository|sha)" is not defined in object type \{check_run_id: /,
  /^unexpected key "queue" for "concurrency" section\./,
];

interface Finding {
  readonly message: string;
  readonly filepath: string;
  readonly line: number;
}

let repository: string;

/** A repository in which our workflows and our users’ copies of the templates lie side by side. */
beforeAll(async () => {
  requireCommand('actionlint', '“go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12”', ['-version']);
  requireCommand('zizmor', '“pip install zizmor”');
  requireCommand('shellcheck', 'Debian’s package shellcheck');
  repository = await mkdtemp(join(tmpdir(), 'workflows-'));
  const folder = join(repository, '.github', 'workflows');
  await mkdir(folder, { recursive: true });
  for (const { path, name } of workflowFiles('.github/workflows'))
    await cp(join(ROOT, path), join(folder, `${name}.yml`));
  for (const { path, name } of workflowFiles('templates/workflows')) {
    await cp(join(ROOT, path), join(folder, `template-${name}.yml`));
  }
  await cp(join(ROOT, '.github', 'actions'), join(repository, '.github', 'actions'), { recursive: true });
  await mkdir(join(repository, '.git'));
  // JSON is YAML as well.
  await writeFile(join(repository, 'actionlint.yaml'), JSON.stringify({ 'self-hosted-runner': { labels: ['gpu'] } }));
  const rules = {
    // Users follow our major version; everything else is pinned.
    'unpinned-uses': { config: { policies: { [`${repositoryName()}/*`]: 'ref-pin', '*': 'hash-pin' } } },
    // The CI tries the actions of what it has checked out and built.
    'self-repository': { ignore: ['ci.yml'] },
  };
  await writeFile(join(repository, 'zizmor.yml'), JSON.stringify({ rules }));
});

afterAll(() => repository && rm(repository, { recursive: true, force: true }));

/** What a program prints, whatever its exit code: linters end with 1 or more when they find something. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const options = { cwd: repository, maxBuffer: 2 ** 26 };
  try {
    return (await promisify(execFile)(command, args, options)).stdout;
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string' && error.stdout !== '') {
      return error.stdout;
    }
    throw error;
  }
}

async function actionlint(...files: readonly string[]): Promise<Finding[]> {
  const args = ['-config-file', 'actionlint.yaml', '-format', '{{json .}}', ...files];
  const findings: Finding[] = JSON.parse(await output('actionlint', args));
  return findings.filter(({ message }) => !KNOWN_FALSE.some((known) => known.test(message)));
}

async function zizmor(...files: readonly string[]): Promise<string[]> {
  const args = ['--offline', '--config', 'zizmor.yml', '--format', 'json', ...files];
  const findings: { ident: string; desc: string }[] = JSON.parse(await output('zizmor', args));
  return findings.map(({ ident, desc }) => `${ident}: ${desc}`);
}

test('actionlint and shellcheck have nothing to say against any workflow or template', async () => {
  expect(await actionlint()).toEqual([]);
});

test('shellcheck has nothing to say against the scripts of their parts', async () => {
  const folder = join(ROOT, '.github', 'actions');
  const scripts = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.sh'));
  expect(scripts).toHaveLength(6);
  expect(
    await output(
      'shellcheck',
      scripts.map((file) => join(folder, file)),
    ),
  ).toBe('');
});

test('zizmor finds no weakness in any workflow, part of one, or template', async () => {
  expect(await zizmor('.github')).toEqual([]);
});

describe('a workflow that a stranger could take over', () => {
  beforeAll(async () => {
    const path = join(repository, 'unsafe.yml');
    await writeFile(
      path,
      `on: issues
jobs:
  greet:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@main
      - run: echo \${{ github.event.issue.title }} $UNQUOTED
`,
    );
  });

  test('is found by actionlint, and its script by shellcheck', async () => {
    const messages = (await actionlint('unsafe.yml')).map(({ message }) => message).join('\n');
    expect(messages).toContain('"github.event.issue.title" is potentially untrusted');
    expect(messages).toContain('SC2086');
  });

  test('is found by zizmor', async () => {
    const findings = (await zizmor('unsafe.yml')).join('\n');
    for (const weakness of ['template-injection', 'unpinned-uses', 'excessive-permissions', 'artipacked']) {
      expect(findings).toContain(weakness);
    }
  });
});
