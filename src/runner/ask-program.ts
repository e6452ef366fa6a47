import { getExecOutput } from '@actions/exec';
import type { ProgramResult } from './exec.ts';

const NOWHERE = /^Unable to locate executable file/;

/**
 * Runs a program that answers and ends, such as `docker inspect`, without a shell, and shows nothing of what it says. One
 * that gets input, may be cancelled or takes too long is for `runProgram`.
 *
 * @returns what it said; an exit code is a result
 * @throws Error when it can't be started, with the code `ENOENT` when it is nowhere: @actions/exec says that in words only
 */
export async function askProgram(command: string, args: readonly string[]): Promise<ProgramResult> {
  try {
    const { exitCode, ...output } = await getExecOutput(command, [...args], { silent: true, ignoreReturnCode: true });
    // None when it died of a signal, whatever the type says.
    return { exitCode: exitCode ?? 137, ...output };
  } catch (error) {
    if (!(error instanceof Error && NOWHERE.test(error.message))) throw error;
    throw Object.assign(new Error(`${command} is not on the PATH.`, { cause: error }), { code: 'ENOENT' });
  }
}
