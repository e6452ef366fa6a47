import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProgramOptions {
  /** The whole environment of the program; default: this process's own. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Written to its standard input, which is empty otherwise. */
  readonly input?: string | undefined;
  /** Shows its output as it comes. */
  readonly show?: boolean | undefined;
  /** Ends it with SIGTERM. The result then is that of a program that was ended so. */
  readonly signal?: AbortSignal | undefined;
  /** After so long it is ended with its whole process group, by SIGTERM and then SIGKILL: `isOverLimit` says so. */
  readonly limitMs?: number | undefined;
}

export interface ProgramResult {
  /** 128 and the signal's number when it died of a signal, as a shell says it. */
  readonly exitCode: number;
  /** What it printed, or the last of it. */
  readonly stdout: string;
  readonly stderr: string;
  /** It was ended because it took too long. */
  readonly isOverLimit?: true;
}

export interface RunningProgram {
  readonly result: Promise<ProgramResult>;
  /** Sends a signal; nothing when it has ended. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** How much of the output is kept: enough for an answer that is read, and for the reason of a failure. */
const KEPT_CHARACTERS = 100_000;

/** What does not end by SIGTERM gets no more time than this. */
const PATIENCE_MS = 3_000;

/** @see startProgram */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return startProgram(command, args, options).result;
}

/**
 * Starts a program, without a shell. It is in a process group of its own: a Ctrl-C in a terminal reaches us only, and
 * we decide how it ends.
 *
 * `result` rejects with the system's error (`ENOENT`) when there is no such program; an exit code is a result.
 */
export function startProgram(command: string, args: readonly string[], options: ProgramOptions = {}): RunningProgram {
  const { env = process.env, input = '', show = false, signal, limitMs } = options;
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-KEPT_CHARACTERS);
      // Both into one stream, so that their lines stay in order.
      if (show) process.stdout.write(text);
    });
  }
  const kill = (name: 'SIGTERM' | 'SIGKILL') => void child.kill(name);
  const onAbort = () => kill('SIGTERM');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  // A program that ends before it has read its input is not this pipe's fault: its exit code tells.
  child.stdin.on('error', () => {}).end(input);
  const ended = new Promise<ProgramResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, by) => {
      resolve({ exitCode: code ?? 128 + (by === 'SIGKILL' ? 9 : by === 'SIGINT' ? 2 : 15), ...output });
    });
  });
  const result = (limitMs === undefined ? ended : endAfter(limitMs, child, ended)).finally(() =>
    signal?.removeEventListener('abort', onAbort),
  );
  return { result, kill };
}

/** Ends a program that takes too long, and waits for it no longer even when nothing can end it. */
async function endAfter(limitMs: number, child: ChildProcess, ended: Promise<ProgramResult>): Promise<ProgramResult> {
  const within = async (ms: number) => {
    const cancel = new AbortController();
    const late = delay(ms, undefined, { signal: cancel.signal }).catch(() => undefined);
    return await Promise.race([ended, late]).finally(() => cancel.abort());
  };
  const result = await within(limitMs);
  if (result) return result;
  killGroup(child, 'SIGTERM');
  const late = await within(PATIENCE_MS);
  // Also what the program itself has left behind of its group.
  killGroup(child, 'SIGKILL');
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  child.unref();
  return { stdout: '', stderr: '', ...late, exitCode: late?.exitCode ?? 137, isOverLimit: true };
}

function killGroup({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}
