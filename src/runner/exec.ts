import { exec, getExecOutput } from '@actions/exec';

export interface CommandOptions {
  /** The whole environment of the program; default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Written to its standard input. */
  readonly input?: string | undefined;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How much of what a streamed program prints is kept, to find the reason of a failure in it. */
const TAIL_CHARACTERS = 20_000;

/**
 * Runs a program without showing anything of it.
 *
 * @throws Error when there is no such program; an exit code other than 0 is a result
 */
export async function runQuietly(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return getExecOutput(command, [...args], { ...execOptions(options), silent: true });
}

/** The same, with its output shown as it comes; the result has the last of it. */
export async function runShown(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const tail = { stdout: '', stderr: '' };
  const keep = (name: keyof typeof tail) => (data: Buffer) => {
    tail[name] = (tail[name] + data.toString()).slice(-TAIL_CHARACTERS);
  };
  const listeners = { stdout: keep('stdout'), stderr: keep('stderr') };
  const exitCode = await exec(command, [...args], { ...execOptions(options), listeners });
  return { exitCode, ...tail };
}

function execOptions({ env = process.env, input }: CommandOptions) {
  const defined = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return {
    env: Object.fromEntries(defined),
    ignoreReturnCode: true,
    ...(input === undefined ? {} : { input: Buffer.from(input) }),
  };
}
