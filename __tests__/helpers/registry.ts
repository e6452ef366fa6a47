import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import type { Authority } from './authority.ts';
import { requireCommand, run } from './commands.ts';
import { freePort, startDaemon } from './daemon.ts';

export interface Registry {
  /** How images name it: `127.0.0.1:<port>`, which engines speak to without TLS, unless it has an authority. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
  /** What the registry has under a name and a tag or digest: its digest, or `undefined`. */
  digestOf(name: string, reference: string): Promise<string | undefined>;
  /** What was begun to be uploaded, and neither finished nor cancelled. */
  uploads(): Promise<string[]>;
  close(): Promise<void>;
}

const USERNAME = 'builder';

/** Of an image, and of one with what is stored beside it. */
const MANIFESTS = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

interface RegistryOptions {
  /** One of this machine’s; containers reach it unless it is loopback. */
  readonly address?: string;
  /** Who signs its certificate. Without one, it speaks no TLS. */
  readonly authority?: Authority;
  /** Nobody may push, as in its maintenance mode. */
  readonly readOnly?: boolean;
}

/**
 * Starts Debian's Docker registry (CNCF distribution) on a port of its own, with sign-in for everything, and an empty store
 * in a temporary folder.
 */
export async function startRegistry({
  address = '127.0.0.1',
  authority,
  readOnly = false,
}: RegistryOptions = {}): Promise<Registry> {
  requireCommand('docker-registry', 'on Debian “apt-get install docker-registry”');
  requireCommand('htpasswd', 'on Debian “apt-get install apache2-utils”', ['-h']);
  const base = await mkdtemp(join(tmpdir(), 'registry-'));
  const [store, users, file] = [join(base, 'store'), join(base, 'users'), join(base, 'config.json')];
  await mkdir(store);
  // Made for this run: it must be found nowhere, and a fixed one could be found by chance.
  const password = randomBytes(18).toString('base64url');
  await run('htpasswd', ['-cbB', '-C', '4', users, USERNAME, password]);
  const host = `${address}:${await freePort()}`;
  const tls = authority && (await authority.sign(address));
  // JSON is YAML as well.
  const configuration = {
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: store }, maintenance: { readonly: { enabled: readOnly } } },
    http: { addr: host, ...(tls && { tls }) },
    auth: { htpasswd: { realm: 'Test', path: users } },
  };
  await writeFile(file, JSON.stringify(configuration));
  // Without TLS, one that speaks it answers 400, which is an answer.
  const daemon = await startDaemon('docker-registry', ['serve', file], { url: `http://${host}/v2/` });
  const dispatcher = new Agent({ connect: authority ? { ca: authority.certificate } : {} });
  const authorization = `Basic ${Buffer.from(`${USERNAME}:${password}`).toString('base64')}`;
  return {
    host,
    username: USERNAME,
    password,
    digestOf: async (name, reference) => {
      const url = `${authority ? 'https' : 'http'}://${host}/v2/${name}/manifests/${reference}`;
      const response = await fetch(url, { method: 'HEAD', headers: { authorization, accept: MANIFESTS }, dispatcher });
      return response.headers.get('docker-content-digest') ?? undefined;
    },
    // The store’s mark of an upload, which the registry takes away when it ends.
    uploads: async () => (await readdir(store, { recursive: true })).filter((path) => path.endsWith('/startedat')),
    close: async () => {
      await daemon.stop();
      await dispatcher.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}
