import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { runAction, startAction } from '../../scripts/run-action.ts';
import { baseImage } from '../helpers/base-image.ts';
import { requireCommand, run } from '../helpers/commands.ts';
import { type DockerEngine, startDocker } from '../helpers/docker.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { type SlurmCluster, startSlurm } from '../helpers/slurm.ts';
import { bmp } from '../helpers/tiny-data-set.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MODEL = join(ROOT, 'templates', 'model');
const IMAGE = `diatom-actions-tests/slurm-nodes:${process.pid}`;
/** Whom each Debian has; Apptainer refuses to run as root. */
const USER = { name: 'nobody', id: 65_534 };

/** The Python of these tests' image is newer than its torchrun, which takes the last two for what they are not. */
const TORCHRUN = ['PET_TEE=1', 'PET_REDIRECTS=1'];
const SETTINGS = [
  ...['DEVICE=cpu', 'INITIAL_WEIGHTS=none', 'WARMUP_EPOCHS=0', 'AUGMENT=none', 'IMAGE_SIZE=32', 'WORKERS=0'],
  ...['OMP_NUM_THREADS=1', 'FOLDS=2', 'BOOTSTRAP_SAMPLES=100', 'LABEL_CHECK=off', ...TORCHRUN],
];

let cluster: SlurmCluster;
let docker: DockerEngine;
let programs: string;
let jobPath: string;

beforeAll(async () => {
  requireCommand('apptainer', '“.ci/install-tools FOLDER apptainer”', ['--version']);
  docker = await startDocker();
  const container = (await run('docker', ['create', await baseImage()])).trim();
  await run('docker', ['cp', MODEL, `${container}:/model`]);
  await run('docker', ['commit', container, IMAGE]);
  await run('docker', ['rm', container]);
  programs = (await run('mktemp', ['--directory', '/tmp/slurm-nodes-XXXXXX'])).trim();
  chmodSync(programs, 0o755);
  copyFileSync(process.execPath, join(programs, 'node'));
  cpSync(join(ROOT, 'dist', 'train-model'), join(programs, 'bundle'), { recursive: true });
  // Where only root may enter, the user can't start it.
  const apptainer = (
    await run('readlink', ['-f', await run('which', ['apptainer']).then((text) => text.trim())])
  ).trim();
  await run('cp', ['-R', resolve(dirname(apptainer), '..'), join(programs, 'apptainer')]);
  jobPath = `${join(programs, 'apptainer', 'bin')}:/usr/local/bin:/usr/bin:/bin`;
  // A larger file is quicker than a packed one.
  const quick = ['--mksquashfs-args', '-noI -noD -noF -noX'];
  await run('apptainer', ['build', ...quick, join(programs, 'model.sif'), `docker-daemon:${IMAGE}`]);
  await run('chmod', ['-R', 'a+rX', programs]);
  cluster = await startSlurm({ nodes: 2 });
});

afterAll(async () => {
  await cluster?.stop();
  if (docker) await run('docker', ['image', 'rm', '--force', IMAGE]);
  await docker?.close();
  if (programs !== undefined) await run('rm', ['-rf', programs]);
});

/** Two classes that a network learns in a minute: dark images, and bright ones. */
function writeSet(folder: string): void {
  const channels = (colour: number) => bmp(colour).subarray(54, 57);
  const colours = Array.from({ length: 10_000 }, (_, index) => index);
  const kinds = {
    Dark: colours.filter((colour) => channels(colour).every((value) => value < 90)),
    Bright: colours.filter((colour) => channels(colour).every((value) => value > 150 && value < 250)),
  };
  for (const [label, [...left]] of Object.entries(kinds)) {
    for (const [split, count] of [
      ['train', 24],
      ['test', 12],
    ] as const) {
      mkdirSync(join(folder, split, label), { recursive: true });
      for (const colour of left.splice(0, count))
        writeFileSync(join(folder, split, label, `${colour}.bmp`), bmp(colour));
    }
  }
}

