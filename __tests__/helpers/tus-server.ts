import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { field } from '../../src/text/json.ts';
import { startApache } from './apache.ts';
import { requireCommand } from './commands.ts';
import { type Daemon, freePort, startDaemon } from './daemon.ts';
import { startServer } from './loopback-server.ts';

/** What an Infinite Scale says about itself (owncloud/ocis, its own answers; the limit is its default). */
const STATUS = {
  maintenance: false,
  versionstring: '10.11.0',
  productname: 'Infinite Scale',
  product: 'Infinite Scale',
  productversion: '7.1.2',
};
const OFFER = {
  version: '1.0.0',
  resumable: '1.0.0',
  extension: 'creation,creation-with-upload',
  max_chunk_size: 10_000_000,
  http_method_override: '',
};

/** A request to the address of an upload, on its way to tusd. */
export interface Passing {
  readonly method: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Counted from 1, of requests that send a piece. */
  readonly piece: number;
  /** Lets tusd answer: everything, or the beginning of what is sent, after which the connection breaks. */
  pass(bytes?: number): void;
}

export interface TusServerOptions {
  readonly offer?: Partial<typeof OFFER>;
  /** Decides what becomes of a request. Default: it passes. */
  readonly meddle?: (passing: Passing) => void;
  /** What the address of an upload begins with, in place of the server's own. */
  readonly elsewhere?: string;
}

/**
 * A stand-in for Infinite Scale, which is not available here, of two servers of others: tusd takes the uploads, as in
 * the original, and Apache is the WebDAV folder. What stands between them is ours: it says what the server offers, puts
 * a file that is whole into its folder if it has the sum that was announced, and forgets the upload then, as the original does
 * (opencloud-eu/reva pkg/storage/pkg/decomposedfs/upload).
 */
export async function startTusServer({ offer, meddle = ({ pass }) => pass(), elsewhere }: TusServerOptions = {}) {
  requireCommand('tusd', '“.ci/install-tools FOLDER tusd”, and FOLDER/bin on the PATH', []);
  const base = await mkdtemp(join(tmpdir(), 'tus-'));
  const unfinished = join(base, 'unfinished');
  await mkdir(unfinished);
  const files = '/remote.php/dav/files/diatom';
  const apache = await startApache({ configuration: `Alias ${files} "@DIRECTORY@"` });
  const address = `127.0.0.1:${await freePort()}`;
  const startTusd = () => startDaemon('tusd', [address, unfinished], { url: `http://${address}/files/` });
  let tusd: Daemon = await startTusd();
  const davOrigin = new URL(apache.url).origin;
  const uploads = new Map<string, { readonly folder: string; readonly metadata: Map<string, string> }>();
  let pieces = 0;

  const front = await startServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const json = (data: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(data));
    if (url === '/status.php') return json(STATUS);
    if (url.startsWith('/ocs/')) {
      return json({ ocs: { data: { capabilities: { files: { tus_support: { ...OFFER, ...offer } } } } } });
    }
    if (url.startsWith('/data/')) {
      const isPiece = (headers['x-http-method-override'] ?? method) === 'PATCH';
      if (isPiece) pieces += 1;
      const pass = (bytes?: number) => passToTusd(request, response, bytes);
      return meddle({ method, request, response, piece: pieces, pass });
    }
    if (method === 'POST' && url.startsWith(files)) return create(request, response);
    const destination = String(headers['destination'] ?? '').replace(front.origin, davOrigin);
    forward(request, response, `${davOrigin}${url}`, destination ? { destination } : {});
  });

  function forward(
    request: IncomingMessage,
    response: ServerResponse,
    to: string,
    more: Record<string, string>,
    answered: (answer: IncomingMessage) => unknown = (answer) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers)),
  ): ClientRequest {
    const { method, headers } = request;
    const passed = send(to, { method, headers: { ...headers, host: new URL(to).host, ...more } }, answered);
    passed.on('error', () => response.destroy());
    request.pipe(passed);
    return passed;
  }

  function create(request: IncomingMessage, response: ServerResponse) {
    forward(request, response, `http://${address}/files/`, {}, (answer) => {
      const id = new URL(answer.headers.location ?? '').pathname.replace('/files/', '');
      const metadata = String(request.headers['upload-metadata']).split(',');
      const folder = decodeURIComponent((request.url ?? '').slice(files.length));
      const decoded = metadata
        .map((pair) => pair.split(' '))
        .map(([name = '', value = '']) => [name, Buffer.from(value, 'base64').toString()] as const);
      uploads.set(id, { folder, metadata: new Map(decoded) });
      const location = `${elsewhere ?? front.origin}/data/${id}`;
      response.writeHead(answer.statusCode ?? 0, { ...answer.headers, location }).end();
    });
  }

  function passToTusd(request: IncomingMessage, response: ServerResponse, bytes = Number.POSITIVE_INFINITY) {
    const id = (request.url ?? '').slice('/data/'.length);
    const passed = forward(request, response, `http://${address}/files/${id}`, {}, async (answer) => {
      const status = answer.statusCode === 204 && (await isComplete(id)) ? await finish(id) : answer.statusCode;
      answer.resume();
      if (!response.destroyed) response.writeHead(status ?? 0, { ...answer.headers, 'content-length': 0 }).end();
    });
    let came = 0;
    request.on('data', (data: Buffer) => {
      came += data.length;
      if (came < bytes) return;
      request.unpipe(passed);
      passed.socket?.end();
      request.destroy();
    });
  }

  async function isComplete(id: string): Promise<boolean> {
    const info: unknown = await readFile(join(unfinished, `${id}.info`), 'utf8').then(JSON.parse, () => undefined);
    const { size } = await stat(join(unfinished, id)).catch(() => ({ size: -1 }));
    return field(info, 'Size') === size;
  }

  /** @returns the status of the answer */
  async function finish(id: string): Promise<number> {
    const { folder = '', metadata } = uploads.get(id) ?? {};
    const data = join(unfinished, id);
    const sha1 = createHash('sha1')
      .update(await readFile(data))
      .digest('hex');
    const isRight = metadata?.get('checksum') === `sha1 ${sha1}`;
    if (isRight) await copyFile(data, join(apache.directory, folder, metadata.get('filename') ?? ''));
    for (const file of [data, `${data}.info`]) await rm(file);
    return isRight ? 204 : 500;
  }

  return {
    url: front.origin,
    directory: apache.directory,
    username: apache.username,
    password: apache.password,
    requests: front.requests,
    /** What tusd keeps. */
    unfinished: () => readdir(unfinished),
    forget: async () => {
      for (const name of await readdir(unfinished)) await rm(join(unfinished, name));
    },
    /** Ends tusd, and starts it again with what it has on the disk. */
    restartTusd: async () => {
      await tusd.stop();
      tusd = await startTusd();
    },
    close: async () => {
      await front.close();
      await tusd.stop();
      await apache.close();
      await rm(base, { recursive: true });
    },
  };
}
