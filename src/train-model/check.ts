import { randomBytes } from 'node:crypto';
import { DiatomError } from '../errors.ts';
import { freeBytes } from '../files/free-bytes.ts';
import { formatBytes } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import { PREFLIGHT_POLICY } from '../http/retry.ts';
import { connect } from '../owncloud/connect.ts';
import { askProgram } from '../runner/ask-program.ts';
import { runProgram } from '../runner/exec.ts';
import { type Finding, find } from '../runner/findings.ts';
import { openApptainer } from './apptainer-engine.ts';
import { openDocker } from './docker-engine.ts';
import { engineFailure } from './engine-failure.ts';
import type { Inputs } from './inputs.ts';

interface CheckContext {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  /** A folder of this run, which the caller deletes. */
  readonly workDir: string;
}

/** What an image with PyTorch and CUDA takes when it is unpacked, and a data set beside it, at least. */
const LEAST_BYTES = 10e9;

/** What the first program in a container says when there is no shell to start: Docker’s tini, Podman’s catatonit. */
const NO_SHELL = /\/bin\/sh|failed to exec pid1/i;

/** An empty tar: two blocks of zeros. */
const EMPTY_TAR = '\0'.repeat(1_024);

/** Finds out in seconds whether this machine can train: engine, GPUs in containers, disk, ownCloud. Nothing is pulled. */
export async function check(inputs: Inputs, context: CheckContext): Promise<Finding[]> {
  const { signal } = context;
  return [
    await find('Container engine', signal, () => checkEngine(inputs, context)),
    await find('GPU in containers', signal, () => checkGpu(inputs, context)),
    await find('Disk', signal, () => checkDisk(inputs.workspace, LEAST_BYTES)),
    await find('ownCloud', signal, () => checkOwncloud(inputs, context)),
  ];
}

async function checkEngine({ engine, workspace }: Inputs, { workDir }: CheckContext): Promise<string> {
  await (engine === 'apptainer' ? openApptainer(workDir, workspace) : openDocker(engine, workDir));
  return `${engine} can be used`;
}

async function checkGpu({ engine, gpus }: Inputs, { workDir, signal }: CheckContext): Promise<string> {
  if (gpus === 'none') return 'not asked for (gpus: none)';
  const seen = await gpusOfMachine(signal);
  if (engine === 'apptainer') return `${seen}; whether a container gets them, only the training shows`;
  await giveGpuTo(engine, gpus, workDir, signal);
  return `a container was given what gpus asks for; on this machine: ${seen}`;
}

/** @throws DiatomError `CONTAINER` when the machine has none, or no driver */
async function gpusOfMachine(signal: AbortSignal): Promise<string> {
  const none = (why: string, cause?: unknown) =>
    new DiatomError(
      'CONTAINER',
      `this machine has no NVIDIA GPU that can be used: ${why}. Install the NVIDIA driver, choose another runner, or set gpus: none to train on the CPU.`,
      { cause },
    );
  const { exitCode, stdout, stderr } = await runProgram('nvidia-smi', ['-L'], { signal }).catch((error: unknown) => {
    throw none('there is no program nvidia-smi, which comes with the driver', error);
  });
  const names = stdout.split('\n').flatMap((line) => /^GPU \d+: (.*?) \(/.exec(line)?.[1] ?? []);
  if (exitCode === 0 && names.length > 0) return names.join(', ');
  throw none(`nvidia-smi says “${(stderr.trim() || stdout.trim()).slice(-300)}”`);
}

/**
 * Starts a container of an image without any file, to which the engine has to give the GPUs before it finds that there is
 * nothing to execute.
 */
async function giveGpuTo(
  name: 'docker' | 'podman',
  gpus: Inputs['gpus'],
  workDir: string,
  signal: AbortSignal,
): Promise<void> {
  const engine = await openDocker(name, workDir);
  const made = await runProgram(name, ['import', '-'], { input: EMPTY_TAR, signal });
  const image = made.stdout.trim().split('\n').at(-1) ?? '';
  if (made.exitCode !== 0 || image === '') throw engineFailure(name, 'make an empty image', made.stderr);
  try {
    const { stderr } = await engine.run(
      {
        name: `diatom-check-${randomBytes(4).toString('hex')}`,
        image,
        command: 'true',
        mounts: [],
        env: new Map(),
        network: false,
        gpus,
        shmSize: '64m',
      },
      { signal, graceSeconds: () => 1 },
    );
    if (NO_SHELL.test(stderr) && !/cdi|nvidia/i.test(stderr)) return;
    throw engineFailure(name, 'give a GPU to a container', stderr);
  } finally {
    await askProgram(name, ['rmi', '--force', image]);
  }
}

export async function checkDisk(folder: string, least: number): Promise<string> {
  const free = await freeBytes(folder);
  if (free >= least) return `${formatBytes(free)} free at ${folder}`;
  throw new DiatomError(
    'DISK',
    `only ${formatBytes(free)} free at ${folder}, and image and data set take at least ${formatBytes(least)}: free some space (docker system prune), or use a larger disk.`,
  );
}

async function checkOwncloud({ owncloud }: Inputs, { http, signal }: CheckContext): Promise<string> {
  if (!owncloud) return 'not asked for (owncloud-url is empty)';
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const remote = await connect(owncloud, { http, signal, onWarning, policy: PREFLIGHT_POLICY });
  return [`${remote.description}: signed in`, ...warnings].join('. ');
}
