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
import { type TestData, testData } from '../helpers/test-data.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates');
const IMAGE = 'lab/template-model';

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
  const images = registry && (await run('docker', ['images', '--quiet', `${registry.host}/${IMAGE}`]));
  if (images) await run('docker', ['image', 'rm', '--force', ...new Set(images.trim().split('\n'))]);
  await registry?.close();
  await apache?.close();
  await docker?.close();
});

/** Runs a template to its good end, as somebody would who has filled in a server. `edit` is what else such a person writes into it. */
async function runTemplate(
  name: string,
  inputs: Record<string, string>,
  artifacts?: ArtifactServer,
  edit = (template: string) => template,
): Promise<void> {
  const template = await readFile(join(TEMPLATES, 'workflows', name), 'utf8');
  const workflow = edit(template)
    .replaceAll(/owncloud-url: .*/g, `owncloud-url: ${apache.url}`)
    .replaceAll(/owncloud-username: .*/g, `owncloud-username: ${apache.username}`);
  const result = await runWorkflow(workflow, {
    inputs,
    secrets: {
      FILE_LIST: data.fileList(apache.zipsUrl),
      OWNCLOUD_PASSWORD: apache.password,
      REGISTRY_PASSWORD: registry.password,
    },
    variables: {
      REGISTRY: registry.host,
      REGISTRY_USERNAME: registry.username,
      IMAGE_NAME: IMAGE,
      TRAIN_ENV: 'INITIAL_WEIGHTS=none\nWARMUP_EPOCHS=0\nIMAGE_SIZE=64\nEPOCHS=1',
      // What can't be fetched here.
      BUILD_ARGS: `BASE_IMAGE=${base}\nREQUIREMENTS=none\nIMAGENET_WEIGHTS_URL=none`,
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

  const inputs = { dataset: `data sets/${archive}` };
  const fillIn = (template: string) =>
    template
      .replace(/registry-username: .*/, `registry-username: ${registry.username}`)
      .replace(/registry-password: .*/, 'registry-password: $${{ secrets.REGISTRY_PASSWORD }}\n          gpus: none')
      .replace(/gate: .*/, 'gate: accuracy >= 0');
  await runTemplate('train-and-publish.yml', inputs, artifacts, fillIn);
  // act gives every run and attempt the number 1.
  expect(await containersNamed('diatom-1-1-')).toEqual([]);
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
