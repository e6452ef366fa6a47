import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ListeningServer, listenOn } from './listen.ts';

export interface FileServerOptions {
  /** Called for each answer, with the bytes of files that it sends. */
  readonly onAnswer?: (answer: { readonly method: string; readonly name: string; readonly bytes: number }) => void;
  /** Whether the server says what a file changes with. Default: yes. */
  readonly validators?: boolean;
}

/**
 * Serves the files of one folder on loopback, with what a resumed and cached download needs: Range and If-Range, ETag
 * and Last-Modified, If-None-Match (RFC 9110, 13 and 14). Files in sub-folders are not served.
 */
export async function startFileServer(directory: string, options: FileServerOptions = {}): Promise<ListeningServer> {
  const server = createServer((request, response) => {
    answer(directory, request, response, options).catch((error: unknown) => {
      // A client that goes away in the middle of a file ends up here as well: there is nobody left to tell.
      if (response.headersSent) response.destroy(error instanceof Error ? error : undefined);
      else response.writeHead(404).end('Not found\n');
    });
  });
  return listenOn(server);
}

async function answer(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
  { onAnswer, validators = true }: FileServerOptions,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
  const path = join(directory, name);
  if (name === '' || basename(path) !== name) throw new Error('Not a file of this folder');
  const { size, mtime, mtimeMs } = await stat(path);
  const etag = `"${size.toString(16)}-${Math.round(mtimeMs).toString(16)}"`;
  const modified = mtime.toUTCString();
  const headers = { ...(validators ? { etag, 'last-modified': modified } : {}), 'accept-ranges': 'bytes' };

  if (validators && request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const unchanged = [undefined, etag, modified].includes(headerText(request.headers['if-range']));
  const range = unchanged ? parseRange(request.headers.range, size) : undefined;
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': end - start + 1,
    ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  const isSent = request.method === 'GET' && size > 0;
  onAnswer?.({ method: request.method, name, bytes: isSent ? end - start + 1 : 0 });
  if (!isSent) response.end();
  else await pipeline(createReadStream(path, { start, end }), response);
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** One range of bytes; a header that isn't one is ignored, as the RFC asks for. */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
