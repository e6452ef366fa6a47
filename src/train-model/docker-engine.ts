import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { systemCodeOf, throwIfCancelled } from '../errors.ts';
import { askProgram } from '../runner/ask-program.ts';
import { type ProgramOptions, type ProgramResult, runProgram } from '../runner/exec.ts';
import { info, warn, withoutCommands } from '../runner/log.ts';
import { type Container, type ContainerUser, digestOf, dockerRunArgs, envFileText, registryOf } from './container.ts';
import type { Ended, Engine, PreparedImage, RegistryAccount, RunOptions } from './engine.ts';
import { engineFailure, missingEngine } from './engine-failure.ts';

type Name = 'docker' | 'podman';

/** Whom containers run as when the runner is root: an ordinary user, whoever that is on this machine. */
const ORDINARY_USER = { uid: 1000, gid: 1000 };

/** The engine's own exit code of `run` (docs.docker.com, “docker container run”, exit status). */
const ENGINE_FAILED = 125;

/** What Podman, too, ends with when it could not start a container, a GPU being unknown to it for example. */
const MAYBE_ENGINE_FAILED = [126, 127];

const imageFacts = z.object({
  Id: z.string(),
  Digest: z.nullish(z.string()),
  RepoDigests: z.nullish(z.array(z.string())),
});

/**
 * Docker or Podman on this machine.
 *
 * @param workDir a folder of this run for secrets and settings, which the caller deletes
 * @throws DiatomError `CONTAINER` when it can't be used, with what to do about it
 */
export async function openDocker(name: Name, workDir: string): Promise<Engine> {
  const user = await userFor(name);
  return {
    foreignOwner: process.getuid?.() === 0 && user.uid !== 0 ? user : undefined,
    prepareImage: (image, account, signal) => prepareImage(name, { image, account, workDir, signal }),
    run: (container, options) => run(name, container, { ...options, user, workDir }),
  };
}

/**
 * Removes a container that may still run, be gone, or never have been.
 *
 * @throws DiatomError `CONTAINER` when the engine can't say that it is gone
 */
