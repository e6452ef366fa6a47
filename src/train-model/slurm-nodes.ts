import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { DiatomError } from '../errors.ts';
import { askProgram } from '../runner/ask-program.ts';
import { neededOnNodes } from '../schema/clashes.ts';
import { apptainerExecArgs, type Container, type Gpus, type Nodes } from './container.ts';
import type { Ended } from './engine.ts';
import type { Inputs } from './inputs.ts';

/** The exit code of our own script where a node lacks the runner’s folders. No signal, and none of a shell’s own. */
const NOT_SHARED = 113;

/** Gets the paths that each node has to see, “--”, and Apptainer’s arguments. */
const ON_EACH_NODE = `while [ "$1" != -- ]; do
  [ -e "$1" ] || { echo "The node \${SLURMD_NODENAME:-$(hostname)} does not see $1." >&2; exit ${NOT_SHARED}; }
  shift
done
shift
APPTAINERENV_PET_NODE_RANK=$SLURM_NODEID exec apptainer "$@"`;

/** What Slurm and Apptainer read, and a user’s session has. */
const PASSED_ON =
  /^(SLURM|SRUN|APPTAINER|SINGULARITY|LC)_|^APPTAINERENV_|^(PATH|HOME|USER|LOGNAME|SHELL|LANG|TMPDIR|LD_LIBRARY_PATH)$|^(https?|all|no)_proxy$/i;

/**
 * The nodes that sbatch has given this job (sbatch(1), “Output environment variables”); `undefined` on one machine.
 *
 * @throws DiatomError `INPUT` where the training would use one of them, or run once on each instead of once on all
 */
export function slurmNodes(
  env: NodeJS.ProcessEnv,
  { engine, trainCommand }: Pick<Inputs, 'engine' | 'trainCommand'>,
): Nodes | undefined {
  const count = Number(env['SLURM_JOB_NUM_NODES'] ?? 1);
  if (!(count > 1)) return undefined;
  const needed = neededOnNodes(engine, trainCommand);
  if (needed === undefined) return { count, cpus: env['SLURM_CPUS_PER_TASK'] };
  throw new DiatomError(
    'INPUT',
    `This runner is in a Slurm job of ${count} nodes (slurm-nodes), which needs ${needed}`,
  );
}

/**
 * Where the training has what it needs to make one team of the processes on all nodes: torchrun takes its options from
 * variables of the environment as well, `PET_` before an option’s name (torch/distributed/argparse_util.py). Its processes
 * meet at the first node.
 */
export async function torchrunEnv({ count }: Nodes, gpus: Gpus): Promise<[string, string][]> {
  const each = gpus === 'none' ? '1' : gpus === 'all' ? 'gpu' : String(gpus.length);
  return [
    ['PET_NNODES', String(count)],
    ['PET_NPROC_PER_NODE', each],
    ['PET_MASTER_ADDR', hostname()],
    ['PET_MASTER_PORT', String(await freePort())],
  ];
}

/**
 * The arguments of `srun` that start a container on each node, whose processes talk to each other by the machines’ own
 * network. What goes wrong on one ends the others, which would wait for it.
 */
export function srunArgs({ count, cpus }: Nodes, container: Container): string[] {
  const needed = [container.image, ...container.mounts.map(({ source }) => source)];
  return [
    ...[`--nodes=${count}`, `--ntasks=${count}`, '--ntasks-per-node=1', '--kill-on-bad-exit=1'],
    // The first node has the results to write when the others have ended, for which a cluster’s WaitTime leaves no time.
    '--wait=0',
    // Else what a job was sent with (SLURM_EXPORT_ENV) counts here, too.
    '--export=ALL',
    ...(cpus === undefined ? [] : [`--cpus-per-task=${cpus}`]),
    ...['/bin/sh', '-c', ON_EACH_NODE, 'sh', ...needed, '--'],
    ...apptainerExecArgs({ ...container, network: true }),
  ];
}

/** What of an environment goes to the other nodes: not this action’s inputs, nor a token of the job’s. */
export function srunEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.test(name)));
}

/**
 * How a training on several nodes ended: as the first task did that failed, since srun ends with the highest code, which
 * may be that of those it has ended itself.
 *
 * @throws DiatomError `CONTAINER` when srun could not start it, or a node lacks the runner’s folders
 */
export function endOnNodes({ exitCode, stderr }: Omit<Ended, 'outOfMemory'>): Ended {
  const [, first] = /srun: error: \S+: tasks? [\d,-]+: (.*)/.exec(stderr) ?? [];
  const [, itsCode] = /^Exited with exit code (\d+)/.exec(first ?? '') ?? [];
  const code = exitCode === 0 ? 0 : Number(itsCode ?? exitCode);
  if (code === NOT_SHARED) {
    const [sentence = 'A node does not see the runner’s folders.'] = /^The node .*$/m.exec(stderr) ?? [];
    throw new DiatomError(
      'CONTAINER',
      `${sentence} A training on several nodes needs its folders on a disk that all of them share: let slurm-work-dir lie on one, and DIATOM_WORK_DIR of slurm-setup, too, or leave that out.`,
    );
  }
  if (code !== 0 && /exec: apptainer: not found/.test(stderr)) {
    throw new DiatomError(
      'CONTAINER',
      'A node of the job does not find the program “apptainer”: it has to be on the PATH of all of them, by “module load” in slurm-setup for example.',
    );
  }
  const [, refusal] =
    /srun: error: ((?:Unable to|Invalid|Requested|Task launch|Application launch|Job step).*)/.exec(stderr) ?? [];
  if (code !== 0 && first === undefined && refusal !== undefined) {
    throw new DiatomError('CONTAINER', `Slurm could not start the training on the job’s nodes: ${refusal}`);
  }
  return { exitCode: code, outOfMemory: /srun: error: .*(Out Of Memory|oom[-_]kill)/i.test(stderr), stderr };
}

/** Ends what an srun that was killed has left on the nodes. The step `batch` is this runner itself. */
export async function endSteps(env: NodeJS.ProcessEnv): Promise<void> {
  const { stdout } = await askProgram('squeue', ['--steps', '--noheader', '--format=%i']);
  const own = `${env['SLURM_JOB_ID']}.`;
  const steps = stdout.split(/\s+/).filter((id) => id.startsWith(own) && /\.\d+$/.test(id));
  if (steps.length > 0) await askProgram('scancel', ['--signal=KILL', ...steps]);
}

/** One that nobody listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
