import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, run } from './commands.ts';
import { freePort } from './daemon.ts';

/** A machine that can be reached by ssh: this one, by a port of its own. */
export interface SshServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A private key that it lets in. */
  readonly key: string;
  /** Its other half, by which another server can let the same user in. */
  readonly publicKey: string;
  readonly knownHosts: string;
  /** The same as inputs of the action. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Ends the listener; sessions that are open go on. */
  stop(): Promise<void>;
}

/** Where Debian has it; a user's PATH does not. */
const SSHD = '/usr/sbin/sshd';

/**
 * Starts a real OpenSSH server on loopback, with a host key of its own, for the user who runs the tests, but with a
 * `$HOME` of its own: what an action leaves on a machine would be found there by the tests of another day.
 *
 * @param options.environment what every session gets, as `SetEnv` of sshd_config(5)
 */
export async function startSshd(
  options: {
    readonly environment?: Readonly<Record<string, string>>;
    /** Another key that it lets in. */
    readonly publicKey?: string;
    /** Runs instead of what is asked for, which is in `SSH_ORIGINAL_COMMAND` (sshd_config(5), ForceCommand). */
    readonly command?: string;
  } = {},
): Promise<SshServer> {
  requireCommand(SSHD, '“apt-get install openssh-server”', ['-V']);
  requireCommand('ssh', '“apt-get install openssh-client”', ['-V']);
  const folder = await mkdtemp(join(tmpdir(), 'sshd-'));
  // As root, sshd wants this folder, which Debian's service would make.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const [hostKey, userKey] = [join(folder, 'host-key'), join(folder, 'user-key')];
  for (const file of [hostKey, userKey]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const authorized = join(folder, 'authorized_keys');
  const publicKey = await readFile(`${userKey}.pub`, 'utf8');
  await writeFile(authorized, `${publicKey}${options.publicKey ?? ''}`, { mode: 0o600 });
  await chmod(folder, 0o700);
  const port = await freePort();
  const home = join(folder, 'home');
  await mkdir(home);
  const environment = Object.entries({ HOME: home, ...options.environment }).map(
    ([name, value]) => `"${name}=${value}"`,
  );
  const config = join(folder, 'sshd_config');
  await writeFile(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey}`,
      `PidFile ${join(folder, 'pid')}`,
      `AuthorizedKeysFile ${authorized}`,
      // The folder for temporary files belongs to everybody.
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'MaxStartups 100',
      ...(options.command === undefined ? [] : [`ForceCommand ${options.command}`]),
      `SetEnv ${environment.join(' ')}`,
      '',
    ].join('\n'),
  );
  const child = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-10_000);
  });
  for (let tries = 0; !(await listens(port)); tries++) {
    if (child.exitCode !== null || tries === 100) throw new Error(`sshd does not listen on port ${port}.\n${said}`);
    await sleep(100);
  }
  const user = userInfo().username;
  const key = await readFile(userKey, 'utf8');
  const knownHosts = `[127.0.0.1]:${port} ${await readFile(`${hostKey}.pub`, 'utf8')}`;
  return {
    host: '127.0.0.1',
    port,
    user,
    key,
    publicKey,
    knownHosts,
    inputs: {
      'ssh-host': '127.0.0.1',
      'ssh-port': String(port),
      'ssh-user': user,
      'ssh-key': key,
      'ssh-known-hosts': knownHosts,
    },
    async stop() {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await ended;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
