import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Bytes that begin and end as a zip does, and are different everywhere in between. */
export function zipLike(bytes: number, seed = 'a'): Buffer {
  const filling = Buffer.alloc(bytes - 26);
  for (let at = 0, block = createHash('sha512').update(seed).digest(); at < filling.length; at += block.length) {
    block = createHash('sha512').update(block).digest();
    block.copy(filling, at);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  return Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), filling, end]);
}

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

export interface FileTraits {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** Answers ranges, and says so. */
  readonly ranges?: boolean | undefined;
  /** Ends the connection after so many bytes of an answer. */
  readonly cutAfter?: number | undefined;
  /** Announces this length instead of the true one. */
  readonly length?: number | undefined;
  /** Announces no length: the body comes in chunks, or ends with the connection. */
  readonly ending?: 'chunks' | 'connection' | undefined;
}

/** Answers as a file server does (RFC 9110: Range, If-Range, If-None-Match, If-Modified-Since), with the faults asked for. */
export function sendFile(request: IncomingMessage, response: ServerResponse, file: Buffer, traits: FileTraits): void {
  const { etag, lastModified, ranges, cutAfter, length, ending } = traits;
  if (etag) response.setHeader('etag', etag);
  if (lastModified) response.setHeader('last-modified', lastModified);
  if (ranges) response.setHeader('accept-ranges', 'bytes');
  const { range, 'if-range': ifRange } = request.headers;
  const known = [
    request.headers['if-none-match'] === etag && etag,
    request.headers['if-modified-since'] === lastModified && lastModified,
  ];
  if (known.some(Boolean)) {
    response.writeHead(304).end();
    return;
  }
  const [, from, last] = /^bytes=(\d*)-(\d*)/.exec(range ?? '') ?? [];
  const first = from === '' ? Math.max(0, file.length - Number(last)) : Number(from ?? 0);
  const partly =
    ranges && range !== undefined && (ifRange === undefined || ifRange === etag || ifRange === lastModified);
  if (partly && first >= file.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
    return;
  }
  const body = partly ? file.subarray(first) : file;
  if (partly) response.setHeader('content-range', `bytes ${first}-${file.length - 1}/${file.length}`);
  if (ending === undefined) response.setHeader('content-length', length ?? body.length);
  if (ending === 'connection') response.removeHeader('transfer-encoding');
  response.writeHead(partly ? 206 : 200, { 'content-type': 'application/zip' });
  const whole = cutAfter === undefined || (cutAfter >= body.length && length === undefined);
  if (whole) response.end(body);
  else response.write(body.subarray(0, cutAfter), () => response.socket?.end());
}
