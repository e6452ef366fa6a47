import { getExecOutput } from '@actions/exec';
import type { ProgramResult } from './exec.ts';

/**
 * Runs a program that answers and ends, such as `docker inspect`, without a shell, and shows nothing of what it says. One
 * that gets input, may be cancelled or takes too long is for `runProgram`.
 *
 * @returns what it said; an exit code is a result
 * @throws Error with the code `ENOENT` when it can't be started: @actions/exec says why in words only
 */
export async function askProgram(command: string, args: readonly string[]): Promise<ProgramResult> {
  try {
    return await getExecOutput(command, [...args], { silent: true, ignoreReturnCode: true });
  } catch (error) {
    throw Object.assign(new Error(`${command} can’t be started.`, { cause: error }), { code: 'ENOENT' });
  }
}
