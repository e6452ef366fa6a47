import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApache } from '../../__tests__/helpers/apache.ts';
import { freePort } from '../../__tests__/helpers/daemon.ts';

/** Where the zips come from and where the archive goes; other processes than the one that measures. */
export interface Servers {
  /** For the page. */
  readonly name: string;
  /** Ends in `/`. */
  readonly zipsUrl: string;
  /** What goes into `owncloud-url`. */
  readonly owncloudUrl: string;
  /** The WebDAV address of the same folder. Ends in `/`. */
  readonly filesUrl: string;
  readonly username: string;
  readonly password: string;
  /** Deletes what was uploaded. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** Apache for both where it is installed, else the demo's servers in a process of their own. */
export async function startServers(zips: string, temporary: string): Promise<Servers> {
  const hasApache = spawnSync('apache2', ['-v']).status === 0;
  return hasApache ? apache(zips) : demo(zips, join(temporary, 'demo'));
}

async function apache(zips: string): Promise<Servers> {
  const server = await startApache({ zips });
  return {
    ...server,
    name: 'Apache 2.4 (mod_dav)',
    owncloudUrl: server.url,
    filesUrl: server.url,
    empty: () => emptyFolder(server.directory),
  };
}

async function demo(zips: string, folder: string): Promise<Servers> {
  await mkdir(folder, { recursive: true });
  const list = (await readdir(zips)).map((name) => ({ file_url: `http://127.0.0.1/${name}` }));
  await writeFile(join(zips, 'file-list.json'), JSON.stringify(list));
  const port = await freePort();
  const script = join(import.meta.dirname, '..', 'serve-test-data.ts');
  const child = spawn(process.execPath, [script, '--owncloud-port', String(port), zips, folder], { stdio: 'inherit' });
  const served = join(folder, 'file-list.json');
  while (!existsSync(served)) {
    if (child.exitCode !== null) throw new Error('The servers for the measurement did not start');
    await sleep(100);
  }
  const [first]: { file_url: string }[] = JSON.parse(await readFile(served, 'utf8'));
  const owncloudUrl = `http://127.0.0.1:${port}`;
  return {
    name: 'the demo’s servers',
    zipsUrl: new URL('.', first?.file_url).href,
    owncloudUrl,
    filesUrl: `${owncloudUrl}/remote.php/dav/files/diatom/`,
    username: 'diatom',
    password: 'demo',
    empty: () => emptyFolder(join(folder, 'owncloud')),
    close: async () => {
      child.kill();
    },
  };
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
}
