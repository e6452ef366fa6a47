import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { type ArtifactServer, startArtifactServer } from '../helpers/artifact-server.ts';
import { baseImage } from '../helpers/base-image.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, type DockerEngine, startDocker } from '../helpers/docker.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { SETTINGS_PATH, settingsFile, withInputs } from '../helpers/settings-file.ts';
import { type TestData, testData } from '../helpers/test-data.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates', 'workflows');
const IMAGE = 'lab/diatoms';
/** Many small steps, so that even this little training leaves a network that takes each image for something else. */
const TRAINING = 'INITIAL_WEIGHTS=none\nWARMUP_EPOCHS=0\nBATCH_SIZE=4';

const metricsSchema = z.object({ accuracy: z.number() });
const calibrationSchema = z.object({ temperature: z.number() });
const provenanceSchema = z.object({
  image: z.string(),
  image_digest: z.string(),
  dataset: z.object({ sha256: z.string(), seed: z.string() }),
});
const shownSchema = z.record(z.string(), z.tuple([z.string(), z.string(), z.number()]));

let data: TestData;
let docker: DockerEngine;
let base: string;
let apache: ApacheServer;
let registry: Registry;
let artifacts: ArtifactServer;
/** Where the images of the data set that was made lie, in a folder for each class. */
let workDir: string;

beforeAll(async () => {
  data = testData();
  docker = await startDocker();
  base = await baseImage();
  apache = await startApache({ zips: data.directory });
  registry = await startRegistry();
  workDir = await mkdtemp(join(tmpdir(), 'pipeline-'));
  await chmod(workDir, 0o755);
});

afterAll(async () => {
  const images = registry && (await run('docker', ['images', '--quiet', `${registry.host}/${IMAGE}`]));
  if (images) await run('docker', ['image', 'rm', '--force', ...new Set(images.trim().split('\n'))]);
  await registry?.close();
  await apache?.close();
  await docker?.close();
  if (workDir) await rm(workDir, { recursive: true });
});

interface Person {
  /** What is written into the settings. */
  readonly gate?: string;
  /** An image that is there already. */
  readonly image?: string;
}

/** Runs a template as somebody would who has filled in the settings. */
async function runTemplate(
  name: string,
  inputs: Record<string, string>,
  { gate, image }: Person = {},
): Promise<WorkflowRun> {
  const template = await readFile(join(TEMPLATES, name), 'utf8');
  const settings = settingsFile({
    'owncloud.url': apache.url,
    'owncloud.username': apache.username,
    // The counts of the test data are for ten test images a zip.
    'data.n-test': 10,
    image: {
      registry: registry.host,
      username: registry.username,
      password: 'secret REGISTRY_PASSWORD',
      name: IMAGE,
      // What can't be fetched here.
      'build-args': { BASE_IMAGE: base, REQUIREMENTS: 'none', IMAGENET_WEIGHTS_URL: 'none' },
    },
    // The GPU that is not here.
    'train.gpus': 'none',
    'publish.gate': gate,
  });
  const containers = await containersNamed('diatom-');
  const result = await runWorkflow(image === undefined ? template : withInputs(template, { image }), {
    inputs,
    files: { [SETTINGS_PATH]: settings },
    secrets: {
      FILE_LIST: data.fileList(apache.zipsUrl),
      OWNCLOUD_PASSWORD: apache.password,
      REGISTRY_PASSWORD: registry.password,
    },
    environment: artifacts.environment,
  });
  expectNothingSecret(result.log);
  expect(result.leftovers).toEqual([]);
  expect(await containersNamed('diatom-')).toEqual(containers);
  return result;
}

function expectNothingSecret(log: string): void {
  for (const { username, password } of [apache, registry]) {
    expect(log).not.toContain(password);
    expect(log).not.toContain(encodeURIComponent(password));
    expect(log).not.toContain(Buffer.from(`${username}:${password}`).toString('base64'));
  }
  expect(log).not.toContain(apache.zipsUrl);
}

const models = (...path: string[]) => join(apache.directory, 'models', 'diatoms', ...path);
const archives = async () =>
  (await readdir(join(apache.directory, 'data sets'))).filter((name) => name.endsWith('.zip'));
const production = async () => (await readFile(models('production', 'VERSION'), 'utf8')).trim();
const versions = async () => (await readdir(models())).filter((name) => /^\d{8}-/.test(name)).sort();

/** Compares a folder on the server with its SHA256SUMS, by a program that nobody here wrote. */
async function expectSound(folder: string): Promise<void> {
  const checked = await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: models(folder) });
  const own = ['SHA256SUMS', 'VERSION', 'verdict.json'];
  const files = (await readdir(models(folder))).filter((name) => !own.includes(name));
  expect(checked.match(/: OK$/gm)).toHaveLength(files.length);
}

/** What a network written by hand makes of the test images with published weights. */
async function showTestImages(version: string): Promise<z.infer<typeof shownSchema>> {
  const mounts = [`${models(version)}:/model:ro`, `${workDir}:/data:ro`, `${import.meta.dirname}:/tests:ro`];
  const volumes = mounts.flatMap((mount) => ['--volume', mount]);
  const { temperature } = calibrationSchema.parse(
    JSON.parse(await readFile(models(version, 'calibration.json'), 'utf8')),
  );
  const command = ['python3', '/tests/contract.py', '/model/model.pth', '/data/results/test', String(temperature)];
  return shownSchema.parse(
    JSON.parse(await run('docker', ['run', '--rm', '--network=none', ...volumes, base, ...command])),
  );
}

