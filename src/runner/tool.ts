import { DiatomError, systemCodeOf, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { type ProgramResult, runProgram } from './exec.ts';

export interface ToolOptions {
  /** Written to its standard input, the only way in for a secret. */
  readonly input?: string | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
  /** How long it may take: then it is ended, with all that it has started. */
  readonly limitMs: number;
}

/**
 * Runs a command-line tool of somebody else (`aws`, `ssh`, `sbatch` …) and returns what it said, without showing it.
 * When the signal is aborted, the wait for it ends, and the tool is left to its end, at most until its limit: what it
 * asked for can't be taken back by killing it, only by a stop.
 *
 * Not by @actions/exec, which has no limit, and when the tool ends before it has read its input, the EPIPE has no listener
 * and ends this process, in the middle of a stop for example.
 *
 * @throws DiatomError `CANCELLED`; `SERVER` when there is no such tool, or it took too long. An exit code is a result.
 */
export async function runTool(tool: string, args: readonly string[], options: ToolOptions): Promise<ProgramResult> {
  const { input = '', env = {}, signal, limitMs } = options;
  throwIfCancelled(signal); // before the tool is started
  try {
    const running = runProgram(tool, args, { input, env: { ...process.env, ...env }, limitMs });
    const result = await unlessCancelled(running, signal);
    if (!result.isOverLimit) return result;
    throw new DiatomError('SERVER', `${tool} did not end within ${formatDuration(limitMs / 1_000)}, and was ended.`);
  } catch (error) {
    if (error instanceof DiatomError) throw error;
    throw new DiatomError(
      'SERVER',
      `The program ${tool} can’t be started on this runner${systemCodeOf(error) ? ` (${systemCodeOf(error)})` : ''}: install it there, or run this job on a runner that has it (runners, server, in your settings).`,
      { cause: error },
    );
  }
}
