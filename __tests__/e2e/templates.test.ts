import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runWorkflow } from '../helpers/act.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { type ArtifactServer, startArtifactServer } from '../helpers/artifact-server.ts';
import { baseImage } from '../helpers/base-image.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, type DockerEngine, startDocker } from '../helpers/docker.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { SETTINGS_PATH, settingsFile } from '../helpers/settings-file.ts';
import { type TestData, testData } from '../helpers/test-data.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TEMPLATES = join(ROOT, 'templates');
const IMAGE = 'lab/template-model';
/** The trial’s image in act’s repository. */
const TRIAL = 'example/diatoms/try-it';

let data: TestData;
let docker: DockerEngine;
let base: string;
let apache: ApacheServer;
let registry: Registry;

beforeAll(async () => {
  data = testData();
  docker = await startDocker();
  base = await baseImage();
  apache = await startApache({ zips: data.directory });
  registry = await startRegistry();
});

afterAll(async () => {
  // The trial's last: the other's layers lie upon its own.
  for (const name of registry ? [IMAGE, TRIAL] : []) {
    const images = await run('docker', ['images', '--quiet', `${registry.host}/${name}`]);
    if (images) await run('docker', ['image', 'rm', '--force', ...new Set(images.trim().split('\n'))]);
  }
  await registry?.close();
  await apache?.close();
  await docker?.close();
});

/** Runs a template as it is to its good end, as somebody would who has filled in the settings. */
async function runTemplate(name: string, inputs: Record<string, string>, artifacts?: ArtifactServer): Promise<void> {
  const settings = settingsFile({
    'owncloud.url': apache.url,
    'owncloud.username': apache.username,
    'data.artifact-name': 'data-set',
    image: {
      registry: registry.host,
      username: registry.username,
      password: 'secret REGISTRY_PASSWORD',
      name: IMAGE,
      // What can't be fetched here.
      'build-args': `BASE_IMAGE=${base}\nREQUIREMENTS=none\nIMAGENET_WEIGHTS_URL=none`,
    },
    'train.gpus': 'none',
    'train.env': { INITIAL_WEIGHTS: 'none', WARMUP_EPOCHS: 0, IMAGE_SIZE: 64, EPOCHS: 1 },
    'publish.gate': 'accuracy >= 0',
  });
  const result = await runWorkflow(await readFile(join(TEMPLATES, 'workflows', name), 'utf8'), {
    inputs,
    files: { [SETTINGS_PATH]: settings },
    secrets: {
      FILE_LIST: data.fileList(apache.zipsUrl),
      OWNCLOUD_PASSWORD: apache.password,
      REGISTRY_PASSWORD: registry.password,
    },
    ...(artifacts && { environment: artifacts.environment }),
  });
  for (const secret of [apache.password, apache.zipsUrl, registry.password]) expect(result.log).not.toContain(secret);
  expect(result.exitCode, result.log).toBe(0);
  expect(result.leftovers).toEqual([]);
}

const stored = (...path: string[]) => join(apache.directory, ...path);

test('the templates for data only, and for training and publishing in one job of one’s own, do what they say', async () => {
  const artifacts = await startArtifactServer();

  await runTemplate('data-set.yml', { check: 'true' });
  expect(await readdir(stored('data sets'))).toEqual([]);
  await runTemplate('data-set.yml', {}, artifacts);
  const [archive = '', ...others] = (await readdir(stored('data sets'))).sort();
  expect(archive).toMatch(/^diatom_set-.*\.zip$/);
  expect(others).toEqual([`${archive}.run.json`, `${archive}.sides.csv`]);
  expect([...artifacts.artifacts.keys()]).toEqual(['data-set']);

  const containers = await containersNamed('diatom-');
  await runTemplate('train-and-publish.yml', { dataset: `data sets/${archive}` }, artifacts);
  expect(await containersNamed('diatom-')).toEqual(containers);
  expect([...artifacts.artifacts.keys()]).toEqual(['data-set', 'model']);
  const version = (await readFile(stored('models', 'diatoms', 'production', 'VERSION'), 'utf8')).trim();
  for (const folder of [version, 'production']) {
    await run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], {
      cwd: stored('models', 'diatoms', folder),
    });
  }
  const provenance = JSON.parse(await readFile(stored('models', 'diatoms', version, 'provenance.json'), 'utf8'));
  expect(provenance).toMatchObject({ dataset: { seed: expect.stringMatching(/^\d+$/) } });
});

test('the trial goes the whole way on one runner, and leaves the data set and the model as artifacts', async () => {
  const artifacts = await startArtifactServer();
  const template = await readFile(join(TEMPLATES, 'workflows', 'try-it.yml'), 'utf8');
  // What can't be fetched here, GitHub’s registry and its token; and one epoch, as nobody looks at the model.
  const workflow = template
    .replace('npm ci --no-audit --no-fund', `ln -s ${ROOT}/node_modules node_modules`)
    .replace('REGISTRY: ghcr.io', `REGISTRY: ${registry.host}`)
    .replace(
      /BUILD_ARGS: .*/,
      `BUILD_ARGS: ${[`BASE_IMAGE=${base}`, 'REQUIREMENTS=none', 'IMAGENET_WEIGHTS_URL=none'].map((arg) => `--build-arg ${arg}`).join(' ')}`,
    )
    .replaceAll(/\$\{\{ github\.actor \}\}/g, registry.username)
    .replaceAll(/\$\{\{ github\.token \}\}/g, '$${{ secrets.REGISTRY_PASSWORD }}')
    .replace('EPOCHS=6', 'EPOCHS=1\n            INITIAL_WEIGHTS=none')
    .replace('accuracy >= 0.2', 'accuracy >= 0');
  const result = await runWorkflow(workflow, {
    secrets: { REGISTRY_PASSWORD: registry.password },
    environment: artifacts.environment,
  });
  expect(result.exitCode, result.log).toBe(0);
  expect(result.log).not.toContain(registry.password);
  expect(result.log).toContain('The model would be promoted. Nothing was stored: this was a dry run.');
  expect([...artifacts.artifacts.keys()]).toEqual(['data-set', expect.stringMatching(/^diatom_set-.*\.zip$/), 'model']);
});
