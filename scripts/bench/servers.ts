import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startApache } from '../../__tests__/helpers/apache.ts';
import { freePort, startDaemon } from '../../__tests__/helpers/daemon.ts';
import type { ServeOptions } from './serve.ts';
import { FILES_PATH, UPLOAD_USER } from './upload-server.ts';
import { SENT_BYTES_PATH } from './zip-server.ts';

/** Where the zips come from and where the archive goes: processes of their own. */
export interface Site {
  /** Ends in `/`. */
  readonly zipsUrl: string;
  /** What goes into `owncloud-url`. */
  readonly owncloudUrl: string;
  /** The WebDAV address of the same folder. Ends in `/`. */
  readonly filesUrl: string;
  /** Where the server keeps what is uploaded. */
  readonly storage: string;
  readonly username: string;
  readonly password: string;
}

export interface Servers {
  /** Zips and uploads (by PUT) with Apache. */
  readonly apache: Site;
  /** Zips with Apache, uploads in pieces to the stand-in for ownCloud. */
  readonly chunked: Site;
  close(): Promise<void>;
}

/** Starts the servers that are as fast as they can be. What they store goes below `folder` and the temporary folder. */
export async function startServers(zips: string, folder: string): Promise<Servers> {
  const server = await startApache({ zips });
  const apache = { ...server, owncloudUrl: server.url, filesUrl: server.url, storage: server.directory };
  const uploads = await startUploads(join(folder, 'stand-in'), true).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  return {
    apache,
    chunked: { ...uploads.site, zipsUrl: apache.zipsUrl },
    close: async () => {
      await uploads.close();
      await server.close();
    },
  };
}

export interface LimitedServers {
  /** Takes pieces. */
  readonly chunked: Site;
  /** Takes whole files only. */
  readonly whole: Site;
  /** Bytes of zips that were sent so far. */
  sentBytes(): Promise<number>;
  close(): Promise<void>;
}

/** Starts servers of our own for zips and uploads, each limited to a rate; not when it is left out. */
export async function startLimitedServers(
  zips: string,
  folder: string,
  bytesPerSecond?: number,
): Promise<LimitedServers> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const one of closers.splice(0)) await one();
  };
  try {
    const source = await serve({ kind: 'zips', directory: zips, chunking: false, bytesPerSecond });
    closers.push(source.stop);
    const chunked = await startUploads(join(folder, 'stand-in'), true, { bytesPerSecond });
    closers.push(chunked.close);
    const whole = await startUploads(join(folder, 'stand-in-whole'), false, { bytesPerSecond });
    closers.push(whole.close);
    return {
      chunked: { ...chunked.site, zipsUrl: source.url },
      whole: { ...whole.site, zipsUrl: source.url },
      sentBytes: async () => Number(await (await fetch(new URL(SENT_BYTES_PATH, source.url))).text()),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts the stand-in for ownCloud. */
export async function startUploads(
  storage: string,
  chunking: boolean,
  limits: Pick<ServeOptions, 'bytesPerSecond' | 'storingMs' | 'assemblyMs'> = {},
) {
  await mkdir(storage);
  const { url, stop } = await serve({ kind: 'uploads', directory: storage, chunking, ...limits });
  const filesUrl = `${url}${FILES_PATH}`;
  const site = { owncloudUrl: url, filesUrl, storage, username: UPLOAD_USER, password: UPLOAD_USER };
  return { site, close: stop };
}

async function serve(options: Omit<ServeOptions, 'port'>): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const script = join(import.meta.dirname, 'serve.ts');
  const daemon = await startDaemon(process.execPath, [script, JSON.stringify({ ...options, port })], { url });
  return { url, stop: () => daemon.stop() };
}

/** Deletes what was uploaded. */
export async function emptyStorage({ storage }: Site): Promise<void> {
  for (const name of await readdir(storage)) await rm(join(storage, name), { recursive: true });
}

/** A folder that other users may look into: root’s Apache serves as another one. */
export async function makeOpenFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
  return path;
}
