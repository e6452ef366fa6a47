import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ListeningServer, listenOn } from '../stand-ins/listen.ts';
import { type Bucket, createBucket } from './token-bucket.ts';

export interface ZipServerOptions {
  readonly directory: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of all connections together; not limited when left out. */
  readonly bytesPerSecond?: number | undefined;
}

/** Answers how many bytes of files were sent so far. */
export const SENT_BYTES_PATH = '/.sent-bytes';

/** Serves the files of a folder with Range and ETag (RFC 9110, 13 and 14), at a limited rate, and counts what it sends. */
export async function startZipServer({ directory, port, bytesPerSecond }: ZipServerOptions): Promise<ListeningServer> {
  const bucket = bytesPerSecond === undefined ? undefined : createBucket(bytesPerSecond);
  let sentBytes = 0;
  const server = createServer((request, response) => {
    if (request.url === SENT_BYTES_PATH) response.end(String(sentBytes));
    else {
      const onSent = (bytes: number) => {
        sentBytes += bytes;
      };
      send(directory, request, response, { bucket, onSent }).catch(() => {
        if (response.headersSent) response.destroy();
        else response.writeHead(404).end();
      });
    }
  });
  return listenOn(server, port);
}

async function send(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
  { bucket, onSent }: { readonly bucket: Bucket | undefined; readonly onSent: (bytes: number) => void },
): Promise<void> {
  const path = join(directory, basename(request.url ?? ''));
  const facts = await stat(path);
  if (!facts.isFile()) throw new Error('Not a file');
  const { size, mtimeMs } = facts;
  const etag = `"${size.toString(16)}-${Math.round(mtimeMs).toString(16)}"`;
  const headers = { etag, 'accept-ranges': 'bytes' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const isRange = first !== undefined && (first !== '' || last !== '');
  const start = isRange ? (first === '' ? Math.max(0, size - Number(last)) : Number(first)) : 0;
  const end = isRange && first !== '' && last !== '' ? Math.min(size - 1, Number(last)) : size - 1;
  response.writeHead(isRange ? 206 : 200, {
    ...headers,
    'content-length': end + 1 - start,
    ...(isRange ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(
    createReadStream(path, { start, end }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        await bucket?.(chunk.length);
        onSent(chunk.length);
        yield chunk;
      }
    },
    response,
  );
}