export async function removeContainer(engine: Name, name: string): Promise<void> {
  const result = await call(engine, ['rm', '--force', '--volumes', name]).catch((error: unknown) => {
    // Where there is no engine there is no container.
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!result || result.exitCode === 0 || isMissing(result)) return;
  throw engineFailure(
    engine,
    `remove the container ${name}; remove it by hand (${engine} rm -f ${name})`,
    result.stderr,
  );
}

/**
 * The runner's own user, so that its files are its own. Root never is: root in a container is root on the machine, if
 * it gets out. An engine that runs without root maps users: root in its containers is the runner's own user outside.
 */
async function userFor(engine: Name): Promise<ContainerUser> {
  const format = engine === 'docker' ? '{{json .SecurityOptions}}' : '{{.Host.Security.Rootless}}';
  const result = await ask(engine, ['info', '--format', format]);
  if (result.exitCode !== 0) throw engineFailure(engine, 'be used', result.stderr);
  const rootless = result.stdout.includes(engine === 'docker' ? 'name=rootless' : 'true');
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  if (rootless) return engine === 'docker' ? { uid: 0, gid: 0 } : { uid, gid, keepId: true };
  return uid === 0 ? ORDINARY_USER : { uid, gid };
}

interface ImageRequest {
  readonly image: string;
  readonly account: RegistryAccount | undefined;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function prepareImage(engine: Name, request: ImageRequest): Promise<PreparedImage> {
  const { image, account, signal } = request;
  const pulled = account ? await pullSignedIn(engine, request, account) : await pull(engine, image, { signal });
  throwIfCancelled(signal);
  const found = await ask(engine, ['image', 'inspect', '--format', '{{json .}}', image]);
  const failure = () => engineFailure(engine, `get the image ${image}`, pulled.stderr || found.stderr);
  // Who gave an account wants what the registry has, and not what an earlier run may have left.
  if (pulled.exitCode !== 0 && (account || found.exitCode !== 0)) throw failure();
  if (found.exitCode !== 0) throw failure();
  // Podman up to 4.3 answers with a list of one.
  const facts = imageFacts.parse([JSON.parse(found.stdout)].flat()[0]);
  const digest = digestOf(image, registryDigests(facts));
  if (pulled.exitCode !== 0) {
    warn(`The image that is on this machine is used, because it can’t be fetched again: ${failure().message}`);
  }
  info(`Image ${image}: ${digest ?? `${facts.Id}, of no registry`}`);
  return { reference: facts.Id, digest };
}

/** Signs in for the one pull, in a configuration of its own, so that nothing of it stays on the machine. */
async function pullSignedIn(
  engine: Name,
  { image, workDir, signal }: ImageRequest,
  { username, password }: RegistryAccount,
): Promise<ProgramResult> {
  const configuration = await mkdtemp(join(workDir, 'registry-'));
  try {
    const env = {
      ...process.env,
      DOCKER_CONFIG: configuration,
      REGISTRY_AUTH_FILE: join(configuration, 'auth.json'),
      ...(engine === 'docker' ? await dockerHost() : {}),
    };
    const registry = registryOf(image);
    const args = ['login', '--username', username, '--password-stdin', ...(registry === undefined ? [] : [registry])];
    // Podman has no default registry.
    if (engine === 'podman' && registry === undefined) args.push('docker.io');
    const login = await call(engine, args, { env, input: password, signal });
    throwIfCancelled(signal);
    if (login.exitCode !== 0) {
      throw engineFailure(engine, `sign in to ${registry ?? 'Docker Hub'} as ${username}`, login.stderr);
    }
    return await pull(engine, image, { env, signal });
  } finally {
    await rm(configuration, { recursive: true, force: true });
  }
}

/** Another configuration knows nothing of the context that the user's own may name (rootless, remote): it is kept. */
async function dockerHost(): Promise<Record<string, string>> {
  if (process.env['DOCKER_HOST']) return {};
  const result = await ask('docker', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  const host = result.stdout.trim();
  return result.exitCode === 0 && host !== '' ? { DOCKER_HOST: host } : {};
}

function pull(engine: Name, image: string, options: ProgramOptions): Promise<ProgramResult> {
  return withoutCommands(() => call(engine, ['pull', image], { ...options, show: true }));
}

async function run(
  engine: Name,
  container: Container,
  { signal, graceSeconds, user, workDir }: RunOptions & { readonly user: ContainerUser; readonly workDir: string },
): Promise<Ended> {
  throwIfCancelled(signal);
  const { name } = container;
  const envFile = join(workDir, 'container.env');
  await writeFile(envFile, envFileText(container.env), { mode: 0o600 });
  let ended = false;
  let stopping: Promise<void> | undefined;
  const onAbort = () => {
    stopping = stop(engine, name, graceSeconds(), () => ended);
  };
  signal.addEventListener('abort', onAbort);
  try {
    const args = dockerRunArgs(engine, container, { user, envFile });
    const result = await withoutCommands(() => call(engine, args, { show: true }));
    ended = true;
    if (signal.aborted) return { exitCode: result.exitCode, outOfMemory: false, stderr: result.stderr };
    if (result.exitCode === ENGINE_FAILED) throw engineFailure(engine, 'start the container', result.stderr);
    const { started, outOfMemory } = await lifeOf(engine, name);
    if (!started && MAYBE_ENGINE_FAILED.includes(result.exitCode)) {
      throw engineFailure(engine, 'start the container', result.stderr);
    }
    return { exitCode: result.exitCode, outOfMemory, stderr: result.stderr };
  } finally {
    ended = true;
    signal.removeEventListener('abort', onAbort);
    await stopping;
    await rm(envFile, { force: true });
    await removeContainer(engine, name);
  }
}

/** While the engine still makes the container there is nothing to stop yet, so it is tried until it has ended. */
async function stop(engine: Name, name: string, seconds: number, hasEnded: () => boolean): Promise<void> {
  while (!hasEnded()) {
    await call(engine, ['stop', '-t', String(seconds), name]);
    await sleep(250);
  }
}

/** What became of a container: one that could not be started stays as it was created, or is nowhere. */
async function lifeOf(engine: Name, name: string): Promise<{ started: boolean; outOfMemory: boolean }> {
  const format = '{{.State.OOMKilled}} {{.State.Status}}';
  const result = await ask(engine, ['inspect', '--format', format, name]);
  const [outOfMemory, status] = result.stdout.trim().split(' ');
  return { started: result.exitCode === 0 && status !== 'created', outOfMemory: outOfMemory === 'true' };
}

/**
 * Podman gives an image that was made here the registry `localhost`, which does not exist, and the digest that it has
 * here to all its names.
 */
function registryDigests({ Digest, RepoDigests }: z.infer<typeof imageFacts>): string[] {
  const isHere = (reference: string) => reference.startsWith('localhost/');
  const references = RepoDigests ?? [];
  const others = references.filter((reference) => !isHere(reference));
  return references.some(isHere) ? others.filter((reference) => !reference.endsWith(`@${Digest}`)) : others;
}

function isMissing({ stderr }: ProgramResult): boolean {
  return /no such container|no container with/i.test(stderr);
}

function ask(engine: Name, args: readonly string[]): Promise<ProgramResult> {
  return orMissing(engine, askProgram(engine, args));
}

function call(engine: Name, args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return orMissing(engine, runProgram(engine, args, options));
}

async function orMissing(engine: Name, result: Promise<ProgramResult>): Promise<ProgramResult> {
  try {
    return await result;
  } catch (error) {
    throw missingEngine(engine, error);
  }
}
