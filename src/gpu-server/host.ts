import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiatomError } from '../errors.ts';
import { formatDuration } from '../format.ts';
import type { ProgramResult } from '../runner/exec.ts';
import { runTool } from '../runner/tool.ts';
import type { DriverContext } from './driver-context.ts';
import { framed, unframed } from './host-script.ts';

/** A machine that runs commands: the one of this job, or another by ssh. */
export interface Host {
  /** For sentences: “this runner”, “gpu.example.org”. */
  readonly description: string;
  /**
   * Runs POSIX sh text and returns what it said. An exit code is a result.
   *
   * @throws DiatomError `SERVER` when the host can't be reached or refuses, or it takes too long; `CANCELLED`
   */
  run(script: string, options: ScriptOptions): Promise<ProgramResult>;
  /** Removes what the connection needed on this machine. */
  close(): Promise<void>;
}

export interface ScriptOptions {
  /** What the script mostly waits for, by which one is named that takes too long: `squeue`. */
  readonly what: string;
  /** How long it may take, in milliseconds; by default, as long as an answer may. */
  readonly limitMs?: number | undefined;
  /** Its standard input; a secret may come this way. */
  readonly input?: string | undefined;
}

export interface SshSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The private key's text, without a passphrase. A secret. */
  readonly key: string;
  /** Lines of a `known_hosts` file, also for `jump`. A host that is not in it, or shows another key, is refused. */
  readonly knownHosts: string;
  /** A machine through which `host` is reached, when it can't be reached from here. The key is the same. */
  readonly jump: Address | undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

type HostContext = Pick<DriverContext, 'signal' | 'temporary' | 'limits'>;

/** How long a connection may take to open, and after how much silence it counts as broken, in seconds. */
const CONNECT_SECONDS = 20;
const ALIVE_SECONDS = 15;
const ALIVE_COUNT = 4;

/** A script ends itself in time; a program that still waits for it then, such as an ssh that hangs, gets so much more. */
const GRACE_MS = 5_000;

/** ssh's exit code when it has failed itself (ssh(1), EXIT STATUS). */
const SSH_FAILED = 255;

/** Opens the host that `ssh` names, or this machine when there is none. Nothing is connected before the first command. */
export async function openHost(ssh: SshSettings | undefined, context: HostContext): Promise<Host> {
  if (ssh) return openSshHost(ssh, context);
  const description = 'this runner';
  return {
    description,
    run: (script, options) =>
      runFramed(script, options, { description, program: ['sh', '-s'], failure: cutShort(description) }, context),
    close: async () => {},
  };
}

interface Shell {
  readonly description: string;
  /** What runs `sh -s` there. */
  readonly program: readonly [string, ...string[]];
  /** Why a script has not come to its end. */
  failure(result: ProgramResult): DiatomError;
}

async function runFramed(
  script: string,
  { what, input = '', limitMs: given }: ScriptOptions,
  { description, program: [program, ...args], failure }: Shell,
  { signal, limits }: HostContext,
): Promise<ProgramResult> {
  const limitMs = given ?? limits.answerMs;
  const mark = `DIATOM-${randomUUID()}`;
  const options = { input: framed(script, mark, limitMs / 1_000, input), signal, limitMs: limitMs + GRACE_MS };
  const result = await runTool(program, args, options).catch((error: unknown) => {
    if (!(error instanceof DiatomError && error.code === 'SERVER')) throw error;
    throw new DiatomError('SERVER', `${error.message} It was to run ${what} on ${description}.`, { cause: error });
  });
  const answer = unframed(result, mark);
  if (answer === undefined) throw failure(result);
  if (answer !== 'hung') return answer;
  throw new DiatomError(
    'SERVER',
    `${what} did not end within ${formatDuration(limitMs / 1_000)} on ${description}, and was ended there.`,
  );
}

function cutShort(description: string): (result: ProgramResult) => DiatomError {
  return ({ exitCode, stdout, stderr }) =>
    new DiatomError(
      'SERVER',
      `${description} ended what it was to run before it had answered (exit code ${exitCode}): ${(stderr.trim() || stdout.trim()).slice(-600) || 'it said nothing'}. Nothing there may end programs of this kind, and a login shell has to run commands.`,
    );
}

