import { type FileHandle, open, rm } from 'node:fs/promises';
import { throwIfCancelled } from '../errors.ts';
import type { FileDigest } from '../files/digest-file.ts';
import { diskFailure } from '../files/disk-failure.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { createWrittenLength } from '../files/written-length.ts';
import { startThread } from '../parallel/thread.ts';
import { unpackFailure } from '../parallel/thread-messages.ts';
import type { DigestData, DigestReply, DigestRequest } from './digest-thread.ts';

/**
 * A new file that several threads write and that others may read while it grows. A thread behind the writers digests
 * it, from the system's memory of what was just written.
 *
 * Calls must not overlap, except for `written` of a reservation, `reach` and `discard`.
 */
export interface ArchiveFile extends GrowingFile {
  /** Bytes appended and reserved so far. */
  readonly bytes: number;
  append(data: Uint8Array): Promise<void>;
  /** Leaves room for what somebody else writes at `offset`, who calls `written` when it is there. */
  reserve(bytes: number): Promise<{ readonly offset: number; written(): void }>;
  /** Resolves when all is written and digested, and the file is closed. */
  finish(): Promise<FileDigest>;
  /** Closes and removes the file. */
  discard(): Promise<void>;
}

export interface ArchiveFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** How much of the file is there, without a gap. */
  readonly onProgress?: ((writtenBytes: number) => void) | undefined;
  /** How much of the file was digested. */
  readonly onDigested?: ((bytes: number) => void) | undefined;
  /** Whether anybody needs the sum that servers compare (files/upload-sum.ts), which takes as long as the SHA-256. Default: true. */
  readonly withUploadSum?: boolean | undefined;
}

/** Small pieces (records) are written together: a call of the system costs more than they. */
const BLOCK_BYTES = 2 ** 20;

/** @throws DiatomError (here and in the methods) `DISK` when `path` exists or can't be written; `CANCELLED`. */
export async function createArchiveFile(path: string, options: ArchiveFileOptions = {}): Promise<ArchiveFile> {
  const { signal, onProgress } = options;
  throwIfCancelled(signal);
  const file = await open(path, 'wx').catch((error) => {
    throw diskFailure('write', path, error);
  });
  const digest = startDigest(path, { withUploadSum: options.withUploadSum ?? true }, options.onDigested);
  const { promise: complete, resolve: resolveComplete, reject: failComplete } = Promise.withResolvers<FileDigest>();
  complete.catch(() => undefined); // whoever waits for it has the rejection
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  /** Where the block will stand in the file, and how much is in it. */
  let [blockStart, waiting] = [0, 0];
  /** How much is there without a gap, and what is there beyond: start → end. */
  const frontier = createWrittenLength();
  const beyond = new Map<number, number>();

  function advance(start: number, end: number): void {
    // What is empty shares its beginning with what follows it.
    if (end > start) beyond.set(start, end);
    let level = frontier.level;
    for (let next = beyond.get(level); next !== undefined; next = beyond.get(level)) {
      beyond.delete(level);
      level = next;
    }
    digest.follow(level);
    frontier.set(level);
    onProgress?.(level);
  }

  async function write(data: Uint8Array, start: number): Promise<void> {
    throwIfCancelled(signal);
    await writeAll(file, data, start).catch((error) => {
      throw diskFailure('write', path, error);
    });
    advance(start, start + data.length);
  }

  async function flush(): Promise<void> {
    const [start, data] = [blockStart, block.subarray(0, waiting)];
    [blockStart, waiting] = [start + data.length, 0];
    if (data.length > 0) await write(data, start);
  }

  return {
    path,
    complete,

    get bytes() {
      return blockStart + waiting;
    },

    async append(data) {
      throwIfCancelled(signal);
      if (waiting + data.length > BLOCK_BYTES) await flush();
      if (data.length < BLOCK_BYTES) {
        block.set(data, waiting);
        waiting += data.length;
        return;
      }
      const start = blockStart;
      blockStart += data.length;
      await write(data, start);
    },

    async reserve(bytes) {
      await flush();
      const offset = blockStart;
      blockStart += bytes;
      return { offset, written: () => advance(offset, offset + bytes) };
    },

    reach: (bytes) => Promise.race([frontier.reach(bytes), complete.then((facts) => facts.bytes)]),

    async finish() {
      try {
        await flush();
        if (frontier.level !== blockStart) throw new Error(`The archive ${path} has a gap at ${frontier.level}`);
        await file.close().catch((error) => {
          throw diskFailure('write', path, error);
        });
        const facts = { bytes: frontier.level, ...(await digest.finish()) };
        resolveComplete(facts);
        return facts;
      } catch (error) {
        failComplete(error);
        throw error;
      }
    },

    async discard() {
      failComplete(new Error(`The archive ${path} was discarded`));
      await digest.stop();
      await file.close();
      await rm(path, { force: true });
    },
  };
}

async function writeAll(file: FileHandle, data: Uint8Array, start: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done, data.length - done, start + done)).bytesWritten;
  }
}

/** The thread that digests the file behind its writers. */
function startDigest(path: string, data: DigestData, onDigested: ArchiveFileOptions['onDigested']) {
  const { promise, resolve, reject } = Promise.withResolvers<Omit<FileDigest, 'bytes'>>();
  promise.catch(() => undefined); // thrown by `finish`
  const thread = startThread<DigestData, DigestRequest, DigestReply>(
    { program: 'digest-thread', base: import.meta.url, data },
    {
      onReply: (reply) => {
        if ('done' in reply) onDigested?.(reply.done);
        else if ('failure' in reply) reject(unpackFailure(reply.failure));
        else resolve(reply);
      },
      onGone: reject,
    },
  );
  // A thread that still waits must not keep a program alive that has failed elsewhere.
  thread.keepsAlive(false);
  return {
    follow: (end: number) => thread.send({ path, end, last: false }),
    async finish() {
      thread.send({ path, end: Number.POSITIVE_INFINITY, last: true });
      thread.keepsAlive(true);
      try {
        return await promise;
      } finally {
        await thread.end();
      }
    },
    stop: () => thread.end(),
  };
}
