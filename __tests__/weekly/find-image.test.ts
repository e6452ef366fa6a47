import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { type Buildkit, startBuildkit } from '../helpers/buildkit.ts';
import { buildxPlugin } from '../helpers/buildkit-image.ts';
import { run } from '../helpers/commands.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { stepsOf, workflowFiles } from '../helpers/workflow-files.ts';

const SCRIPT = join(ROOT, '.github', 'actions', 'find-image', 'find-image.sh');

let registry: Registry;
let buildkit: Buildkit;
/** The home of a runner that is signed in, with BuildKit set up. */
let home: string;
let context: string;

beforeAll(async () => {
  registry = await startRegistry();
  buildkit = await startBuildkit();
  home = await mkdtemp(join(tmpdir(), 'find-image-'));
  await mkdir(join(home, '.docker', 'cli-plugins'), { recursive: true });
  await symlink(await buildxPlugin(), join(home, '.docker', 'cli-plugins', 'docker-buildx'));
  const auth = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
  await writeFile(join(home, '.docker', 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
  await docker('buildx', 'create', '--name', 'test', '--driver', 'remote', buildkit.address, '--use');
});

afterAll(async () => {
  await buildkit?.close();
  await registry?.close();
  if (home) await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  const folder = await mkdtemp(join(home, 'context-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  context = folder;
  await file('hello', 'base');
  await file('Dockerfile', 'FROM scratch\nCOPY hello /\n');
  await push('base:1');
  await file('Dockerfile', 'ARG BASE\nFROM $BASE\nCOPY . /model\n');
});

const named = (image: string) => `${registry.host}/${image}`;
const file = (name: string, text: string) => writeFile(join(context, name), text);
const docker = (...args: readonly string[]) => run('docker', args, { env: { ...process.env, HOME: home } });

/** Builds what is in the context, and pushes it. */
async function push(image: string, ...options: readonly string[]): Promise<string> {
  const metadata = join(home, 'metadata.json');
  const output = `type=image,name=${named(image)},push=true`;
  await docker('buildx', 'build', '--quiet', ...options, '--output', output, '--metadata-file', metadata, context);
  const { 'containerimage.digest': digest }: Record<string, string> = JSON.parse(await readFile(metadata, 'utf8'));
  return digest ?? '';
}

async function bash(script: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const settings = { env: { PATH: process.env['PATH'], HOME: home, ...env } };
  const { stdout, stderr } = await promisify(execFile)('bash', [...script], settings);
  return stdout + stderr;
}

async function find(): Promise<{
  readonly log: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}> {
  const output = join(home, 'output');
  await writeFile(output, '');
  const log = await bash([SCRIPT], {
    RUNNER_TEMP: home,
    GITHUB_OUTPUT: output,
    CONTEXT: context,
    REPOSITORY: named('model'),
    BUILD_ARGS: `BASE=${named('base:1')}`,
    SETTINGS: '',
    FORCE: 'false',
  });
  const text = await readFile(output, 'utf8');
  const [tag, digest] = ['tag', 'digest'].map((name) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]);
  return { log, tag, digest };
}

/** Runs a step of build-image.yml. */
async function runStep(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const workflow = workflowFiles('.github/workflows').find((one) => one.name === 'build-image');
  const step = workflow && stepsOf(workflow).find((one) => one.step.name === name)?.step;
  if (step?.run === undefined) throw new Error(`build-image.yml has no step “${name}” with a script`);
  return bash(['-ec', step.run], env);
}

describe.each([
  ['with what is stored beside it', ['--provenance=mode=max']],
  ['alone', ['--provenance=false']],
])('an image %s', (_, options) => {
  test('is found under its own digest, and can be given tags that keep it', async () => {
    const before = await find();
    expect(before).toMatchObject({ tag: expect.stringMatching(/^inputs-[0-9a-f]{16}$/), digest: undefined });
    const digest = await push('model:latest', '--build-arg', `BASE=${named('base:1')}`, ...options);
    await runStep('Let the next run find it', {
      IMAGE: `${named('model')}@${digest}`,
      TAG: `${named('model')}:${before.tag}`,
    });
    expect(await find()).toMatchObject({ tag: before.tag, digest });
    const tags = ['a', 'b'];
    await runStep('Give the image that is there its tags', {
      IMAGE: `${named('model')}@${digest}`,
      TAGS: tags.map((tag) => named(`model:${tag}`)).join('\n'),
    });
    for (const tag of tags) expect(await registry.digestOf('model', tag)).toBe(digest);
  });
});

test.each(['.dockerignore', 'Dockerfile.dockerignore'])('what %s leaves out makes no other image', async (name) => {
  await file('train.py', '');
  await file(name, '*\n!*.py\n');
  const { tag } = await find();
  expect(tag).toBeDefined();
  await file('README.md', 'more');
  expect((await find()).tag).toBe(tag);
  await file('train.py', 'more');
  expect((await find()).tag).not.toBe(tag);
});

test('the base image counts as it is now', async () => {
  const { tag } = await find();
  const dockerfile = await readFile(join(context, 'Dockerfile'), 'utf8');
  await file('Dockerfile', 'FROM scratch\nCOPY hello /other\n');
  await push('base:1');
  await file('Dockerfile', dockerfile);
  const later = await find();
  expect(later.tag).toMatch(/^inputs-/);
  expect(later.tag).not.toBe(tag);
});

test('an image that a registry does not have can’t be summed up', async () => {
  await file('Dockerfile', `FROM ${named('nothing')}\n`);
  const { log, ...found } = await find();
  expect(found).toEqual({ tag: undefined, digest: undefined });
  expect(log).toContain(`The image is built: what ${named('nothing')} is now can’t be found out`);
});
