import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { run } from '../helpers/commands.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { stepsOf, workflowFiles } from '../helpers/workflow-files.ts';

/** The workspace of a job. */
let workspace: string;

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'workflow-script-'));
  const folder = workspace;
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

interface ScriptRun {
  readonly exitCode: number | null;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Runs the script of a step as a runner does: from a file, by `bash -e`, in the workspace. */
async function runScript(workflow: string, step: string, env: Readonly<Record<string, string>>): Promise<ScriptRun> {
  const file = workflowFiles('.github/workflows').find(({ name }) => name === workflow);
  const script = file && stepsOf(file).find(({ step: { name } }) => name === step)?.step.run;
  if (script === undefined) throw new Error(`${workflow}.yml has no step “${step}” with a script`);
  return runText(script, env);
}

/** Runs the script of a part of our workflows, by its path in `.github/actions`. */
async function runPart(path: string, env: Readonly<Record<string, string>>): Promise<ScriptRun> {
  return runText(await readFile(join(ROOT, '.github', 'actions', path), 'utf8'), env);
}

async function runText(script: string, env: Readonly<Record<string, string>>): Promise<ScriptRun> {
  const runner = join(workspace, '.runner');
  await mkdir(runner, { recursive: true });
  const [scriptFile, outputFile] = [join(runner, 'script.sh'), join(runner, 'output')];
  await writeFile(scriptFile, script);
  await writeFile(outputFile, '');
  // Not in step with this process, which may be the server that a script speaks to.
  const child = spawn('bash', ['-e', scriptFile], {
    cwd: workspace,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: `${runner}:${process.env['PATH']}`,
      GITHUB_OUTPUT: outputFile,
      GITHUB_STEP_SUMMARY: join(runner, 'summary.md'),
      RUNNER_TEMP: runner,
      ...env,
    },
  });
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const lines = (await readFile(outputFile, 'utf8')).trim().split('\n');
  const outputs = Object.fromEntries(lines.map((line) => /^([^=]*)=(.*)$/.exec(line)?.slice(1) ?? [line, '']));
  return { exitCode: status, log: stdout + stderr, outputs };
}

describe('build-image finds what to build', () => {
  const find = (context: string) =>
    runScript('build-image', 'Find what to build, and its name', {
      CONTEXT: context,
      TEMPLATE: '.diatom-actions/templates/model',
      REGISTRY: 'ghcr.io',
      IMAGE: 'My-Lab/Diatoms/model',
    });

  async function dockerfileIn(folder: string): Promise<void> {
    await mkdir(join(workspace, folder), { recursive: true });
    await writeFile(join(workspace, folder, 'Dockerfile'), 'FROM scratch\n');
  }

  test('in the folder model of the repository, under a name without capitals', async () => {
    await dockerfileIn('model');
    expect(await find('')).toMatchObject({
      exitCode: 0,
      outputs: { context: 'model', template: 'false', registry: 'ghcr.io', name: 'ghcr.io/my-lab/diatoms/model' },
    });
  });

  test('in the template, when the repository has no such folder', async () => {
    expect(await find('')).toMatchObject({
      exitCode: 0,
      outputs: { context: '.diatom-actions/templates/model', template: 'true' },
    });
  });

  test('in the folder that was named', async () => {
    await dockerfileIn('my images/resnet');
    expect(await find('my images/resnet')).toMatchObject({ exitCode: 0, outputs: { context: 'my images/resnet' } });
  });

  test.each(['mdoel', ''])('and never takes the template for a mistake (context “%s”)', async (context) => {
    await mkdir(join(workspace, 'model'));
    const { exitCode, log, outputs } = await find(context);
    expect(exitCode).toBe(1);
    expect(log).toContain(`::error::The repository has no file ${context || 'model'}/Dockerfile.`);
    expect(outputs).not.toHaveProperty('context');
  });
});

