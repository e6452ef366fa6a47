import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from './loopback-server.ts';

/** A program that runs until it is stopped. */
export interface Daemon {
  readonly pid: number;
  /** Ends it, by force when it doesn't go by itself. */
  stop(): Promise<void>;
}

/**
 * Starts a server program in the foreground and waits until it answers HTTP.
 *
 * @param url any address of it; every answer counts, whatever its status
 * @throws Error with all that it printed, when it ends or does not answer within 20 seconds
 */
export async function startDaemon(
  command: string,
  args: readonly string[],
  { url, env, log }: { readonly url: string; readonly env?: NodeJS.ProcessEnv; readonly log?: () => Promise<string> },
): Promise<Daemon> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: env ?? process.env });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-10_000);
    });
  }
  let fault: Error | undefined;
  child.once('error', (error) => {
    fault = error;
  });
  const isOver = () => fault !== undefined || child.exitCode !== null || child.signalCode !== null;
  for (let tries = 0; !(await answers(url)); tries++) {
    if (isOver() || tries === 200) {
      await stop(child);
      throw new Error(
        `${command} does not serve ${url}. ${fault?.message ?? ''}\n${printed}\n${(await log?.()) ?? ''}`,
      );
    }
    await sleep(100);
  }
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { redirect: 'manual' }).then(
    async (response) => {
      await response.body?.cancel();
      return true;
    },
    () => false,
  );
}

/** Asks a program to end, and ends it by force when it takes longer. */
export async function stop(child: ChildProcess, patienceMs = 5_000): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await ended;
  clearTimeout(force);
}
