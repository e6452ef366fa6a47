import { chmod, copyFile, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { requireCommand, run } from './commands.ts';
import { importImage } from './docker.ts';

const HOW = '“.ci/install-tools FOLDER buildx buildkit”, and FOLDER/bin on the PATH';

/** The path of Docker’s plug-in that speaks to BuildKit. */
export async function buildxPlugin(): Promise<string> {
  requireCommand('docker-buildx', HOW, ['version']);
  return pathOf('docker-buildx');
}

/**
 * Makes an image of BuildKit where none can be pulled from outside: its two programs, and Debian’s runc with its libraries.
 */
export async function makeBuildkitImage(name: string): Promise<void> {
  for (const program of ['buildkitd', 'buildctl']) requireCommand(program, HOW);
  requireCommand('runc', 'on Debian “apt-get install runc”');
  const root = await mkdtemp(join(tmpdir(), 'buildkit-image-'));
  try {
    await chmod(root, 0o755);
    for (const folder of ['bin', 'etc', 'run', 'tmp', 'var']) await mkdir(join(root, folder));
    for (const program of ['buildkitd', 'buildctl', 'runc']) {
      const path = await pathOf(program);
      await copyFile(await realpath(path), join(root, 'bin', program));
      // A library is named by its path, perhaps after “=>”; a program without any gives an error.
      const libraries = await run('ldd', [path]).catch(() => '');
      for (const [library] of libraries.matchAll(/\/\S+/g)) {
        await mkdir(join(root, dirname(library)), { recursive: true });
        await copyFile(await realpath(library), join(root, library));
      }
    }
    await importImage(name, root, ['ENV PATH=/bin', 'ENTRYPOINT ["buildkitd"]', 'VOLUME /var/lib/buildkit']);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function pathOf(program: string): Promise<string> {
  const path = [process.env['PATH'], '/usr/sbin', '/sbin'].join(delimiter);
  return (await run('which', [program], { env: { PATH: path } })).trim();
}