/** A version of the first run is whole and says what it comes from. @returns the image that trained it */
async function expectWholeVersion(version: string, archive: string): Promise<string> {
  await expectSound(version);
  await expectSound('production');
  expect(await readdir(models(version))).toEqual(
    expect.arrayContaining([
      ...['MODEL_CARD.md', 'SHA256SUMS', 'classes.json', 'confusion_matrix.png', 'learning_curve.png'],
      ...['calibration.json', 'predict.py', 'preparation.py', 'risk_coverage.png'],
      ...['metrics.json', 'model.pth', 'predictions.csv', 'provenance.json', 'training-images.csv', 'worst_errors.png'],
    ]),
  );
  expect((await readdir(models(version))).filter((name) => name.startsWith('label-issues'))).toEqual([]);
  const text = (file: string) => readFile(models(version, file), 'utf8');
  expect(JSON.parse(await text('classes.json'))).toEqual(data.labels);
  expect((await text('training-images.csv')).trim().split('\n')).toHaveLength(1 + data.counts.train);
  const provenance = provenanceSchema.parse(JSON.parse(await text('provenance.json')));
  expect(provenance.image_digest).toBe(await registry.digestOf(IMAGE, 'latest'));
  const [sha256] = (await run('sha256sum', [join(apache.directory, 'data sets', archive)])).split(' ');
  expect(provenance.dataset.sha256).toBe(sha256);
  return provenance.image;
}

/** What the version says about the test images is what its weights say. */
async function expectAnswersOfWeights(version: string): Promise<void> {
  const text = (file: string) => readFile(models(version, file), 'utf8');
  const shown = Object.entries(await showTestImages(version));
  expect(shown).toHaveLength(data.counts.test);
  const right = shown.filter(([, [label, predicted]]) => label === predicted).length;
  expect(metricsSchema.parse(JSON.parse(await text('metrics.json'))).accuracy).toBeCloseTo(right / shown.length, 12);
  const [, ...predictions] = (await text('predictions.csv')).trim().split('\n');
  for (const line of predictions) {
    const [path = '', , , label, predicted, , confidence] = line.split(',');
    const seen = shown.find(([name]) => path.endsWith(name))?.[1];
    expect([path, seen?.[0], seen?.[1]]).toEqual([path, label, predicted]);
    expect(seen?.[2]).toBeCloseTo(Number(confidence), 4);
  }
}

test('the pipeline of the template: zips become a published model; a second one fails its gate; a roll-back', async () => {
  artifacts = await startArtifactServer();

  const first = await runTemplate('pipeline.yml', { 'train-env': `${TRAINING}\nEPOCHS=2` }, { gate: 'accuracy >= 0' });
  expect(first.exitCode, first.log).toBe(0);
  const [version = '', ...others] = await versions();
  expect(others).toEqual([]);
  expect(await production()).toBe(version);
  const [archive = '', ...more] = await archives();
  expect(more).toEqual([]);
  await run('unzip', ['-q', join(apache.directory, 'data sets', archive), '-d', workDir]);

  const image = await expectWholeVersion(version, archive);
  expect([...artifacts.artifacts.keys()]).toEqual(['model']);
  await expectAnswersOfWeights(version);

  const inputs = { dataset: `data sets/${archive}`, 'train-env': `${TRAINING}\nEPOCHS=1` };
  // The image is given, as nobody can tell here whether another build would be the same: that takes buildx.
  const second = await runTemplate('pipeline.yml', inputs, { gate: 'accuracy > 1', image });
  expect(second.exitCode, second.log).toBe(1);
  expect(second.log).toMatch(/accuracy: the model has [\d.]+, required is > 1/);
  const [, gated = ''] = await versions();
  await expectSound(gated);
  const comparison = JSON.parse(await readFile(models(gated, 'comparison.json'), 'utf8'));
  expect(comparison).toMatchObject({ format: 2, production_version: version, n_compared: data.counts.test });
  expect(comparison.images, 'both say something to every image').toHaveLength(data.counts.test);
  expect(await production()).toBe(version);
  await expectSound('production');

  expect(await archives()).toEqual([archive]);

  // The same again: it is not trained, and what the gate has refused is named, by a run that is green.
  const third = await runTemplate('pipeline.yml', inputs, { gate: 'accuracy > 1', image });
  expect(third.exitCode, third.log).toBe(0);
  expect(third.log).toContain(`data, image, commands, GPUs and settings are those of version ${gated}`);
  expect(third.log).toContain(`${gated} was refused before`);
  expect(third.log).not.toContain('Running in the container');
  expect(await versions()).toEqual([version, gated]);
  expect(await production()).toBe(version);

  for (const [to, expected] of [
    [gated, gated],
    ['previous', version],
  ] as const) {
    const { exitCode, log } = await runTemplate('roll-back.yml', { version: to });
    expect(exitCode, log).toBe(0);
    expect(await production()).toBe(expected);
    await expectSound('production');
  }
  expect(await versions()).toEqual([version, gated]);
});
