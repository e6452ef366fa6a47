import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireCommand, run } from './commands.ts';
import { freePort, startDaemon } from './daemon.ts';

export interface ApacheServer {
  /** What goes into `owncloud-url`. Ends in `/`. */
  readonly url: string;
  /** Where the server keeps what is uploaded. */
  readonly directory: string;
  /** Serves the files of `zips`, with Range, ETag and Last-Modified. Ends in `/`; empty without `zips`. */
  readonly zipsUrl: string;
  readonly username: string;
  readonly password: string;
  readonly pid: number;
  /** Ends the server, and starts it again at the same address when `meanwhile` is over. */
  whileAway<T>(meanwhile: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface ApacheOptions {
  /** A folder whose files are served for download, without sign-in. */
  readonly zips?: string;
  /** More configuration. `/dav/` is the WebDAV folder, `@DIRECTORY@` stands for where it is on the disk. */
  readonly configuration?: string;
}

/** Where Debian's package apache2-bin keeps the modules. */
const MODULES = '/usr/lib/apache2/modules';

const USERNAME = 'diatom';
/** Made for this run: it must be found nowhere, and a fixed one could be found by chance. */
const newPassword = () => `pä:ss ${randomBytes(9).toString('base64url')}`;

/**
 * Starts Debian's Apache 2.4 with mod_dav on a loopback port of its own, in the foreground, with a configuration of its
 * own in a temporary folder: basic sign-in, DAV locks, and a folder that only it may write to. Nothing of the machine's own
 * Apache is read or changed.
 */
export async function startApache(options: ApacheOptions = {}): Promise<ApacheServer> {
  requireCommand('apache2', 'on Debian “apt-get install apache2”', ['-v']);
  requireCommand('htpasswd', 'on Debian “apt-get install apache2-utils”', ['-h']);
  const base = await mkdtemp(join(tmpdir(), 'apache-'));
  await chmod(base, 0o755);
  const [directory, state] = [join(base, 'dav'), join(base, 'state')];
  await mkdir(join(base, 'empty'));
  const password = newPassword();
  await run('htpasswd', ['-cbB', '-C', '4', join(base, 'users'), USERNAME, password]);
  const asRoot = process.getuid?.() === 0;
  for (const folder of [directory, state]) {
    await mkdir(folder);
    if (asRoot) await chown(folder, ...(await wwwData()));
  }
  const port = await freePort();
  const file = join(base, 'apache.conf');
  await writeFile(file, configurationOf({ ...options, base, directory, state, port, asRoot }));
  const origin = `http://127.0.0.1:${port}`;
  const start = () =>
    startDaemon('apache2', ['-f', file, '-DFOREGROUND'], {
      url: `${origin}/`,
      log: () => readFile(join(base, 'error.log'), 'utf8').catch(() => ''),
    });
  let daemon = await start();
  return {
    url: `${origin}/dav/`,
    directory,
    zipsUrl: options.zips === undefined ? '' : `${origin}/zips/`,
    username: USERNAME,
    password,
    get pid() {
      return daemon.pid;
    },
    whileAway: async (meanwhile) => {
      await daemon.stop();
      try {
        return await meanwhile();
      } finally {
        daemon = await start();
      }
    },
    close: async () => {
      await daemon.stop();
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** Root's Apache serves as this user, as Debian's does. */
async function wwwData(): Promise<[uid: number, gid: number]> {
  const ids = await Promise.all(['-u', '-g'].map(async (option) => Number(await run('id', [option, 'www-data']))));
  return [ids[0] ?? 0, ids[1] ?? 0];
}

interface Configuration extends ApacheOptions {
  readonly base: string;
  readonly directory: string;
  readonly state: string;
  readonly port: number;
  readonly asRoot: boolean;
}

function configurationOf({ base, directory, state, port, asRoot, zips, configuration = '' }: Configuration): string {
  const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic', 'alias'];
  return `
ServerRoot "${base}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${base}/apache.pid"
DefaultRuntimeDir "${base}"
ErrorLog "${base}/error.log"
${[...modules, 'dav', 'dav_fs'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
${asRoot ? 'User www-data\nGroup www-data' : ''}
DocumentRoot "${base}/empty"
DavLockDB "${state}/locks"
# The server's own default is 1 GiB.
LimitRequestBody 0
Alias /dav "${directory}"
<Directory "${directory}">
  Dav On
  AuthType Basic
  AuthName "Test"
  AuthUserFile "${base}/users"
  Require valid-user
</Directory>
${zips === undefined ? '' : `Alias /zips "${zips}"\n<Directory "${zips}">\n  Require all granted\n</Directory>`}
${configuration.replaceAll('@DIRECTORY@', directory)}
`;
}
