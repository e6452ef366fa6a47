import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';
import { NetworkError } from '../http/client.ts';

export interface UploadBodyOptions {
  readonly localPath: string;
  /** What the file was when its size and sum were taken. */
  readonly bytes: number;
  readonly sha1: string;
  readonly host: string;
  /** Called with the bytes that the connection has taken so far. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  /** The upload fails when the server takes nothing for so long. */
  readonly stallTimeoutMs: number;
}

const CHUNK = 64 * 1024;

/**
 * Reads a file for sending, a piece at a time. The last piece comes only when the whole was what `sha1` says: a file
 * that changed or a disk that errs breaks the upload off instead of being stored.
 *
 * The stream fails with a DiatomError `DISK` for such a file, and a NetworkError when nobody reads from it for long:
 * the HTTP client's own time-out runs for the answer and is as long as servers need after the last byte.
 */
export function uploadBody(options: UploadBodyOptions): Readable {
  const { host, stallTimeoutMs, onProgress } = options;
  const watch = setTimeout(() => {
    const seconds = Math.round(stallTimeoutMs / 1_000);
    const message = `The server ${host} took nothing of the file for ${seconds} s: the connection hangs.`;
    stream.destroy(new NetworkError(message, { transient: true, cause: undefined }));
  }, stallTimeoutMs);
  const stream = Readable.from(
    checkedPieces(options, (done) => {
      watch.refresh();
      onProgress?.(done);
    }),
    { objectMode: false, highWaterMark: CHUNK },
  );
  const stop = () => clearTimeout(watch);
  // The HTTP client may let go of a body before it fails; without a listener that would end the process.
  return stream.once('end', stop).once('close', stop).on('error', stop);
}

/** Checks, before anything is sent, that the file is there and has its size. */
export async function checkLocalFile(localPath: string, bytes: number): Promise<void> {
  const file = await openLocal(localPath);
  try {
    if ((await file.stat()).size !== bytes) throw changed(localPath);
  } finally {
    await file.close();
  }
}

async function* checkedPieces({ localPath, bytes, sha1 }: UploadBodyOptions, onTaken: (done: number) => void) {
  const file = await openLocal(localPath);
  try {
    const hash = createHash('sha1');
    let done = 0;
    while (done < bytes) {
      const piece = await file.read(Buffer.allocUnsafe(Math.min(CHUNK, bytes - done)), { position: done });
      if (piece.bytesRead === 0) throw changed(localPath);
      const data = piece.buffer.subarray(0, piece.bytesRead);
      hash.update(data);
      done += data.length;
      if (done === bytes && ((await file.stat()).size !== bytes || hash.digest('hex') !== sha1.toLowerCase())) {
        throw changed(localPath);
      }
      yield data;
      onTaken(done);
    }
  } finally {
    await file.close();
  }
}

async function openLocal(localPath: string) {
  try {
    return await open(localPath, 'r');
  } catch (error) {
    const reason = systemCodeOf(error) === 'ENOENT' ? 'it is not there any more' : messageOf(error);
    throw new DiatomError('DISK', `The file ${localPath} can’t be uploaded: ${reason}.`, { cause: error });
  }
}

function changed(localPath: string): DiatomError {
  return new DiatomError(
    'DISK',
    `The file ${localPath} has changed since it was written: nothing of it was stored. Make sure that no other job writes to the same workspace, and check the disk.`,
  );
}
