import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A program that can't be started fails the test in words that say how to get it: no test is ever left out silently. */
export function requireCommand(command: string, howToGet: string, probe: readonly string[] = ['--version']): void {
  const { error } = spawnSync(command, probe, { stdio: 'ignore' });
  const byItself = howToGet.includes('.ci/') ? '' : ' (.ci/run does so)';
  if (error) throw new Error(`These tests need the program “${command}”: ${howToGet}${byItself}.`);
}

/** The first of some programs that is there: one program has different names on different systems. */
export function firstCommand(commands: readonly string[], howToGet: string): string {
  const found = commands.find((command) => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error);
  if (found === undefined) throw new Error(`These tests need one of ${commands.join(', ')}: ${howToGet}.`);
  return found;
}

/** A test that changes the machine, or starts what only root may start, says so at once. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('These tests need root: sudo env "PATH=$PATH" npm run ….');
}

/** Runs a program to its end and returns what it printed; anything but exit code 0 fails the test with its words. */
export async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { stdout } = await execute(command, args, { ...options, maxBuffer: 2 ** 27 });
  return stdout;
}
