import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, requireRoot } from './commands.ts';
import { stop } from './daemon.ts';

export interface Buildkit {
  /** Where Docker’s plug-in finds it, with the driver `remote`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Starts BuildKit on this machine itself, which takes root. */
export async function startBuildkit(): Promise<Buildkit> {
  requireRoot();
  for (const program of ['buildkitd', 'buildctl'])
    requireCommand(program, '“.ci/install-tools FOLDER buildkit”, and FOLDER/bin on the PATH');
  const folder = await mkdtemp(join(tmpdir(), 'buildkit-'));
  const address = `unix://${join(folder, 'socket')}`;
  const options = ['--root', join(folder, 'root'), '--addr', address, '--oci-worker-snapshotter', 'native'];
  const daemon = spawn('buildkitd', options, { stdio: ['ignore', 'ignore', 'pipe'] });
  let printed = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed = (printed + text).slice(-10_000);
  });
  const close = async () => {
    await stop(daemon, 20_000);
    await rm(folder, { recursive: true, force: true });
  };
  for (let tries = 0; !answers(address); tries++) {
    if (isOver(daemon) || tries === 200) {
      await close();
      throw new Error(`buildkitd does not answer:\n${printed}`);
    }
    await sleep(100);
  }
  return { address, close };
}

function answers(address: string): boolean {
  return spawnSync('buildctl', ['--addr', address, 'debug', 'workers'], { stdio: 'ignore' }).status === 0;
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
