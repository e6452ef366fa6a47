import { DiatomError, unlessCancelled } from '../errors.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { putChunk } from './chunk-request.ts';
import { type ChunkCost, type ChunkSizes, leastChunkBytes, nextChunkBytes } from './chunk-size.ts';
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
  /** Pieces that are sent at a time. */
  readonly parallel: number;
  /** Pieces under way at a time: those whose answer is long waited for as well. */
  readonly maxUnderWay: number;
  /** An answer that takes longer, after the last byte, is long waited for. */
  readonly longWaitMs: number;
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
 * is held in memory is a few portions a place, whatever the size of a piece. Where the server takes long to answer, the
 * line would lie idle: such a piece gives its place away, and those that follow are as large as pays then. A piece that
 * the server has not stored whole although it said so is sent again, once.
 *
 * @throws what ended the source; DiatomError `OWNCLOUD`, `DISK`, `NETWORK`, `CANCELLED`. No request is under way then.
 */
export async function sendChunks(uploads: Endpoint, request: ChunksRequest, options: RemoteOptions): Promise<void> {
  const sending = new Sending(uploads, request, options);
  await sending.sendAll();
  await sending.end();
}

class Sending {
  readonly #uploads: Endpoint;
  readonly #request: ChunksRequest;
  readonly #halt = new AbortController();
  readonly #options: RemoteOptions & { readonly signal: AbortSignal };
  readonly #failures: unknown[] = [];
  /** What the server is not known to have, in the order of the file. */
  #unconfirmed: Chunk[] = [];
  readonly #underWay = new Set<Promise<void>>();
  /** Of these, what takes up a place. */
  readonly #sending = new Set<Promise<void>>();
  #confirming: Promise<void> | undefined;
  #chunkBytes: number;
  /** Where the next piece begins. */
  #offset = 0;
  /** By the connections. */
  #taken = 0;
  /** From the beginning of the file, whole. */
  #stored = 0;

