import { EventEmitter, once } from 'node:events';
import { createWriteStream, existsSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ListeningServer, listenOn } from '../stand-ins/listen.ts';
import { type Bucket, createBucket } from './token-bucket.ts';

export interface UploadServerOptions {
  readonly directory: string;
  /** 0: any free one. */
  readonly port: number;
  /** Whether files are taken in pieces. */
  readonly chunking: boolean;
  /** Of all connections together; not limited when left out. */
  readonly bytesPerSecond?: number | undefined;
  /** What it takes for a file or a piece, beside the bytes and after the last of them. */
  readonly storingMs?: number | undefined;
  /** What it takes to put pieces together. */
  readonly assemblyMs?: number | undefined;
}

export const UPLOAD_USER = 'bench';
export const FILES_PATH = `remote.php/dav/files/${UPLOAD_USER}/`;
const UPLOADS_PATH = `remote.php/dav/uploads/${UPLOAD_USER}/`;

/** An upload in pieces. Each is written to its place in the whole, so that nothing needs to be put together. */
interface Upload {
  readonly file: string;
  /** In the order of the file. */
  readonly pieces: { readonly start: number; readonly bytes: number; stored: number }[];
  readonly added: EventEmitter;
}

/**
 * Stands in for an ownCloud 10 where speed is measured: it understands what an upload needs and does nothing but write
 * the bytes to the disk, once. It asks for no password, compares no sums and has one folder.
 */
export async function startUploadServer(options: UploadServerOptions): Promise<ListeningServer> {
  const { directory, port, chunking, bytesPerSecond } = options;
  const bucket = bytesPerSecond === undefined ? undefined : createBucket(bytesPerSecond);
  const uploads = new Map<string, Upload>();

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = decodeURIComponent(pathname).replace(/^\/+/, '');
    if (path === 'status.php') return json(STATUS);
    if (path === 'ocs/v1.php/cloud/capabilities') {
      return json({ ocs: { data: { capabilities: { dav: chunking ? { chunking: '1.0' } : {} } } } });
    }
    if (path === 'ocs/v1.php/cloud/user') return json({ ocs: { data: { id: UPLOAD_USER } } });
    if (path.startsWith(FILES_PATH)) return answerFiles(request, path.slice(FILES_PATH.length));
    if (chunking && path.startsWith(UPLOADS_PATH)) return answerUploads(request, path.slice(UPLOADS_PATH.length));
    return { status: 404 };
  }

  async function answerFiles(request: IncomingMessage, name: string): Promise<Answer> {
    const file = join(directory, basename(name));
    switch (request.method) {
      case 'PROPFIND':
        if (name === '') return multistatus([folder(`/${FILES_PATH}`)]);
        return existsSync(file) ? multistatus([plainFile(`/${FILES_PATH}${name}`, statSync(file).size)]) : NOT_FOUND;
      case 'PUT': {
        const replaced = existsSync(file);
        await receive(request, file, { flags: 'w', start: 0, bucket });
        return { status: replaced ? 204 : 201 };
      }
      case 'MOVE':
        await rename(file, targetOf(request));
        return { status: 201 };
      case 'DELETE':
        if (!existsSync(file)) return NOT_FOUND;
        await rm(file);
        return { status: 204 };
      default:
        return { status: 405 };
    }
  }

  async function answerUploads(request: IncomingMessage, path: string): Promise<Answer> {
    const [id = '', piece = ''] = path.split('/');
    const { method } = request;
    if (id === '') return multistatus([folder(`/${UPLOADS_PATH}`)]);
    if (method === 'MKCOL') {
      const file = join(directory, `.${basename(id)}`);
      await writeFile(file, '');
      uploads.set(id, { file, pieces: [], added: new EventEmitter() });
      return { status: 201 };
    }
    const upload = uploads.get(id);
    if (!upload) return NOT_FOUND;
    const { file, pieces } = upload;
    if (method === 'PROPFIND') {
      const top = `/${UPLOADS_PATH}${id}/`;
      const names = pieces.map(({ stored }, index) => plainFile(`${top}${String(index + 1).padStart(5, '0')}`, stored));
      return multistatus([folder(top), ...names]);
    }
    if (method === 'PUT') {
      const place = await placeOf(upload, Number(piece), Number(request.headers['content-length']));
      place.stored = await receive(request, file, { flags: 'r+', start: place.start, bucket });
      return { status: 201 };
    }
    if (method === 'MOVE') {
      const total = pieces.reduce((sum, { stored }) => sum + stored, 0);
      if (String(total) !== request.headers['oc-total-length']) return { status: 400 };
      await rename(file, targetOf(request));
      uploads.delete(id);
      return { status: 201 };
    }
    if (method !== 'DELETE') return { status: 405 };
    uploads.delete(id);
    await rm(file, { force: true });
    return { status: 204 };
  }

  function targetOf(request: IncomingMessage): string {
    const { pathname } = new URL(String(request.headers['destination']));
    return join(directory, basename(decodeURIComponent(pathname)));
  }

  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const answered = answer(request);
    const stored = answered.then(async (given) => {
      await sleep(lasting(request, options));
      return given;
    });
    stored.then(
      (given) => reply(request, response, given),
      () => response.destroy(),
    );
  });
  return listenOn(server, port);
}

