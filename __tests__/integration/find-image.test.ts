import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';

const SCRIPT = join(ROOT, '.github', 'actions', 'find-image', 'find-image.sh');
const REPOSITORY = 'registry.example.org/lab/model';

/**
 * Stands in for Docker: its registries are a folder, and of a context it takes every file. The weekly tests run the same
 * script with the real one.
 */
const DOCKER = `#!/bin/bash
echo "$*" >>"$RUNNER_TEMP/calls"
case "$*" in
  "buildx imagetools inspect --raw "*) exec cat "$RUNNER_TEMP/registries/\${5//\\//%}" ;;
  "buildx build "*) [ ! -e "$RUNNER_TEMP/broken" ] && cp -r "\${@: -1}" "\${7#*dest=}" ;;
  *) exit 1 ;;
esac
`;

let runner: string;
let context: string;

beforeEach(async () => {
  runner = await mkdtemp(join(tmpdir(), 'find-image-'));
  const folder = runner;
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  context = join(runner, 'model');
  for (const path of ['bin', 'registries', 'model']) await mkdir(join(runner, path));
  await writeFile(join(runner, 'bin', 'docker'), DOCKER);
  await chmod(join(runner, 'bin', 'docker'), 0o755);
  await store('base:1', 'a base');
  await writeFile(join(context, 'Dockerfile'), 'ARG BASE=base:1\nFROM $BASE\nCOPY . /\n');
  await writeFile(join(context, 'train.py'), 'print()\n');
});

/** Puts an image into the registry that its name says. */
async function store(name: string, manifest: string): Promise<void> {
  await writeFile(join(runner, 'registries', name.replaceAll('/', '%')), manifest);
}

interface Found {
  readonly log: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

async function find(settings: Readonly<Record<string, string>> = {}): Promise<Found> {
  const output = join(runner, 'output');
  await writeFile(output, '');
  const { status, stdout, stderr } = spawnSync('bash', [SCRIPT], {
    encoding: 'utf8',
    env: {
      PATH: `${join(runner, 'bin')}:${process.env['PATH']}`,
      RUNNER_TEMP: runner,
      GITHUB_OUTPUT: output,
      CONTEXT: context,
      REPOSITORY,
      BUILD_ARGS: '',
      SETTINGS: 'platforms linux/amd64',
      FORCE: 'false',
      ...settings,
    },
  });
  expect(status).toBe(0);
  const text = await readFile(output, 'utf8');
  const [tag, digest] = ['tag', 'digest'].map((name) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]);
  return { log: stdout + stderr, tag, digest };
}

/** The images that registries were asked for. */
async function asked(): Promise<string[]> {
  const calls = await readFile(join(runner, 'calls'), 'utf8').catch(() => '');
  return [...calls.matchAll(/ --raw (.*)$/gm)].map(([, image = '']) => image).filter((image) => !/inputs-/.test(image));
}

test('an image that was made of the same is found, by the digest of what the registry has', async () => {
  const first = await find();
  expect(first).toMatchObject({ tag: expect.stringMatching(/^inputs-[0-9a-f]{16}$/), digest: undefined });
  expect(first.log).toContain('The image is built: the registry says about');
  await store(`${REPOSITORY}:${first.tag}`, 'a manifest\n');
  const digest = `sha256:${createHash('sha256').update('a manifest\n').digest('hex')}`;
  expect(await find()).toMatchObject({ tag: first.tag, digest });
  expect((await find()).log).toContain('Nothing is built');
  const forced = await find({ FORCE: 'true' });
  expect(forced).toMatchObject({ tag: first.tag, digest: undefined });
  expect(forced.log).toContain('The image is built: the run was started with force.');
});

const change = (file: string, text: string) => appendFile(join(context, file), text);

/** What happens to the context, and what the script is told then. */
type Change = [string, () => Promise<void>, Readonly<Record<string, string>>];
const nothing = async () => {};

test.each<Change>([
  ['a file', () => change('train.py', '# more\n'), {}],
  ['a file more', () => change('test.py', ''), {}],
  ['a file that can be executed', () => chmod(join(context, 'train.py'), 0o755), {}],
  ['the Dockerfile', () => change('Dockerfile', '# more\n'), {}],
  ['what the base image is', () => store('base:1', 'another base'), {}],
  ['a build argument', nothing, { BUILD_ARGS: 'REQUIREMENTS=none' }],
  ['a setting', nothing, { SETTINGS: 'platforms linux/arm64' }],
])('%s makes another image', async (_, make, settings) => {
  const { tag } = await find();
  await make();
  const changed = await find(settings);
  expect(changed.tag).toMatch(/^inputs-/);
  expect(changed.tag).not.toBe(tag);
});