async function openSshHost(ssh: SshSettings, context: HostContext): Promise<Host> {
  const folder = await mkdtemp(join(context.temporary, 'ssh-'));
  const file = (name: string) => join(folder, name);
  const [keyFile, knownHostsFile, configFile] = [file('key'), file('known_hosts'), file('config')];
  await writeFile(keyFile, asLines(ssh.key), { mode: 0o600 });
  await writeFile(knownHostsFile, asLines(ssh.knownHosts), { mode: 0o600 });
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: `"${knownHostsFile}"`,
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    IdentityFile: `"${keyFile}"`,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    ForwardAgent: 'no',
    ClearAllForwardings: 'yes',
    ConnectTimeout: String(CONNECT_SECONDS),
    ServerAliveInterval: String(ALIVE_SECONDS),
    ServerAliveCountMax: String(ALIVE_COUNT),
    LogLevel: 'ERROR',
  };
  // In a file, which ssh hands on to the one that it starts for ProxyJump.
  const config = [
    ...Object.entries(options).map(([name, value]) => `${name} ${value}`),
    ...addressLines('there', ssh),
    ...(ssh.jump ? ['ProxyJump on-the-way', ...addressLines('on-the-way', ssh.jump)] : []),
  ];
  await writeFile(configFile, asLines(config.join('\n')), { mode: 0o600 });
  const shell: Shell = {
    description: ssh.host,
    // Means the same to every login shell.
    program: ['ssh', '-F', configFile, '-T', 'there', 'exec sh -s'],
    failure: (result) => (result.exitCode === SSH_FAILED ? sshFailure(ssh, result.stderr) : cutShort(ssh.host)(result)),
  };
  return {
    description: ssh.host,
    run: (script, options) => runFramed(script, options, shell, context),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

function addressLines(name: string, { host, port, user }: Address): string[] {
  return [`Host ${name}`, `HostName ${host}`, `Port ${port}`, `User ${user}`];
}

/** One word of a shell's command line, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A secret loses its last line end on its way, without which ssh does not read a key; and may bring Windows' ones. */
function asLines(text: string): string {
  return `${text.replaceAll('\r\n', '\n').trim()}\n`;
}

/** What ssh(1) says, and what to do about it. The first that fits counts: a key that it can’t load ends as a refusal, too. */
const SSH_FAULTS: readonly (readonly [said: RegExp, advice: (ssh: SshSettings) => string])[] = [
  [
    /Host key verification failed|No .*host key is known/i,
    ({ host, port, jump }) =>
      `its host key is not the one in ssh-known-hosts${jump ? `, or that of ${jump.host} (ssh-jump) is not` : ''}. Write there what “ssh-keyscan -p ${port} ${host}” prints, after you have compared it with the key on the host${jump ? `; and what “ssh-keyscan -p ${jump.port} ${jump.host}” prints` : ''}`,
  ],
  [/Load key/i, () => 'ssh-key is not a private key that ssh can read: give the whole file, without a passphrase'],
  [
    /Permission denied|Too many authentication failures/i,
    ({ user, jump }) =>
      `it does not let “${user}” in with this key${jump ? `, or ${jump.host} (ssh-jump) does not let “${jump.user}” in` : ''}. Add the key’s public half to that user’s ~/.ssh/authorized_keys, and check ssh-user and ssh-key`,
  ],
  [/Could not resolve hostname/i, () => 'nobody knows that name: check ssh-host'],
  [
    /Connection refused|timed out|No route to host|Network is unreachable|closed by|reset by/i,
    ({ port, jump }) =>
      `nothing answers at port ${port}: is it switched on, and can ${jump ? `${jump.host} (ssh-jump) reach it, and this runner that one` : 'this runner reach it (or does it need ssh-jump)'}?`,
  ],
];

function sshFailure(ssh: SshSettings, stderr: string): DiatomError {
  const said = stderr.trim().slice(-1_000);
  const advice = SSH_FAULTS.find(([pattern]) => pattern.test(said))?.[1](ssh) ?? 'see what ssh says';
  return new DiatomError('SERVER', `No ssh connection to ${ssh.host}: ${advice}. ssh says: ${said || 'nothing'}`);
}
