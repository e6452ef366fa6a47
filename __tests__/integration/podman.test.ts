import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { makeSmallImage } from '../helpers/docker.ts';
import { type PodmanEngine, preparePodman } from '../helpers/podman.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const IMAGE = 'localhost/diatom-actions-tests/small:1';

const ZIP = buildZip({
  entries: ['train/Gomphonema', 'train/Hannaea', 'test/Gomphonema', 'test/Hannaea'].flatMap((folder, place) =>
    [0, 1, 2].map((index) => ({ name: `${folder}/${index}.bmp`, data: bmp(10 * place + index) })),
  ),
});

/** Stands in for `train.py`: writes what it must, and what it sees of its surroundings. */
const TRAIN = `
{
  id -u; ls "$DATA_DIR" | tr '\\n' ' '; echo; ls /sys/class/net | tr '\\n' ' '; echo
  grep CapEff /proc/self/status; touch /data/new 2>&1; echo "EPOCHS=$EPOCHS"
} > "$OUTPUT_DIR/surroundings.txt"
echo weights > "$OUTPUT_DIR/model.pth"
echo '["Gomphonema", "Hannaea"]' > "$OUTPUT_DIR/classes.json"
`;
/** Stands in for `test.py`. */
const TEST = `cat > "$OUTPUT_DIR/metrics.json" <<END
{ "format": 1, "accuracy": 0.9, "accuracy_ci": [0.7, 0.95], "macro_f1": 0.85, "macro_f1_ci": [0.6, 0.9],
  "n_test": 6, "labels": ["Gomphonema", "Hannaea"], "confusion_matrix": [[3, 0], [0, 3]],
  "classes": { "Gomphonema": { "precision": 1, "recall": 1, "f1": 1, "support": 3 },
               "Hannaea": { "precision": 1, "recall": 1, "f1": 1, "support": 3 } } }
END
`;

let engine: PodmanEngine;
let registry: Registry;
let base: string;
let workspace: string;
let runnerTemp: string;

beforeAll(async () => {
  engine = await preparePodman();
  await makeSmallImage(IMAGE, { program: 'podman', env: { ...process.env, ...engine.env } });
  registry = await startRegistry();
  await engine.trust(registry.host);
  base = mkdtempSync(join(tmpdir(), 'train-podman-'));
  [workspace, runnerTemp] = [join(base, 'workspace'), join(base, 'temp')];
  for (const folder of [workspace, runnerTemp]) mkdirSync(folder);
  writeFileSync(join(workspace, 'data.zip'), ZIP);
});

afterAll(async () => {
  await registry?.close();
  await engine?.close();
  if (base) rmSync(base, { recursive: true, force: true });
});

afterEach(async () => {
  expect(await engine.podman('ps', '--all', '--format', '{{.Names}}'), 'every container is gone').toBe('');
  expect(readdirSync(runnerTemp), 'nothing is left on the runner').toEqual([]);
});

const inModel = (name: string, folder = 'model') => join(workspace, folder, name);

async function train(inputs: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}) {
  const result = await runAction({
    action: 'train-model',
    workspace,
    inputs: {
      engine: 'podman',
      image: IMAGE,
      dataset: 'data.zip',
      gpus: 'none',
      'train-command': TRAIN,
      'test-command': TEST,
      'shm-size': '64m',
      'artifact-name': 'none',
      ...inputs,
    },
    env: { ...engine.env, RUNNER_TEMP: runnerTemp, ...env },
    program: join(import.meta.dirname, '..', '..', 'src', 'train-model', 'main.ts'),
  });
  return { ...result, error: /^::error::(.*)$/m.exec(result.stdout)?.[1] ?? '' };
}

describe('a training with the real Podman', () => {
  let result: ActionResult & { readonly error: string };

  beforeAll(async () => {
    result = await train({ env: 'EPOCHS=3' });
  });

  test('ends green, with the model and its figures', () => {
    expect(result).toMatchObject({ exitCode: 0, error: '' });
    expect(result.outputs).toMatchObject({ 'model-path': inModel('model.pth'), accuracy: '0.9' });
    expect(statSync(inModel('model.pth')).uid).toBe(process.getuid?.());
  });

  test('an image that was made here has no digest of a registry', () => {
    expect(result.outputs['image-digest']).toBe('');
  });

  test('the command ran as an ordinary user without rights and network, and could not write to the data', () => {
    const [user, data, network, capabilities, touch, environment] = readFileSync(
      inModel('surroundings.txt'),
      'utf8',
    ).split('\n');
    expect(Number(user)).toBe(process.getuid?.() || 1000);
    expect(data).toBe('test train ');
    expect(network).toBe('lo ');
    expect(capabilities).toBe('CapEff:\t0000000000000000');
    expect(touch).toMatch(/Read-only file system/);
    expect(environment).toBe('EPOCHS=3');
  });
});

test('an image of a private registry is pulled, known by its digest, and the account stays nowhere', async () => {
  const { host, username, password } = registry;
  const image = `${host}/lab/small:1`;
  const authFile = join(base, 'auth.json');
  await engine.podman('login', '--authfile', authFile, '--username', username, '--password', password, host);
  await engine.podman('push', '--authfile', authFile, IMAGE, image);
  const account = { 'registry-username': username, 'registry-password': password };
  const result = await train({ image, ...account, 'output-dir': 'pulled' });
  expect(result).toMatchObject({ exitCode: 0, error: '' });
  expect(result.outputs['image-digest']).toBe(await registry.digestOf('lab/small', '1'));
  const refused = await train({ image, ...account, 'registry-password': 'wrong', 'output-dir': 'refused' });
  expect(refused.error).toContain(`podman could not sign in to ${host} as ${username}: the registry refuses`);
});

describe('what goes wrong', () => {
  test('a GPU that no description of the toolkit names is said so, with the command that writes one', async () => {
    const { exitCode, error } = await train({ gpus: 'all', 'output-dir': 'gpu' });
    expect(exitCode).toBe(1);
    expect(error).toMatch(
      /podman could not start the container: podman knows no such GPU here.*nvidia-ctk cdi generate/,
    );
    expect(error).not.toContain('train-command');
  });

  test('a machine without catatonit is told to install it', async () => {
    const settings = join(base, 'no-init.conf');
    const limits = readFileSync(engine.env['CONTAINERS_CONF'] ?? '', 'utf8');
    writeFileSync(settings, `${limits}init_path = "${join(base, 'nothing', 'catatonit')}"\n`);
    const { error } = await train({ 'output-dir': 'init' }, { CONTAINERS_CONF: settings });
    expect(error).toMatch(/podman could not start the container: it lacks the program catatonit.*apt-get install/);
  });

  test('a command that is not in the image stays what it is', async () => {
    const { error } = await train({ 'train-command': 'python train.py', 'output-dir': 'missing' });
    expect(error).toContain('The train-command (“python train.py”) does not exist in the image (exit code 127)');
  });

  test('an image without a registry in its name is told that Podman has no default one', async () => {
    const { error } = await train({ image: 'nothing:here', 'output-dir': 'short' });
    expect(error).toMatch(/could not get the image nothing:here: podman has no default registry/);
  });

  test('time that is up stops the container', async () => {
    const inputs = { 'timeout-minutes': '0.05', 'train-command': 'exec sleep 300', 'output-dir': 'late' };
    const { exitCode, error } = await train(inputs);
    expect(exitCode).toBe(1);
    expect(error).toContain('The run was stopped after 3 s (input timeout-minutes)');
  });
});
