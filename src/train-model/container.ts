/** Which GPUs a container gets: all, none, or some by number or id. */
export type Gpus = 'all' | 'none' | readonly string[];

/** A folder of this machine in a container. */
export interface Mount {
  /** Absolute. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** Where containers find their folders. */
export const DATA_DIR = '/data';
export const OUTPUT_DIR = '/output';

/** Environment variables that a user can't set: they are the contract with the image, and its writable home. */
export const RESERVED_VARIABLES: readonly string[] = ['DATA_DIR', 'OUTPUT_DIR', 'WEIGHTS', 'HOME', 'SETTINGS_COMMIT'];

/** The machines of the Slurm job that this runner is in, when there are several. The runner is on the first. */
export interface Nodes {
  readonly count: number;
  /** Processors of each task; srun does not take them from the job since Slurm 22.05. */
  readonly cpus: string | undefined;
}

/** One container, whatever runs it. */
export interface Container {
  /** Known before it exists, so that it can be removed whatever happens. */
  readonly name: string;
  /** As `PreparedImage` names it. */
  readonly image: string;
  /** For the image's shell. */
  readonly command: string;
  readonly mounts: readonly Mount[];
  readonly env: ReadonlyMap<string, string>;
  readonly network: boolean;
  readonly gpus: Gpus;
  /** As Docker writes sizes, such as `8g`. */
  readonly shmSize: string;
  /** One is started on each of them; without, one here. */
  readonly nodes?: Nodes | undefined;
}

/** Who runs in a container of Docker or Podman. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Podman without root maps users; this keeps the own one what it is. */
  readonly keepId?: boolean | undefined;
}

/**
 * The arguments of `docker run` or `podman run`, which understand the same ones except for GPUs: Podman has them by the
 * Container Device Interface (docs.nvidia.com, Container Toolkit, “Support for Container Device Interface”).
 *
 * @param envFile path of a file with the container's environment: arguments could be read by every user of the machine
 */
export function dockerRunArgs(
  engine: 'docker' | 'podman',
  container: Container,
  { user, envFile }: { readonly user: ContainerUser; readonly envFile: string },
): string[] {
  const { name, image, command, mounts, network, gpus, shmSize } = container;
  return [
    ...['run', '--name', name, '--init'],
    ...(network ? [] : ['--network', 'none']),
    ...(user.keepId ? ['--userns', 'keep-id'] : []),
    ...['--user', `${user.uid}:${user.gid}`],
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    // Else SELinux, on the systems that come with Podman, forbids the container to touch the mounted folders.
    ...(engine === 'podman' ? ['--security-opt', 'label=disable'] : []),
    ...['--shm-size', shmSize],
    ...(engine === 'docker' ? dockerGpus(gpus) : podmanGpus(gpus)),
    ...['--env-file', envFile],
    ...mounts.flatMap(({ source, target, readOnly }) => [
      '--mount',
      mountText(['type=bind', `source=${source}`, `target=${target}`, ...(readOnly ? ['readonly'] : [])]),
    ]),
    ...['--entrypoint', '/bin/sh', image, '-c', shellCommand(command)],
  ];
}

/**
 * The arguments of `apptainer exec`. Apptainer has no names, no users and no shared memory of its own; a container is
 * the process that started it. `--no-eval` keeps the values of variables from being evaluated by a shell.
 */
export function apptainerExecArgs({ image, command, mounts, network, gpus }: Container): string[] {
  return [
    ...['exec', '--containall', '--no-eval'],
    ...(network ? [] : ['--net', '--network', 'none']),
    ...(gpus === 'none' ? [] : ['--nv']),
    ...mounts.flatMap(({ source, target, readOnly }) => [
      '--mount',
      mountText(['type=bind', `source=${source}`, `destination=${target}`, ...(readOnly ? ['ro'] : [])]),
    ]),
    ...[image, '/bin/sh', '-c', shellCommand(command)],
  ];
}

/** The variables by which Apptainer hands an environment to a container: `APPTAINERENV_<name>`. It sets HOME itself. */
export function apptainerEnv({ env, gpus }: Pick<Container, 'env' | 'gpus'>): Record<string, string> {
  const devices: [string, string][] = typeof gpus === 'string' ? [] : [['CUDA_VISIBLE_DEVICES', gpus.join(',')]];
  const variables = [...devices, ...env].filter(([name]) => name !== 'HOME');
  return Object.fromEntries(variables.map(([name, value]) => [`APPTAINERENV_${name}`, value]));
}

/** A file for `--env-file`: `NAME=value` a line, taken literally. */
export function envFileText(env: ReadonlyMap<string, string>): string {
  return [...env].map(([name, value]) => `${name}=${value}\n`).join('');
}

/**
 * A command for `sh -c`. A plain one replaces the shell, so that a request to stop (SIGTERM) reaches the program that
 * trains and not a shell before it, which would just go away; one with operators of the shell stays as it is.
 */
export function shellCommand(command: string): string {
  const isPlain = /^\s*[\w./-]+(\s|$)/.test(command) && !/[;&|<>(){}\n`!]/.test(command);
  const isShells =
    /^\s*(\.|:|\[|alias|break|case|cd|command|eval|exec|exit|export|for|if|read|set|test|trap|ulimit|umask|unset|until|while)(\s|$)/;
  return isPlain && !isShells.test(command) ? `exec ${command.trim()}` : command;
}

/** The registry of an image as Docker reads it: what is before the first `/`, if it looks like a host; else Docker Hub. */
export function registryOf(image: string): string | undefined {
  const [host = '', ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(host) || host === 'localhost') ? host : undefined;
}

/** A digest of `references` (`name@sha256:…`): the one of the image's own name, else the first. */
export function digestOf(image: string, references: readonly string[]): string | undefined {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const own = references.find((reference) => reference.startsWith(`${name}@`)) ?? references[0];
  return own?.slice(own.indexOf('@') + 1) ?? /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1];
}

/** Docker reads `--gpus` as CSV, so that a comma between devices needs quotes (github.com/docker/cli, opts/gpus.go). */
function dockerGpus(gpus: Gpus): string[] {
  if (gpus === 'none') return [];
  return ['--gpus', gpus === 'all' ? 'all' : `"device=${gpus.join(',')}"`];
}

function podmanGpus(gpus: Gpus): string[] {
  if (gpus === 'none') return [];
  return (gpus === 'all' ? ['all'] : gpus).flatMap((device) => ['--device', `nvidia.com/gpu=${device}`]);
}

/** `--mount` is one line of CSV. */
function mountText(fields: readonly string[]): string {
  return fields.map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}