function lasting({ method, url }: IncomingMessage, { storingMs = 0, assemblyMs = 0 }: UploadServerOptions): number {
  if (method === 'PUT') return storingMs;
  return method === 'MOVE' && url?.startsWith(`/${UPLOADS_PATH}`) ? assemblyMs : 0;
}

/** Pieces go out in order but may come in another one: a piece’s place is known when those before it have begun. */
async function placeOf({ pieces, added }: Upload, number: number, bytes: number) {
  while (pieces.length < number - 1) await once(added, 'piece');
  const known = pieces[number - 1];
  if (known?.bytes === bytes) return known;
  if (known) throw new Error('A piece came again with another length');
  const last = pieces.at(-1);
  const place = { start: last ? last.start + last.bytes : 0, bytes, stored: 0 };
  pieces.push(place);
  added.emit('piece');
  return place;
}

async function receive(
  request: IncomingMessage,
  file: string,
  { flags, start, bucket }: { readonly flags: string; readonly start: number; readonly bucket: Bucket | undefined },
): Promise<number> {
  const output = createWriteStream(file, { flags, start, highWaterMark: 2 ** 20 });
  if (bucket) {
    await pipeline(
      request,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          await bucket(chunk.length);
          yield chunk;
        }
      },
      output,
    );
  } else await pipeline(request, output);
  return output.bytesWritten;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
}

const NOT_FOUND: Answer = { status: 404 };

const STATUS = {
  installed: true,
  maintenance: false,
  needsDbUpgrade: false,
  versionstring: '10.15.0',
  productname: 'ownCloud',
  product: 'ownCloud',
};

function json(value: unknown): Answer {
  return { status: 200, type: 'application/json', body: JSON.stringify(value) };
}

function multistatus(members: readonly string[]): Answer {
  const body = `<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">${members.join('')}</d:multistatus>`;
  return { status: 207, type: 'application/xml; charset=utf-8', body };
}

function folder(path: string): string {
  return member(path, '<d:resourcetype><d:collection/></d:resourcetype><oc:permissions>RDNVCK</oc:permissions>');
}

function plainFile(path: string, bytes: number): string {
  const size = `<d:getcontentlength>${bytes}</d:getcontentlength>`;
  return member(path, `<d:resourcetype/>${size}<oc:permissions>RDNVW</oc:permissions>`);
}

function member(path: string, properties: string): string {
  return `<d:response><d:href>${path}</d:href><d:propstat><d:prop>${properties}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`;
}

function reply(request: IncomingMessage, response: ServerResponse, { status, type, body = '' }: Answer): void {
  // What nobody has read of a request would stand before the next one on the same connection.
  request.resume();
  response.writeHead(status, {
    'content-length': Buffer.byteLength(body),
    ...(type === undefined ? {} : { 'content-type': type }),
  });
  response.end(body);
}