describe('build-image names the image by its digest', () => {
  const name = 'ghcr.io/lab/model';
  const digest = `sha256:${'0'.repeat(64)}`;
  const TAGS = `${name}:a\n${name}:b`;
  const named = (env: Readonly<Record<string, string>>) =>
    runScript('build-image', 'Name the image by its digest', { NAME: name, KNOWN_TAG: 'inputs-1', TAGS, ...env });
  const summary = () => readFile(join(workspace, '.runner', 'summary.md'), 'utf8');

  test('and shows it with its tags', async () => {
    const { outputs } = await named({ BUILT: digest, KNOWN: '' });
    expect(outputs).toEqual({ image: `${name}@${digest}`, digest, built: 'true' });
    for (const text of [`${name}@${digest}`, `${name}:a`, `${name}:b`]) {
      expect(await summary()).toContain(`    ${text}\n`);
    }
    expect(await summary()).not.toContain('Nothing was built');
  });

  test('also when nothing was built, and says why', async () => {
    const { outputs } = await named({ BUILT: '', KNOWN: digest });
    expect(outputs).toEqual({ image: `${name}@${digest}`, digest, built: 'false' });
    expect(await summary()).toMatch(/^Nothing was built: .* \(`inputs-1`\)/m);
    expect(await summary()).toContain(`    ${name}:a\n`);
  });
});

test.each([
  ['data sets', 'data sets/a.zip'],
  ['/data/sets/', 'data/sets/a.zip'],
  ['', 'a.zip'],
])('prepare-data names the archive in the folder “%s” by its path', async (folder, path) => {
  const step = 'Name the data set by its path in ownCloud';
  const { outputs } = await runScript('prepare-data', step, { FOLDER: folder, ARCHIVE: 'a.zip' });
  expect(outputs).toEqual({ path });
});

test.each([
  ['success', '✅', 'ready'],
  ['skipped', '✅', 'not checked'],
  ['failure', '❌', 'not ready'],
])(
  'the check of the pipeline, with nothing but a registry to check, shows in a table its %s',
  async (outcome, sign, word) => {
    const FINDINGS = `Runners=success\nRegistry=${outcome}\n`;
    expect(await runPart('show-check/show-check.sh', { FINDINGS })).toMatchObject({ exitCode: 0 });
    const summary = await readFile(join(workspace, '.runner', 'summary.md'), 'utf8');
    expect(summary.match(/^\| -/gm)).toHaveLength(1);
    expect(summary).toContain('| ✅ | Runners | ready |');
    expect(summary).toMatch(new RegExp(`^\\| ${sign} \\| Registry \\| ${word}`, 'm'));
    expect(summary.trim().split('\n')).toHaveLength(6);
  },
);

describe('a part of the settings that did not arrive', () => {
  const PARTS = [
    'data 7 true',
    'image 0 true',
    'train 12 false',
    'gpu-server  false',
    'publish 3 true',
    'runners 3 true',
  ];
  const check = (lines: readonly string[]) =>
    runPart('check-arrival/check-arrival.sh', { PARTS: `${lines.join('\n')}\n` });

  test('is an error that names section, number and cause, for each of them', async () => {
    const { exitCode, log } = await check(PARTS);
    expect(exitCode).toBe(1);
    const errors = log.trim().split('\n');
    expect(errors).toEqual([
      expect.stringMatching(
        /^::error::The part “train” of your settings \(12 of them\) did not arrive: GitHub leaves out/,
      ),
      expect.stringMatching(/^::error::The part “gpu-server” .*text of a secret/),
    ]);
  });

  test('stops nothing when all are there', async () => {
    const there = PARTS.filter((line) => line.endsWith('true'));
    expect(await check(there)).toMatchObject({ exitCode: 0, log: '' });
  });
});

