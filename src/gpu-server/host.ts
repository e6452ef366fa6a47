import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiatomError } from '../errors.ts';
import type { ProgramResult } from '../runner/exec.ts';
import { runTool } from '../runner/tool.ts';
import type { DriverContext } from './driver-context.ts';

/** A machine that runs commands: the one of this job, or another by ssh. */
export interface Host {
  /** For sentences: “this runner”, “gpu.example.org”. */
  readonly description: string;
  /**
   * Runs POSIX sh text and returns what it said. An exit code is a result.
   *
   * @param options.input its standard input, the only way in for a secret
   * @throws DiatomError `SERVER` when the host can't be reached or refuses; `CANCELLED`
   */
  run(command: string, options?: { readonly input?: string }): Promise<ProgramResult>;
  /** Removes what the connection needed on this machine. */
  close(): Promise<void>;
}

export interface SshSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The private key's text, without a passphrase. A secret. */
  readonly key: string;
  /** Lines of a `known_hosts` file. A host that is not in it, or shows another key, is refused. */
  readonly knownHosts: string;
}

type HostContext = Pick<DriverContext, 'signal' | 'temporary'>;

/** How long a connection may take to open, and after how much silence it counts as broken, in seconds. */
const CONNECT_SECONDS = 20;
const ALIVE_SECONDS = 15;
const ALIVE_COUNT = 4;

/** ssh's exit code when it has failed itself (ssh(1), EXIT STATUS). */
const SSH_FAILED = 255;

/** Opens the host that `ssh` names, or this machine when there is none. Nothing is connected before the first command. */
export async function openHost(ssh: SshSettings | undefined, context: HostContext): Promise<Host> {
  if (ssh) return openSshHost(ssh, context);
  const { signal } = context;
  return {
    description: 'this runner',
    run: (command, { input } = {}) => runTool('sh', ['-c', command], { input, signal }),
    close: async () => {},
  };
}

async function openSshHost(ssh: SshSettings, { signal, temporary }: HostContext): Promise<Host> {
  const folder = await mkdtemp(join(temporary, 'ssh-'));
  const [keyFile, knownHostsFile] = [join(folder, 'key'), join(folder, 'known_hosts')];
  await writeFile(keyFile, asLines(ssh.key), { mode: 0o600 });
  await writeFile(knownHostsFile, asLines(ssh.knownHosts), { mode: 0o600 });
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: knownHostsFile,
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    IdentityFile: keyFile,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    ForwardAgent: 'no',
    ClearAllForwardings: 'yes',
    ConnectTimeout: String(CONNECT_SECONDS),
    ServerAliveInterval: String(ALIVE_SECONDS),
    ServerAliveCountMax: String(ALIVE_COUNT),
    LogLevel: 'ERROR',
  };
  const args = [
    ...['-F', 'none', '-T'],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['-p', String(ssh.port), '-l', ssh.user, '--', ssh.host],
  ];
  return {
    description: ssh.host,
    async run(command, { input } = {}) {
      // The user's login shell may be another than sh.
      const result = await runTool('ssh', [...args, `exec sh -c ${shellQuote(command)}`], { input, signal });
      if (result.exitCode === SSH_FAILED) throw sshFailure(ssh, result.stderr);
      return result;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
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
    ({ host, port }) =>
      `its host key is not the one in ssh-known-hosts. Write there what “ssh-keyscan -p ${port} ${host}” prints, after you have compared it with the key on the host`,
  ],
  [/Load key/i, () => 'ssh-key is not a private key that ssh can read: give the whole file, without a passphrase'],
  [
    /Permission denied|Too many authentication failures/i,
    ({ user }) =>
      `it does not let “${user}” in with this key. Add the key’s public half to that user’s ~/.ssh/authorized_keys, and check ssh-user and ssh-key`,
  ],
  [/Could not resolve hostname/i, () => 'nobody knows that name: check ssh-host'],
  [
    /Connection refused|timed out|No route to host|Network is unreachable|closed by|reset by/i,
    ({ port }) => `nothing answers at port ${port}: is it switched on, and can this runner reach it?`,
  ],
];

function sshFailure(ssh: SshSettings, stderr: string): DiatomError {
  const said = stderr.trim().slice(-1_000);
  const advice = SSH_FAULTS.find(([pattern]) => pattern.test(said))?.[1](ssh) ?? 'see what ssh says';
  return new DiatomError('SERVER', `No ssh connection to ${ssh.host}: ${advice}. ssh says: ${said || 'nothing'}`);
}
