import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { startApache } from './apache.ts';
import { requireCommand } from './commands.ts';
import { freePort, startDaemon } from './daemon.ts';

/** A running server to upload to, whoever made it. */
export interface WebdavServer {
  /** What goes into `owncloud-url`. */
  readonly url: string;
  /** The address below which the WebDAV files are. Ends in `/`. */
  readonly filesUrl: string;
  /** Where it keeps the files. */
  readonly directory: string;
  readonly username: string;
  readonly password: string;
  /** How far uploads to it can be verified. */
  readonly verifies: 'checksum' | 'size';
  close(): Promise<void>;
}

const LOGIN = { username: 'diatom', password: 'a-password-that-is-found-nowhere' };

/** Every server that the tests upload to, by name: our stand-in, and three that nobody here wrote. */
export const WEBDAV_SERVERS: Readonly<Record<string, () => Promise<WebdavServer>>> = {
  'the embedded ownCloud': embedded,
  'Apache mod_dav': apache,
  wsgidav,
  rclone,
};

async function embedded(): Promise<WebdavServer> {
  const { base, directory } = await folders();
  const server = await startOwncloudServer({ directory, ...LOGIN });
  const filesUrl = `${server.url}/remote.php/dav/files/${LOGIN.username}/`;
  const close = () => server.close().then(() => rm(base, { recursive: true }));
  return { ...LOGIN, url: server.url, filesUrl, directory, verifies: 'checksum', close };
}

async function apache(): Promise<WebdavServer> {
  const server = await startApache();
  return { ...server, filesUrl: server.url, verifies: 'size' };
}

/** A WebDAV server in Python (PyPI `wsgidav`, with `cheroot`). */
async function wsgidav(): Promise<WebdavServer> {
  requireCommand('wsgidav', 'in a Python environment on the PATH “pip install wsgidav cheroot”');
  const { base, directory } = await folders();
  const port = await freePort();
  const config = join(base, 'wsgidav.json');
  await writeFile(
    config,
    JSON.stringify({
      host: '127.0.0.1',
      port,
      provider_mapping: { '/': directory },
      http_authenticator: { accept_basic: true, accept_digest: false, default_to_digest: false },
      simple_dc: { user_mapping: { '*': { [LOGIN.username]: { password: LOGIN.password } } } },
    }),
  );
  return serve({ base, directory, port, command: 'wsgidav', args: ['--config', config] });
}

/** `rclone serve webdav`. */
async function rclone(): Promise<WebdavServer> {
  requireCommand('rclone', 'on Debian “apt-get install rclone”', ['version']);
  const { base, directory } = await folders();
  const port = await freePort();
  const login = ['--user', LOGIN.username, '--pass', LOGIN.password];
  const args = ['serve', 'webdav', directory, '--addr', `127.0.0.1:${port}`, ...login];
  // No configuration of the person who runs the tests.
  return serve({ base, directory, port, command: 'rclone', args: [...args, '--config', join(base, 'rclone.conf')] });
}

async function folders(): Promise<{ base: string; directory: string }> {
  const base = await mkdtemp(join(tmpdir(), 'webdav-'));
  const directory = join(base, 'files');
  await mkdir(directory);
  return { base, directory };
}

async function serve(program: {
  readonly base: string;
  readonly directory: string;
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
}): Promise<WebdavServer> {
  const { base, directory, port, command, args } = program;
  const url = `http://127.0.0.1:${port}/`;
  const daemon = await startDaemon(command, args, { url });
  const close = () => daemon.stop().then(() => rm(base, { recursive: true }));
  return { ...LOGIN, url, filesUrl: url, directory, verifies: 'size', close };
}
