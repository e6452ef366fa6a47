import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { askProgram } from '../runner/ask-program.ts';
import { runProgram, startProgram } from '../runner/exec.ts';
import { info, withoutCommands } from '../runner/log.ts';
import { apptainerEnv, apptainerExecArgs, type Container, digestOf } from './container.ts';
import type { Ended, Engine, PreparedImage, RegistryAccount, RunOptions } from './engine.ts';
import { engineFailure, missingEngine } from './engine-failure.ts';
import { endOnNodes, endSteps, srunArgs, srunEnv } from './slurm-nodes.ts';

/** Apptainer's own exit code when it could not start the container. */
const ENGINE_FAILED = 255;

/**
 * Apptainer on this machine, as clusters have it.
 *
 * @param workDir a folder of this run, which receives the image and which the caller deletes
 * @param workspace what the path of a `.sif` file is relative to
 * @param uid who the runner is
 * @throws DiatomError `CONTAINER` when it can't be used
 */
export async function openApptainer(
  workDir: string,
  workspace: string,
  uid: number | undefined = process.getuid?.(),
): Promise<Engine> {
  if (uid === 0) {
    throw new DiatomError(
      'CONTAINER',
      'The runner is root, and with Apptainer so would be what runs in the container. Run the runner as an ordinary user, or set engine: docker.',
    );
  }
  const result = await askProgram('apptainer', ['version']).catch((error: unknown) => {
    throw missingEngine('apptainer', error);
  });
  if (result.exitCode !== 0) throw engineFailure('apptainer', 'be used', result.stderr);
  info(`Apptainer ${result.stdout.trim()}`);
  return {
    foreignOwner: undefined,
    prepareImage: (image, account, signal) => prepareImage(image, { account, workDir, workspace, signal }),
    run,
  };
}

async function prepareImage(
  image: string,
  options: {
    readonly account: RegistryAccount | undefined;
    readonly workDir: string;
    readonly workspace: string;
    readonly signal: AbortSignal;
  },
): Promise<PreparedImage> {
  const { account, workDir, workspace, signal } = options;
  const local = resolve(workspace, image);
  if (image.endsWith('.sif') && (await stat(local).catch(() => undefined))?.isFile()) {
    return { reference: local, digest: undefined };
  }
  const reference = join(workDir, 'image.sif');
  const env = account
    ? { APPTAINER_DOCKER_USERNAME: account.username, APPTAINER_DOCKER_PASSWORD: account.password }
    : {};
  const source = image.includes('://') ? image : `docker://${image}`;
  const result = await withoutCommands(() =>
    runProgram('apptainer', ['pull', '--force', reference, source], {
      env: { ...process.env, ...env },
      show: true,
      signal,
    }),
  );
  throwIfCancelled(signal);
  if (result.exitCode !== 0) throw engineFailure('apptainer', `get the image ${image}`, result.stderr);
  // Apptainer makes another file of the image and does not say which digest that had.
  return { reference, digest: digestOf(image, []) };
}

async function run(container: Container, { signal, graceSeconds }: RunOptions): Promise<Ended> {
  throwIfCancelled(signal);
  let force: NodeJS.Timeout | undefined;
  let leftovers: Promise<void> | undefined;
  const stop = (kill: (signal: 'SIGTERM' | 'SIGKILL') => void) => {
    kill('SIGTERM');
    force = setTimeout(() => {
      kill('SIGKILL');
      // Where Slurm does not answer, they end with the job.
      if (container.nodes) leftovers = endSteps(process.env).catch(() => {});
    }, graceSeconds() * 1_000);
  };
  return withoutCommands(async () => {
    const env = { ...process.env, ...apptainerEnv(container) };
    const { nodes } = container;
    const { result, kill } = nodes
      ? startProgram('srun', srunArgs(nodes, container), { env: srunEnv(env), show: true })
      : startProgram('apptainer', apptainerExecArgs(container), { env, show: true });
    const onAbort = () => stop(kill);
    signal.addEventListener('abort', onAbort);
    try {
      const { exitCode, outOfMemory, stderr } = nodes
        ? endOnNodes(await result)
        : { ...(await result), outOfMemory: false };
      if (exitCode === ENGINE_FAILED && !signal.aborted) {
        throw engineFailure('apptainer', 'start the container', stderr);
      }
      return { exitCode, outOfMemory, stderr };
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(force);
      await leftovers;
    }
  });
}
