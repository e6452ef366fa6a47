import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireCommand, run } from './commands.ts';

export interface PodmanEngine {
  /** What Podman and everything that calls it gets, so that it uses the tests' own store and settings. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs Podman itself. */
  podman(...args: string[]): Promise<string>;
  /** Lets it speak to a registry without TLS. */
  trust(host: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * The machine's real Podman, with a store, limits and registries of its own in a temporary folder: nothing of it touches
 * the images and containers that are there. Machines that are containers themselves often allow no higher limits than
 * their own, so it gives small ones.
 */
export async function preparePodman(): Promise<PodmanEngine> {
  requireCommand('podman', 'on Debian “apt-get install podman catatonit”');
  const base = await mkdtemp(join(tmpdir(), 'podman-'));
  const settings = join(base, 'containers.conf');
  const storage = join(base, 'storage.conf');
  const registries = join(base, 'registries.conf');
  await mkdir(join(base, 'store'));
  await writeFile(settings, '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n');
  await writeFile(
    storage,
    `[storage]\ndriver = "overlay"\ngraphroot = "${join(base, 'store')}"\nrunroot = "${join(base, 'run')}"\n`,
  );
  await writeFile(registries, '');
  const env = {
    CONTAINERS_CONF: settings,
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_REGISTRIES_CONF: registries,
  };
  const podman = (...args: string[]) => run('podman', args, { env: { ...process.env, ...env } });
  return {
    env,
    podman,
    trust: (host) => writeFile(registries, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`),
    close: async () => {
      await podman('system', 'reset', '--force');
      await rm(base, { recursive: true, force: true });
    },
  };
}
