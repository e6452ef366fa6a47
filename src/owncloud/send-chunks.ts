import { DiatomError, unlessCancelled } from '../errors.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { putChunk } from './chunk-request.ts';
import { type ChunkSizes, leastChunkBytes, nextChunkBytes } from './chunk-size.ts';
import type { Endpoint } from './endpoint.ts';
import { listFolder } from './list-folder.ts';
import type { RemoteOptions } from './options.ts';

export interface ChunksRequest {
  readonly source: GrowingFile;
  /** The folder of this upload, a path in `uploads` that begins with `/`. */
  readonly folder: string;
  /** Go with every request of the upload. */
  readonly headers: Readonly<Record<string, string>>;
  readonly sizes: ChunkSizes;
  /** Pieces under way at a time. */
  readonly parallel: number;
  readonly stallTimeoutMs: number;
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  readonly onStored?: ((bytes: number) => void) | undefined;
}

interface Chunk {
  /** From 1. Servers put the pieces together in this order (owncloud/core apps/dav/lib/Upload/AssemblyStream.php). */
  readonly number: number;
  readonly start: number;
  readonly bytes: number;
  sent: boolean;
  /** Whether it had to be sent again, because the server had not stored it whole. */
  again: boolean;
}

/**
 * Sends a file in pieces while it grows, and returns when the server lists each of them with its size.
 *
 * A piece goes out as soon as its bytes are there and one of the `parallel` places is free, streamed from the file: what
 * is held in memory is a few portions a place, whatever the size of a piece. A piece that the server has not stored whole
 * although it said so is sent again, once.
 *
 * @throws what ended the source; DiatomError `OWNCLOUD`, `DISK`, `NETWORK`, `CANCELLED`. No request is under way then.
 */
export async function sendChunks(uploads: Endpoint, request: ChunksRequest, options: RemoteOptions): Promise<void> {
  const { source, folder, headers, sizes, parallel, stallTimeoutMs, onProgress, onStored } = request;
  const { host } = uploads.rootUrl;
  const failures: unknown[] = [];
  const halt = new AbortController();
  const signal = AbortSignal.any([halt.signal, ...(options.signal ? [options.signal] : [])]);
  const own = { ...options, signal };
  const fail = (error: unknown) => {
    failures.push(error);
    halt.abort();
  };
  source.complete.catch(fail);

  /** What the server is not known to have, in the order of the file. */
  let unconfirmed: Chunk[] = [];
  const underWay = new Set<Promise<void>>();
  let confirming: Promise<void> | undefined;
  let chunkBytes = sizes.start;
  let offset = 0;
  let taken = 0;
  let stored = 0;

  async function send(chunk: Chunk): Promise<void> {
    const { number, start, bytes } = chunk;
    const path = `${folder}/${String(number).padStart(5, '0')}`;
    const onTaken = (more: number) => {
      taken += more;
      if (more > 0) onProgress?.(taken);
    };
    const ms = await putChunk(uploads, { file: source, start, bytes, path, headers, stallTimeoutMs, onTaken }, own);
    chunkBytes = nextChunkBytes(chunkBytes, { bytes, ms }, sizes);
    chunk.sent = true;
  }

  /** Compares what was sent with what the server lists, and sends again what differs. */
  async function confirm(): Promise<void> {
    const sent = unconfirmed.filter((chunk) => chunk.sent);
    const entries = (await listFolder(uploads, folder, own)) ?? [];
    // Nextcloud lists what it has handed on to S3 by the number alone (apps/dav/lib/Upload/PartFile.php).
    const found = new Map(entries.map(({ name, size }) => [Number(name), size]));
    const right = new Set(sent.filter(({ number, bytes }) => found.get(number) === bytes));
    unconfirmed = unconfirmed.filter((chunk) => !right.has(chunk));
    const begins = unconfirmed[0]?.start ?? offset;
    if (begins > stored) onStored?.(begins);
    stored = begins;
    for (const chunk of sent.filter((each) => !right.has(each))) {
      const message = `The server ${host} said that it stored a piece of the file, but ${found.get(chunk.number) ?? 0} of its ${chunk.bytes} bytes are there.`;
      if (chunk.again) {
        throw new DiatomError(
          'OWNCLOUD',
          `${message} A full disk, a proxy or a sign-in page can be the cause: ask the server’s administrator.`,
        );
      }
      options.onWarning?.(`${message} It is sent again.`);
      chunk.again = true;
      taken -= chunk.bytes;
      await send(chunk);
    }
  }

  /** Whoever frees the disk has to hear of what is stored: now and then, and when nothing else is going on. */
  function confirmNowAndThen(): void {
    if (!onStored || confirming || signal.aborted) return;
    const bytes = unconfirmed.reduce((sum, chunk) => sum + (chunk.sent ? chunk.bytes : 0), 0);
    if (bytes === 0 || (bytes < sizes.start * CONFIRM_EVERY && underWay.size > 0)) return;
    confirming = confirm()
      .catch(fail)
      .finally(() => {
        confirming = undefined;
        confirmNowAndThen();
      });
  }

  async function sendAll(): Promise<void> {
    for (let number = 1; ; number++) {
      if (underWay.size >= parallel) await Promise.race(underWay);
      const least = leastChunkBytes(number, sizes);
      const most = Math.max(least, chunkBytes);
      // Where the file grows more slowly than it is sent, waiting for a large piece would only delay its end.
      const wanted = Math.max(least, Math.min(most, sizes.start));
      const there = await unlessCancelled(source.reach(offset + wanted), signal);
      if (there <= offset) break;
      const chunk = { number, start: offset, bytes: Math.min(there - offset, most), sent: false, again: false };
      offset += chunk.bytes;
      unconfirmed.push(chunk);
      const task = send(chunk)
        .catch(fail)
        .finally(() => {
          underWay.delete(task);
          confirmNowAndThen();
        });
      underWay.add(task);
    }
    await Promise.all(underWay);
    while (confirming) await confirming;
    while (unconfirmed.length > 0 && failures.length === 0) await confirm();
  }

  await sendAll().catch(fail);
  await Promise.all(underWay);
  while (confirming) await confirming;
  if (failures.length > 0) throw failures[0];
}

/** Times `sizes.start`: a listing has a line for every piece, so it should not come after each of them. */
const CONFIRM_EVERY = 3;