describe('the check of the pipeline finds whether GitHub lends the runners', () => {
  const GPU = '"ubuntu-latest" ["self-hosted","gpu"]';
  test.each([
    ['of one owner', { OWNER: 'lab', WORKFLOW: 'Lab/actions', RUNNERS: GPU }, 0],
    ['of another owner', { OWNER: 'lab', WORKFLOW: 'diatom-actions/diatom-actions', RUNNERS: GPU }, 1],
    [
      'of another owner, but GitHub’s own',
      { OWNER: 'lab', WORKFLOW: 'x/y', RUNNERS: '"ubuntu-latest" ["ubuntu-24.04"]' },
      0,
    ],
    ['of an owner of one enterprise', { OWNER: 'lab', WORKFLOW: 'x/y', RUNNERS: GPU, SAME_ENTERPRISE: 'true' }, 0],
    ['when nothing was called', { OWNER: 'lab', WORKFLOW: '', RUNNERS: GPU }, 0],
  ])('%s', async (_, env, code) => {
    const { exitCode, log } = await runPart('check-runners/check-runners.sh', { SAME_ENTERPRISE: 'false', ...env });
    expect(exitCode).toBe(code);
    expect(log.includes('::error::GitHub lends the self-hosted runners of lab to no workflow of')).toBe(code === 1);
  });
});

describe('the check of the pipeline begins to upload an image', () => {
  const begin = (
    registry: Pick<Registry, 'host' | 'username' | 'password'>,
    more: Readonly<Record<string, string>> = {},
  ) =>
    runPart('check-registry/begin-upload.sh', {
      REGISTRY: registry.host,
      IMAGE: 'My-Lab/Diatoms/model',
      USERNAME: registry.username,
      PASSWORD: registry.password,
      ...more,
    });

  async function registry(options?: { readOnly: boolean }): Promise<Registry> {
    const started = await startRegistry(options);
    onTestFinished(() => started.close());
    return started;
  }

  test('where the account may push, and leaves nothing', async () => {
    const real = await registry();
    expect(await begin(real)).toMatchObject({
      exitCode: 0,
      log: `${real.host} takes images of the name my-lab/diatoms/model.\n`,
    });
    expect(await real.uploads()).toEqual([]);
  });

  test('with a wrong password, or where nobody may push: red, with what to do', async () => {
    const real = await registry();
    const wrong = await begin(real, { PASSWORD: 'a "wrong\\ one' });
    expect(wrong).toMatchObject({ exitCode: 1 });
    expect(wrong.log).toMatch(/takes no image of the name my-lab\/diatoms\/model \(HTTP 401\)/);
    const readOnly = await begin(await registry({ readOnly: true }));
    expect(readOnly.log).toMatch(/\(HTTP 405\)\. The account may sign in, and perhaps read, but not push/);
    const nobody = await begin({ ...real, host: '127.0.0.1:1' });
    expect(nobody.log).toContain('(HTTP 000). It does not answer');
  });

  /** A stand-in for a registry that hands out tokens, as those of GitHub and GitLab do: its tokens only allow to pull. */
  test('where a token is handed out that allows to pull only: red; the password goes to the place of tokens alone', async () => {
    const asked: string[] = [];
    const server = await startServer((request, response) => {
      const { method, url = '', headers } = request;
      const { pathname, searchParams } = new URL(url, server.origin);
      asked.push([method, pathname, ...searchParams.values(), headers.authorization ?? '-'].join(' '));
      const realm = `Bearer realm="${server.origin}/token",service="a registry"`;
      if (url.startsWith('/token?')) return void response.end(JSON.stringify({ token: 'pull-only', expires_in: 300 }));
      if (headers.authorization === 'Bearer pull-only') return void response.writeHead(403).end('{"errors":[]}');
      response.writeHead(401, { 'www-authenticate': realm }).end();
    });
    onTestFinished(() => server.close());
    const secret = 'a "secret\\ one';
    const result = await begin({ host: new URL(server.origin).host, username: 'me', password: secret });
    expect(result.exitCode).toBe(1);
    expect(result.log).toContain('(HTTP 403). The account may sign in');
    expect(result.log).not.toContain(secret);
    expect(asked).toEqual([
      'POST /v2/my-lab/diatoms/model/blobs/uploads/ -',
      `GET /token a registry repository:my-lab/diatoms/model:pull,push Basic ${Buffer.from(`me:${secret}`).toString('base64')}`,
      'POST /v2/my-lab/diatoms/model/blobs/uploads/ Bearer pull-only',
    ]);
  });
});