test.each<Change>([
  ['the date of a checkout', () => utimes(join(context, 'train.py'), 1, 1), {}],
  ['who else may write to a file', () => chmod(join(context, 'train.py'), 0o664), {}],
  [
    'what Git keeps for itself',
    async () => {
      await mkdir(join(context, '.git'));
      await change('.git/index', 'a');
    },
    {},
  ],
  ['the order of build arguments', nothing, { BUILD_ARGS: '\nB=2\n  A=1 \n' }],
])('%s makes no other image', async (_, make, settings) => {
  const before = { BUILD_ARGS: 'A=1\nB=2' };
  const { tag } = await find(before);
  expect(tag).toMatch(/^inputs-/);
  await make();
  expect((await find({ ...before, ...settings })).tag).toBe(tag);
});

/** How a Dockerfile means an argument. */
const argument = (text: string) => `\${${text}}`;

test.each<[string, string, string, string[]]>([
  ['of a stage', 'FROM a:1', '', ['a:1']],
  ['for a platform', 'FROM --platform=$BUILDPLATFORM a:1 AS x', '', ['a:1']],
  ['of several stages, none of which is asked for itself', 'FROM a:1 as X\nFROM x\nfrom b', '', ['a:1', 'b']],
  ['that is empty', 'FROM scratch', '', []],
  ['by the default of an argument', `ARG T=1\nARG I="a:$T"\nFROM ${argument('I')}`, '', ['a:1']],
  ['by a default in the name', `ARG T\nFROM a:${argument('T:-2')}`, '', ['a:2']],
  ['by a build argument', 'ARG I=a T=2\nFROM $I:$T', 'I=b:5000/c', ['b:5000/c:2']],
  ['by a quoted build argument', 'ARG I=a\nFROM $I', '"I=b"', ['b']],
  ['not by one that the Dockerfile does not declare', `FROM a:${argument('T:-2')}\nARG T`, 'T=3', ['a:2']],
  ['that files are copied from', 'FROM a\nCOPY --chown=1 --from=b:1 x \\\n  y\nCOPY --from=0 x y', '', ['a', 'b:1']],
  [
    'that is mounted',
    'FROM a\nRUN --mount=type=bind,from=b,target=/b --mount=type=cache,target=/c pip',
    '',
    ['a', 'b'],
  ],
  ['that is no more than a word of a command', 'FROM a\nRUN pip --from=b\n# FROM c', '', ['a']],
  ['that reads the Dockerfile', '# syntax=docker/dockerfile:1\nFROM a', '', ['docker/dockerfile:1', 'a']],
  ['after Windows’ line ends', 'FROM a:1\r\n\r\nCOPY --from=b x y\r\n', '', ['a:1', 'b']],
])('the Dockerfile names an image %s', async (_, dockerfile, buildArgs, images) => {
  await writeFile(join(context, 'Dockerfile'), dockerfile);
  for (const image of images) await store(image, image);
  expect((await find({ BUILD_ARGS: buildArgs })).tag).toMatch(/^inputs-/);
  expect(await asked()).toEqual(images);
});

test('an image that the Dockerfile names by its digest is asked for nowhere', async () => {
  await writeFile(join(context, 'Dockerfile'), `FROM a:1@sha256:${'0'.repeat(64)}\n`);
  expect((await find()).tag).toMatch(/^inputs-/);
  expect(await asked()).toEqual([]);
});

describe('an image is built, and gets no such tag', () => {
  async function expectBuilt(reason: string, settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const { log, ...outputs } = await find(settings);
    expect(outputs).toEqual({ tag: undefined, digest: undefined });
    expect(log).toContain(`The image is built: ${reason}`);
  }

  test.each([
    ['FROM b:1', 'what b:1 is now can’t be found out (why not is said above).'],
    ['ARG T\nFROM a:$T', 'nobody can say beforehand which image the Dockerfile means by a:$T.'],
    [
      `ARG T=1\nFROM a:${argument('T%1')}`,
      `nobody can say beforehand which image the Dockerfile means by a:${argument('T%1')}.`,
    ],
    ['FROM base:1\nCOPY --from=$X a b', 'nobody can say beforehand which image the Dockerfile means by $X.'],
    ['# escape=`\nFROM base:1', 'its Dockerfile has an escape character of its own.'],
  ])('when its Dockerfile is %j', async (dockerfile, reason) => {
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    await expectBuilt(reason);
  });

  test('when BuildKit does not answer', async () => {
    await writeFile(join(runner, 'broken'), '');
    await expectBuilt('BuildKit does not say which files it consists of (why not is said above).');
  });

  test('when a build argument comes from the runner', async () => {
    await expectBuilt('the value of the build argument HOME is known to the runner only.', { BUILD_ARGS: 'HOME' });
  });

  test('when Docker has no buildx', async () => {
    await writeFile(join(runner, 'bin', 'docker'), '#!/bin/sh\necho "no such command" >&2\nexit 1\n');
    await expectBuilt('what base:1 is now can’t be found out');
  });
});
