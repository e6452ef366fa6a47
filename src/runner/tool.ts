import { DiatomError, systemCodeOf, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { type ProgramResult, runProgram } from './exec.ts';

export interface ToolOptions {
  /** Written to its standard input, the only way in for a secret. */
  readonly input?: string | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs a command-line tool of somebody else (`aws`, `ssh`, `sbatch` …) and returns what it said, without showing it.
 * Tools bring their own time limits. When the signal is aborted, the wait for it ends, and the tool is left to its end:
 * what it asked for can't be taken back by killing it, only by a stop.
 *
 * Not by @actions/exec: it writes even an empty input, and when the tool has ended by then, the EPIPE has no listener
 * and ends this process, in the middle of a stop for example.
 *
 * @throws DiatomError `CANCELLED`; `SERVER` when there is no such tool. An exit code is a result.
 */
export async function runTool(tool: string, args: readonly string[], options: ToolOptions): Promise<ProgramResult> {
  const { input = '', env = {}, signal } = options;
  throwIfCancelled(signal); // before the tool is started
  try {
    return await unlessCancelled(runProgram(tool, args, { input, env: { ...process.env, ...env } }), signal);
  } catch (error) {
    if (error instanceof DiatomError) throw error;
    throw new DiatomError(
      'SERVER',
      `The program ${tool} can’t be started on this runner${systemCodeOf(error) ? ` (${systemCodeOf(error)})` : ''}: install it there, or run this job on a runner that has it (runners, server, in your settings).`,
      { cause: error },
    );
  }
}