describe('a release', () => {
  /** Stands in for GitHub’s program, and writes down what it is asked for. */
  async function githubKnows(answer: string): Promise<void> {
    const gh = join(workspace, '.runner', 'gh');
    await mkdir(join(gh, '..'), { recursive: true });
    await writeFile(gh, `#!/bin/sh\necho "gh $*" >>"$RUNNER_TEMP/calls"\n${answer}\n`);
    await chmod(gh, 0o755);
  }

  const calls = () => readFile(join(workspace, '.runner', 'calls'), 'utf8').catch(() => '');

  describe('is drafted', () => {
    const draft = () => runScript('release', 'Draft the release from the changelog', { TAG: 'v1.2.3' });

    beforeEach(async () => {
      await writeFile(join(workspace, 'package.json'), '{"version": "1.2.3"}');
      const changelog =
        '# Changelog\n\n## [Unreleased]\n\n- D\n\n## [1.2.3] - 2026-01-02\n\n- C\n\n## [1.2.2]\n\n- B\n';
      await writeFile(join(workspace, 'CHANGELOG.md'), changelog);
      await githubKnows('[ "$2" != view ]');
    });

    test('with what the changelog says about the version, and nothing else', async () => {
      expect(await draft()).toMatchObject({ exitCode: 0 });
      expect(await readFile(join(workspace, '.runner', 'notes.md'), 'utf8')).toBe('\n- C\n\n');
      expect(await calls()).toMatch(/^gh release create v1\.2\.3 --draft --verify-tag /m);
    });

    test('only once', async () => {
      await githubKnows('true');
      expect(await draft()).toMatchObject({ exitCode: 0 });
      expect(await calls()).not.toContain('create');
    });

    test('not when package.json has another version', async () => {
      await writeFile(join(workspace, 'package.json'), '{"version": "1.2.2"}');
      expect(await draft()).toMatchObject({
        exitCode: 1,
        log: expect.stringContaining('is not that of the tag v1.2.3'),
      });
      expect(await calls()).toBe('');
    });

    test('not when the changelog says nothing about the version', async () => {
      await writeFile(join(workspace, 'CHANGELOG.md'), '## [1.2.3]\n\n## [1.2.2]\n\n- B\n');
      expect(await draft()).toMatchObject({ exitCode: 1, log: expect.stringContaining('says nothing under [1.2.3]') });
      expect(await calls()).toBe('');
    });
  });

  describe('moves the tag of its major version', () => {
    const env = { TAG: 'v1.10.0', GITHUB_REPOSITORY: 'lab/actions', GITHUB_SHA: 'abc' };
    const move = () => runScript('release', 'Move the tag of the major version', env);

    async function tags(...names: readonly string[]): Promise<void> {
      const git = (...args: readonly string[]) => run('git', args, { cwd: workspace });
      await git('init', '-q');
      await git('-c', 'user.name=T', '-c', 'user.email=t@example.org', 'commit', '-q', '--allow-empty', '-m', 'Test');
      for (const name of names) await git('tag', name);
    }

    test('when it is the newest one', async () => {
      await tags('v1', 'v1.9.0', 'v1.10.0', 'v2.0.0');
      await githubKnows('true');
      expect(await move()).toMatchObject({ exitCode: 0 });
      expect(await calls()).toContain(
        'gh api --method PATCH repos/lab/actions/git/refs/tags/v1 -f sha=abc -F force=true\n',
      );
    });

    test('for the first time', async () => {
      await tags('v1.10.0');
      await githubKnows('[ "$2" = --method ]');
      expect(await move()).toMatchObject({ exitCode: 0 });
      expect(await calls()).toContain(
        'gh api --method POST repos/lab/actions/git/refs -f ref=refs/tags/v1 -f sha=abc\n',
      );
    });

    test('never back', async () => {
      await tags('v1', 'v1.10.0', 'v1.11.0');
      await githubKnows('true');
      expect(await move()).toMatchObject({ exitCode: 0, log: expect.stringContaining('v1 stays') });
      expect(await calls()).toBe('');
    });
  });
});