/** A training in a job of so many nodes, whose runner has this workspace. */
function training(nodes: number, command: string, settings: readonly string[]) {
  const workspace = temporaryFolder('slurm-nodes');
  writeSet(join(workspace, 'set'));
  chmodSync(workspace, 0o755);
  chownSync(workspace, USER.id, USER.id);
  const options = {
    action: 'train-model',
    workspace,
    program: join(import.meta.dirname, '..', 'helpers', 'in-slurm-job.ts'),
    inputs: {
      ...{ engine: 'apptainer', image: join(programs, 'model.sif'), dataset: 'set', gpus: 'none' },
      ...{ 'train-command': command, 'test-command': 'python3 /model/test.py', 'artifact-name': 'none' },
      env: [...SETTINGS, ...settings].join('\n'),
      network: 'true',
    },
    env: {
      ...cluster.environment,
      JOB_PROGRAMS: programs,
      JOB_USER: USER.name,
      JOB_OPTIONS: `--nodes=${nodes} --ntasks-per-node=1 --cpus-per-task=2 --time=60`,
      JOB_PATH: jobPath,
    },
  } as const;
  return { options, model: join(workspace, 'model') };
}

const metricsSchema = z.object({ macro_f1: z.number() });
const macroF1 = (model: string) =>
  metricsSchema.parse(JSON.parse(readFileSync(join(model, 'metrics.json'), 'utf8'))).macro_f1;

test('two nodes of a cluster train one model together, whose figures are those of one machine', async () => {
  const epochs = ['EPOCHS=30', 'PATIENCE=30', 'LR=1e-3'];
  const one = training(1, 'torchrun /model/train.py', ['BATCH_SIZE=12', ...epochs]);
  const alone = await runAction(one.options);
  expect(alone.exitCode, alone.stdout).toBe(0);
  // The same images a step: so many on each.
  const command = 'echo "node $PET_NODE_RANK of $PET_NNODES"; exec torchrun /model/train.py';
  const two = training(2, command, ['BATCH_SIZE=6', ...epochs]);
  const together = await runAction(two.options);
  expect(together.exitCode, together.stdout).toBe(0);
  for (const rank of [0, 1]) expect(together.stdout).toContain(`node ${rank} of 2`);
  expect(together.stdout).toContain('on 2 × CPU');
  expect(alone.stdout).toContain('on 1 × CPU');
  // Statistics of batches are each process’s own, so that the two are not the same to the last digit.
  expect(macroF1(one.model)).toBeGreaterThan(0.9);
  expect(Math.abs(macroF1(two.model) - macroF1(one.model))).toBeLessThan(0.1);
});

test('a cancelled training ends on all nodes, and keeps its checkpoint', async () => {
  const { options, model } = training(2, 'torchrun /model/train.py', ['BATCH_SIZE=4', 'EPOCHS=1000', 'PATIENCE=1000']);
  let log = '';
  const running = startAction({
    ...options,
    onOutput(text) {
      log += text;
    },
  });
  const begins = () => expect(existsSync(join(model, 'history.csv')), log).toBe(true);
  await vi.waitFor(begins, {
    timeout: 300_000,
    interval: 500,
  });
  const [bundle] = (await run('pgrep', ['--uid', USER.name, '--full', join(programs, 'bundle')])).trim().split('\n');
  await run('kill', ['-INT', bundle ?? '']);
  const { exitCode, stdout } = await running.result;
  expect(exitCode, stdout).not.toBe(0);
  expect(existsSync(join(model, 'checkpoint', 'checkpoint.pt')), stdout).toBe(true);
  await vi.waitFor(async () => expect(await cluster.jobs()).toEqual([]), { timeout: 60_000 });
  await expect(run('pgrep', ['--uid', USER.name, '--full', 'train.py'])).rejects.toThrow();
});