  constructor(uploads: Endpoint, request: ChunksRequest, options: RemoteOptions) {
    [this.#uploads, this.#request, this.#chunkBytes] = [uploads, request, request.sizes.start];
    const signals = [this.#halt.signal, ...(options.signal ? [options.signal] : [])];
    this.#options = { ...options, signal: AbortSignal.any(signals) };
    request.source.complete.catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#failures.push(error);
    this.#halt.abort();
  }

  async sendAll(): Promise<void> {
    try {
      for (let number = 1; ; number++) {
        await this.#place();
        const chunk = await this.#next(number);
        if (!chunk) break;
        this.#begin(chunk);
      }
      await this.#settled();
      while (this.#unconfirmed.length > 0 && this.#failures.length === 0) await this.#confirm();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Returns when no request is under way. @throws what has failed first */
  async end(): Promise<void> {
    await this.#settled();
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#underWay);
    while (this.#confirming) await this.#confirming;
  }

  async #place(): Promise<void> {
    const { parallel, maxUnderWay } = this.#request;
    while (this.#sending.size >= parallel) await Promise.race(this.#sending);
    while (this.#underWay.size >= maxUnderWay) await Promise.race(this.#underWay);
  }

  /** @returns `undefined` when all of the file is in pieces */
  async #next(number: number): Promise<Chunk | undefined> {
    const { source, sizes } = this.#request;
    const start = this.#offset;
    const least = leastChunkBytes(number, sizes);
    const most = Math.max(least, this.#chunkBytes);
    // Where the file grows more slowly than it is sent, waiting for a large piece would only delay its end.
    const wanted = Math.max(least, Math.min(most, sizes.start));
    const there = await unlessCancelled(source.reach(start + wanted), this.#options.signal);
    if (there <= start) return undefined;
    const bytes = Math.min(there - start, most);
    this.#offset += bytes;
    return { number, start, bytes, sent: false, again: false };
  }

  #begin(chunk: Chunk): void {
    this.#unconfirmed.push(chunk);
    const { promise: place, resolve: free } = Promise.withResolvers<void>();
    this.#sending.add(place);
    place.then(() => this.#sending.delete(place));
    const task = this.#send(chunk, free)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        free();
        this.#underWay.delete(task);
        this.#confirmNowAndThen();
      });
    this.#underWay.add(task);
  }

  /** @param onLongWait its answer is waited for longer than the line should lie idle */
  async #send(chunk: Chunk, onLongWait: () => void): Promise<void> {
    const { source: file, folder, headers, stallTimeoutMs, onProgress, sizes, longWaitMs } = this.#request;
    const { number, start, bytes } = chunk;
    const path = `${folder}/${String(number).padStart(5, '0')}`;
    let waiting: NodeJS.Timeout | undefined;
    const onTaken = (more: number) => {
      this.#taken += more;
      if (more > 0) onProgress?.(this.#taken);
      // The attempt has failed: nothing is waited for.
      else clearTimeout(waiting);
    };
    const learn = (cost: ChunkCost) => {
      this.#chunkBytes = nextChunkBytes(this.#chunkBytes, cost, sizes);
    };
    const onSent = (ms: number) => {
      const waitMs = Math.max(longWaitMs, (Math.min(bytes, ON_THE_WAY_BYTES) * ms) / bytes);
      waiting = setTimeout(() => {
        if (waitMs > ms) learn({ bytes, ms: ms + waitMs, waitMs });
        onLongWait();
      }, waitMs);
    };
    const piece = { file, start, bytes, path, headers, stallTimeoutMs, onTaken, onSent };
    learn(await putChunk(this.#uploads, piece, this.#options));
    clearTimeout(waiting);
    chunk.sent = true;
  }

  /** Whoever frees the disk has to hear of what is stored: now and then, and when nothing else is going on. */
  #confirmNowAndThen(): void {
    const { onStored, sizes } = this.#request;
    if (!onStored || this.#confirming || this.#options.signal.aborted) return;
    const bytes = this.#unconfirmed.reduce((sum, chunk) => sum + (chunk.sent ? chunk.bytes : 0), 0);
    if (bytes === 0 || (bytes < sizes.start * CONFIRM_EVERY && this.#underWay.size > 0)) return;
    this.#confirming = this.#confirm()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#confirming = undefined;
        this.#confirmNowAndThen();
      });
  }

  /** Compares what was sent with what the server lists, and sends again what differs. */
  async #confirm(): Promise<void> {
    const sent = this.#unconfirmed.filter((chunk) => chunk.sent);
    const entries = (await listFolder(this.#uploads, this.#request.folder, this.#options)) ?? [];
    // Nextcloud lists what it has handed on to S3 by the number alone (apps/dav/lib/Upload/PartFile.php).
    const found = new Map(entries.map(({ name, size }) => [Number(name), size]));
    const right = new Set(sent.filter(({ number, bytes }) => found.get(number) === bytes));
    this.#unconfirmed = this.#unconfirmed.filter((chunk) => !right.has(chunk));
    const begins = this.#unconfirmed[0]?.start ?? this.#offset;
    if (begins > this.#stored) this.#request.onStored?.(begins);
    this.#stored = begins;
    for (const chunk of sent.filter((each) => !right.has(each)))
      await this.#sendAgain(chunk, found.get(chunk.number) ?? 0);
  }

  async #sendAgain(chunk: Chunk, there: number): Promise<void> {
    const message = `The server ${this.#uploads.rootUrl.host} said that it stored a piece of the file, but ${there} of its ${chunk.bytes} bytes are there.`;
    if (chunk.again) {
      throw new DiatomError(
        'OWNCLOUD',
        `${message} A full disk, a proxy or a sign-in page can be the cause: ask the server’s administrator.`,
      );
    }
    this.#options.onWarning?.(`${message} It is sent again.`);
    chunk.again = true;
    this.#taken -= chunk.bytes;
    await this.#send(chunk, () => {});
  }
}

/** What buffers here and in the system may hold of a piece that counts as sent: on a slow line it takes a while. */
const ON_THE_WAY_BYTES = 2_000_000;

/** Times `sizes.start`: a listing has a line for every piece, so it should not come after each of them. */
const CONFIRM_EVERY = 3;
