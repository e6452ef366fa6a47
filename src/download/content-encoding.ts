import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';
import { type HttpResponse, headerOf } from '../http/client.ts';
import { PassingFailure } from './failure.ts';

/** RFC 9110, 8.4.1; RFC 7932. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * How an answer's bytes are packed for the way, although they were asked for as they are: some servers pack whatever
 * they send. Then its length and validators are those of the packed bytes, so that it can't be resumed.
 *
 * @returns `undefined` for bytes as they are
 */
export function contentEncodingOf(response: HttpResponse): string | undefined {
  const encoding = headerOf(response, 'content-encoding')?.trim().toLowerCase();
  return encoding === undefined || encoding === '' || encoding === 'identity' ? undefined : encoding;
}

/**
 * The bytes of an answer without what packed them for the way. Those that are a zip's already are passed on: storage
 * services repeat whatever encoding somebody wrote beside a file.
 *
 * @throws PassingFailure when they are cut off or damaged; DiatomError `DOWNLOAD` when they are packed in another way
 */
export async function* unpacked(chunks: AsyncIterable<Buffer>, encoding: string, host: string): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const whole = Readable.from(continued(first, iterator), { objectMode: false });
  const decoder = DECODERS[encoding]?.();
  const isPlain = first.done || first.value.subarray(0, 2).toString('latin1') === 'PK';
  if (!decoder && !isPlain) {
    throw new DiatomError('DOWNLOAD', `${host} sends the file packed as “${encoding}”, which can’t be unpacked.`);
  }
  try {
    // A failure of what comes reaches the loop below through the stream it is piped into.
    const pieces = isPlain || !decoder ? whole : pipeline(whole, decoder, () => undefined);
    for await (const piece of pieces) yield piece;
  } catch (error) {
    if (error instanceof DiatomError || !systemCodeOf(error)?.match(/^(Z|ERR)_/)) throw error;
    throw new PassingFailure(`What ${host} sends packed as “${encoding}” is cut off or damaged (${messageOf(error)}).`);
  }
}

async function* continued(first: IteratorResult<Buffer>, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let next = first; !next.done; next = await rest.next()) yield next.value;
}
