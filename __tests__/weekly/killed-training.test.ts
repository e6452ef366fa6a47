import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type RunningAction, startAction } from '../../scripts/run-action.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { baseImage } from '../helpers/base-image.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, type DockerEngine, startDocker } from '../helpers/docker.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const MODEL = join(import.meta.dirname, '..', '..', 'templates', 'model');
const IMAGE = `diatom-actions-tests/killed-training:${process.pid}`;
const RUN_ID = String(910_000_000 + process.pid);

const IMAGES = ['train', 'test'].flatMap((split, side) =>
  ['Gomphonema', 'Hannaea'].flatMap((label, kind) =>
    Array.from({ length: split === 'train' ? 10 : 3 }, (_, index) => ({
      path: `${split}/${label}/${index}.bmp`,
      label,
      split,
      content: bmp(100 * side + 50 * kind + index),
    })),
  ),
);
const noteSchema = z.object({ files: z.array(z.object({ name: z.string(), sha256: z.string() })) });
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const MANIFEST = ['path,label,split,sha256,group\n'].concat(
  IMAGES.map(({ path, label, split, content }) => `${path},${label},${split},${sha256(content)},\n`),
);
const ZIP = buildZip({
  entries: [
    ...IMAGES.map(({ path, content }) => ({ name: `results/${path}`, data: content })),
    { name: 'results/manifest.csv', data: MANIFEST.join('') },
    { name: 'results/dataset.json', data: '{"format":1,"seed":"1"}' },
  ],
});
const SETTINGS = [
  ...['DEVICE=cpu', 'INITIAL_WEIGHTS=none', 'EPOCHS=5', 'WARMUP_EPOCHS=0'],
  ...['BATCH_SIZE=4', 'IMAGE_SIZE=32', 'WORKERS=0', 'OMP_NUM_THREADS=1', 'FOLDS=2', 'BOOTSTRAP_SAMPLES=100'],
];

let docker: DockerEngine;
let owncloud: ApacheServer;

beforeAll(async () => {
  docker = await startDocker();
  const container = (await run('docker', ['create', await baseImage()])).trim();
  await run('docker', ['cp', MODEL, `${container}:/model`]);
  await run('docker', ['commit', '--change', 'WORKDIR /model', container, IMAGE]);
  await run('docker', ['rm', container]);
  owncloud = await startApache();
  writeFileSync(join(owncloud.directory, 'set.zip'), ZIP);
});

afterAll(async () => {
  await owncloud?.close();
  if (docker) await run('docker', ['image', 'rm', '--force', IMAGE]);
  await docker?.close();
});

/** A machine of which nobody has heard before, and what trains on it. */
function newMachine(key: string) {
  const base = temporaryFolder('machine');
  const [workspace, temp] = [join(base, 'workspace'), join(base, 'temp')];
  for (const folder of [workspace, temp]) mkdirSync(folder);
  let log = '';
  const action = startAction({
    action: 'train-model',
    workspace,
    inputs: {
      image: IMAGE,
      dataset: 'set.zip',
      'owncloud-url': owncloud.url,
      'owncloud-username': owncloud.username,
      'owncloud-password': owncloud.password,
      gpus: 'none',
      'train-command': 'python3 train.py',
      'test-command': 'python3 test.py',
      env: SETTINGS.join('\n'),
      'shm-size': '64m',
      'artifact-name': 'none',
      'checkpoint-minutes': '0.005',
      key,
    },
    env: { GITHUB_RUN_ID: RUN_ID, RUNNER_TEMP: temp },
    onOutput: (text) => {
      log += text;
    },
  });
  return { action, model: join(workspace, 'model'), log: () => log };
}

/** Nothing of it is asked to stop. */
async function kill(action: RunningAction): Promise<void> {
  action.kill('SIGKILL');
  for (const name of await containersNamed(`diatom-${RUN_ID}`)) await run('docker', ['rm', '--force', name]);
  expect((await action.result).exitCode).toBe(137);
}

const historyOf = (model: string) =>
  readFileSync(join(model, 'history.csv'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.replace(/,[^,]*$/, ''));

test('a training that is killed three times, each time with its machine, ends with the same model as an undisturbed one', async () => {
  const undisturbed = newMachine('undisturbed');
  const whole = await undisturbed.action.result;
  expect(whole, undisturbed.log()).toMatchObject({ exitCode: 0 });

  const folder = join(owncloud.directory, 'checkpoints', `${RUN_ID}-killed`);
  /** Of the network, and not of what is prepared before its first epoch. */
  const stored = () => {
    const note = join(folder, 'checkpoint.json');
    const files = existsSync(note) ? noteSchema.parse(JSON.parse(readFileSync(note, 'utf8'))).files : [];
    return files.find(({ name }) => name === 'checkpoint.pt')?.sha256;
  };
  for (const attempt of [1, 2, 3]) {
    const before = stored();
    const { action, log } = newMachine('killed');
    await vi.waitFor(() => expect(stored(), log()).not.toBe(before), { timeout: 120_000, interval: 50 });
    await kill(action);
    if (attempt > 1) expect(log()).toMatch(/An earlier attempt of this training was cut short[\s\S]*Going on from/);
  }
  const last = newMachine('killed');
  expect(await last.action.result, last.log()).toMatchObject({ exitCode: 0 });
  expect(last.log()).toMatch(/Going on from \/output\/checkpoint\/checkpoint\.pt: epoch [3-5]/);
  expect(sha256(readFileSync(join(last.model, 'model.pth')))).toBe(
    sha256(readFileSync(join(undisturbed.model, 'model.pth'))),
  );
  expect(historyOf(last.model)).toEqual(historyOf(undisturbed.model));
  // Nobody has to go on from anything any more.
  expect(readdirSync(join(owncloud.directory, 'checkpoints'))).toEqual([]);
});
