import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { access, chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, run } from './commands.ts';

export interface DockerEngine {
  /** Stops the engine if it was started here. */
  close(): Promise<void>;
}

/** Makes sure that a Docker engine answers: the one that runs, else one that is started for the tests (which takes root). */
export async function startDocker(): Promise<DockerEngine> {
  requireCommand('docker', 'on Debian “apt-get install docker.io”', ['--version']);
  if (answers()) return { close: async () => {} };
  requireCommand('dockerd', 'on Debian “apt-get install docker.io”', ['--version']);
  const daemon = spawn('dockerd', [], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let printed = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed = (printed + text).slice(-10_000);
  });
  for (let tries = 0; !answers(); tries++) {
    if (daemon.exitCode !== null || tries === 300) {
      await stop(daemon);
      throw new Error(`dockerd does not answer:\n${printed}`);
    }
    await sleep(100);
  }
  return { close: () => stop(daemon) };
}

/**
 * Makes an image of busybox alone (Debian’s busybox-static): a shell and the common tools, in 2 MB and without pulling
 * anything. Its working folder is `/work`, where `hello.sh` lies.
 */
export async function makeSmallImage(name: string, engine: ImageEngine = { program: 'docker' }): Promise<void> {
  const busybox = await findBusybox();
  const root = await mkdtemp(join(tmpdir(), 'small-image-'));
  try {
    await chmod(root, 0o755);
    for (const folder of ['bin', 'etc', 'tmp', 'work']) await mkdir(join(root, folder));
    await chmod(join(root, 'tmp'), 0o1777);
    await copyFile(busybox, join(root, 'bin', 'busybox'));
    await chmod(join(root, 'bin', 'busybox'), 0o755);
    for (const tool of (await run(busybox, ['--list'])).trim().split('\n')) {
      if (tool !== 'busybox') await symlink('busybox', join(root, 'bin', tool));
    }
    await writeFile(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/:/bin/sh\n');
    await writeFile(join(root, 'work', 'hello.sh'), 'echo "hello from the working folder"\n');
    await importImage(name, root, ['WORKDIR /work', 'ENV PATH=/bin'], engine);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Who keeps an image. */
export interface ImageEngine {
  readonly program: 'docker' | 'podman';
  readonly env?: NodeJS.ProcessEnv;
}

/** Makes an image of a folder, and changes of a Dockerfile. */
export async function importImage(
  name: string,
  root: string,
  changes: readonly string[],
  { program, env }: ImageEngine = { program: 'docker' },
): Promise<void> {
  const tar = `${root}.tar`;
  try {
    await run('tar', ['--create', '--file', tar, '--directory', root, '--owner=0', '--group=0', '.']);
    const options = changes.flatMap((change) => ['--change', change]);
    await run(program, ['import', ...options, tar, name], env ? { env } : {});
  } finally {
    await rm(tar, { force: true });
  }
}

/** The names of all containers, running or not, that begin so. */
export async function containersNamed(prefix: string): Promise<string[]> {
  const names = await run('docker', ['ps', '--all', '--format', '{{.Names}}']);
  return names.split('\n').filter((name) => name.startsWith(prefix));
}

function answers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;
}

async function findBusybox(): Promise<string> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    const linked = spawnSync('ldd', [path], { encoding: 'utf8' });
    if (
      await access(path).then(
        () => /not a dynamic|statically/.test(linked.stdout + linked.stderr),
        () => false,
      )
    )
      return path;
  }
  throw new Error('These tests need a static busybox: on Debian “apt-get install busybox-static” (.ci/run does so).');
}

async function stop(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  daemon.kill('SIGTERM');
  const force = setTimeout(() => daemon.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(force);
}
