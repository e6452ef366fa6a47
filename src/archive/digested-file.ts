import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { diskFailure } from '../disk-failure.ts';
import { throwIfCancelled } from '../errors.ts';

/** A new file that is written from front to back and digested on its way to the disk. Calls must not overlap. */
export interface DigestedFile {
  /** Bytes appended so far; of these, some may still wait for a full block. */
  readonly bytes: number;
  append(data: Uint8Array): Promise<void>;
  /** Resolves when the last byte is on the disk and the file is closed. Digests are hexadecimal. */
  finish(): Promise<{ readonly bytes: number; readonly sha256: string; readonly sha1: string }>;
  /** Closes and removes the file. */
  discard(): Promise<void>;
}

export interface DigestedFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** The bytes that the system has taken so far. */
  readonly onProgress?: ((writtenBytes: number) => void) | undefined;
}

/**
 * Small pieces (the headers of a zip, little images) are written together: a call of the system costs more than they.
 */
const BLOCK_BYTES = 2 ** 20;

/** @throws DiatomError (here and in the methods) `DISK` when `path` exists or can't be written; `CANCELLED`. */
export async function createDigestedFile(path: string, options: DigestedFileOptions = {}): Promise<DigestedFile> {
  const { signal, onProgress } = options;
  throwIfCancelled(signal);
  const file = await open(path, 'wx').catch((error) => {
    throw diskFailure('write', path, error);
  });
  const sha256 = createHash('sha256');
  const sha1 = createHash('sha1');
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let waiting = 0;
  let written = 0;

  async function write(data: Uint8Array): Promise<void> {
    throwIfCancelled(signal);
    const writing = file.writeFile(data); // appends; unlike write() it goes on until all bytes are taken
    sha256.update(data);
    sha1.update(data);
    try {
      await writing;
    } catch (error) {
      throw diskFailure('write', path, error);
    }
    written += data.length;
    onProgress?.(written);
  }

  async function flush(): Promise<void> {
    const data = block.subarray(0, waiting);
    waiting = 0;
    if (data.length > 0) await write(data);
  }

  return {
    get bytes() {
      return written + waiting;
    },

    async append(data) {
      throwIfCancelled(signal);
      if (waiting + data.length > BLOCK_BYTES) await flush();
      if (data.length >= BLOCK_BYTES) return write(data);
      block.set(data, waiting);
      waiting += data.length;
    },

    async finish() {
      await flush();
      try {
        await file.sync();
        await file.close();
      } catch (error) {
        throw diskFailure('write', path, error);
      }
      return { bytes: written, sha256: sha256.digest('hex'), sha1: sha1.digest('hex') };
    },

    async discard() {
      await file.close();
      await rm(path, { force: true });
    },
  };
}
