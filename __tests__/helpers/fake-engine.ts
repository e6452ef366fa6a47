import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setEnvironment, temporaryFolder } from './runner.ts';

/** What a stand-in answers to a call whose arguments, joined by spaces, match. */
export interface Answer {
  readonly match: string;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
  /** Files that it leaves in the folder that the container has as /output, by their names. */
  readonly writes?: Readonly<Record<string, string>>;
  /** Ends only when it gets SIGTERM, or when `stop` is called, then with 143. */
  readonly untilStopped?: boolean;
  /** Keeps the first so many calls of `stop` from having an effect: there is nothing to stop yet. */
  readonly deafFor?: number;
}

export interface Call {
  readonly args: readonly string[];
  readonly stdin: string;
  readonly env: Readonly<Record<string, string>>;
  /** What the file of `--env-file` held, and who could read it. */
  readonly envFile?: { readonly text: string; readonly mode: number };
}

export interface FakeEngine {
  /** All calls so far, in order of their beginning. */
  calls(): Call[];
  /** The arguments of all calls of a command. */
  argsOf(command: string): (readonly string[])[];
}

/** The program itself. It needs Node, under the path that runs these tests, and nothing else. */
const PROGRAM = `
const { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const [folder, ...args] = process.argv.slice(2);
const isInput = args.includes('--password-stdin');
const stdin = isInput ? readFileSync(0, 'utf8') : '';
const envFile = args[args.indexOf('--env-file') + 1];
const names = Object.keys(process.env).filter((name) => /^(DOCKER_|REGISTRY_|APPTAINER)/.test(name));
const call = { args, stdin, env: Object.fromEntries(names.map((name) => [name, process.env[name]])) };
if (args.includes('--env-file')) {
  call.envFile = { text: readFileSync(envFile, 'utf8'), mode: statSync(envFile).mode & 0o777 };
}
appendFileSync(join(folder, 'calls'), JSON.stringify(call) + '\\n');
const { stdout = '', stderr = '', exitCode = 0, untilStopped, deafFor = 0, writes = {} } =
  JSON.parse(readFileSync(join(folder, 'answers'), 'utf8')).find(({ match }) => new RegExp(match).test(args.join(' '))) ?? {};
const [, output] = /source=([^,]+),(?:target|destination)=\\/output/.exec(args.join(' ')) ?? [];
for (const name of Object.keys(writes)) writeFileSync(join(output, name), writes[name]);
process.stdout.write(stdout);
process.stderr.write(stderr);
const stops = () => (existsSync(join(folder, 'stops')) ? statSync(join(folder, 'stops')).size : 0);
if (args[0] === 'stop') appendFileSync(join(folder, 'stops'), '.');
if (untilStopped) {
  writeFileSync(join(folder, 'running'), '');
  process.on('SIGTERM', () => process.exit(143));
  setInterval(() => stops() > deafFor && process.exit(143), 10);
} else process.exitCode = exitCode;
`;

/**
 * Puts a stand-in for a container engine on the PATH, for what a real one can't be made to do here: refuse for a reason,
 * have GPUs, be Podman or Apptainer. It records how it is called, and answers what it is told to; a call that nothing
 * matches succeeds in silence.
 */
export function fakeEngine(
  name: 'docker' | 'podman' | 'apptainer' | 'aws',
  answers: readonly Answer[] = [],
): FakeEngine {
  const folder = temporaryFolder('fake-engine');
  const program = join(folder, 'program.cjs');
  writeFileSync(program, PROGRAM);
  writeFileSync(join(folder, 'answers'), JSON.stringify(answers));
  const command = join(folder, name);
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${program}" "${folder}" "$@"\n`);
  chmodSync(command, 0o755);
  setEnvironment({ PATH: `${folder}${delimiter}${process.env['PATH']}` });
  const calls = () => {
    const file = join(folder, 'calls');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line): Call => JSON.parse(line));
  };
  return { calls, argsOf: (command) => calls().flatMap(({ args }) => (args[0] === command ? [args] : [])) };
}
