import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { beginUploadSum } from '../files/upload-sum.ts';
import { NetworkError } from '../http/client.ts';

type LocalFile = Pick<GrowingFile, 'path'>;

interface SendOptions {
  readonly host: string;
  /** Called with the bytes that the connection has taken so far. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  /** The upload fails when the server takes nothing for so long. */
  readonly stallTimeoutMs: number;
}

export interface UploadBodyOptions extends SendOptions {
  readonly localPath: string;
  /** What the file was when its size and sum were taken. */
  readonly bytes: number;
  readonly uploadSum: string;
}

export interface ChunkBodyOptions extends SendOptions {
  /** May get another name at any time. */
  readonly file: LocalFile;
  /** Where in the file the piece begins. */
  readonly start: number;
  readonly bytes: number;
  /** Called with what is read, before it is sent. */
  readonly onData?: ((data: Buffer) => void) | undefined;
}

/**
 * Read and sent at a time, of a whole file: at a faster pace the refusal of a server that does not want to read on (a full
 * disk) gets lost more often in the connection that it breaks.
 */
const PORTION = 64 * 1024;

/** The same, of a piece: it makes an upload faster by a third (measured over loopback), and there is less to lose. */
const CHUNK_PORTION = 256 * 1024;

/**
 * Portions are read into so many buffers in turn, as memory that is new for each costs as much time as the sending. One is
 * with the connection, which takes no other before it has sent it (a portion is as large as what a socket holds back at
 * most), one waits in the stream, and one is being filled.
 */
const RING = 4;

/**
 * Reads a file for sending, a portion at a time. The last one comes only when the whole was what `uploadSum` says: a file
 * that changed or a disk that errs breaks the upload off instead of being stored.
 *
 * The stream fails with a DiatomError `DISK` for such a file, and a NetworkError when nobody reads from it for long:
 * the HTTP client's own time-out runs for the answer and is as long as servers need after the last byte.
 */
export function uploadBody(options: UploadBodyOptions): Readable {
  const { localPath, bytes, uploadSum } = options;
  const hash = beginUploadSum();
  return sending(
    options,
    { file: { path: localPath }, start: 0, bytes, portion: PORTION },
    async (data, done, file) => {
      hash.update(data);
      if (done < bytes) return;
      if ((await file.stat()).size !== bytes || hash.digest('hex') !== uploadSum.toLowerCase())
        throw changed(localPath);
    },
  );
}

/** Reads a piece of a file for sending; the file may grow meanwhile. The stream fails as `uploadBody` does. */
export function chunkBody(options: ChunkBodyOptions): Readable {
  const { file, start, bytes } = options;
  return sending(options, { file, start, bytes, portion: CHUNK_PORTION }, (data) => options.onData?.(data));
}

/** Checks, before anything is sent, that the file is there and has its size. */
export async function checkLocalFile(localPath: string, bytes: number): Promise<void> {
  const file = await openLocal({ path: localPath });
  try {
    if ((await file.stat()).size !== bytes) throw changed(localPath);
  } finally {
    await file.close();
  }
}

interface Range {
  readonly file: LocalFile;
  readonly start: number;
  readonly bytes: number;
  readonly portion: number;
}

type Look = (data: Buffer, done: number, file: FileHandle) => Promise<void> | void;

function sending({ host, onProgress, stallTimeoutMs }: SendOptions, range: Range, look: Look): Readable {
  const watch = setTimeout(() => {
    const seconds = Math.round(stallTimeoutMs / 1_000);
    const message = `The server ${host} took nothing of the file for ${seconds} s: the connection hangs.`;
    stream.destroy(new NetworkError(message, { transient: true, cause: undefined }));
  }, stallTimeoutMs);
  const stream = Readable.from(
    portions(range, look, (done) => {
      watch.refresh();
      onProgress?.(done);
    }),
    { objectMode: false, highWaterMark: range.portion },
  );
  const stop = () => clearTimeout(watch);
  // The HTTP client may let go of a body before it fails; without a listener that would end the process.
  return stream.once('end', stop).once('close', stop).on('error', stop);
}

async function* portions({ file: local, start, bytes, portion }: Range, look: Look, onTaken: (done: number) => void) {
  const file = await openLocal(local);
  const ring = Array.from({ length: RING }, () => Buffer.allocUnsafeSlow(Math.min(portion, bytes)));
  try {
    let done = 0;
    for (let turn = 0; done < bytes; turn++) {
      const buffer = ring[turn % RING] ?? Buffer.alloc(0);
      const { bytesRead } = await file.read(buffer, 0, Math.min(portion, bytes - done), start + done);
      if (bytesRead === 0) throw changed(local.path);
      const data = buffer.subarray(0, bytesRead);
      done += bytesRead;
      await look(data, done, file);
      yield data;
      onTaken(done);
    }
  } finally {
    await file.close();
  }
}

async function openLocal(local: LocalFile): Promise<FileHandle> {
  const { path } = local;
  try {
    return await open(path, 'r');
  } catch (error) {
    if (local.path !== path) return openLocal(local);
    const reason = systemCodeOf(error) === 'ENOENT' ? 'it is not there any more' : messageOf(error);
    throw new DiatomError('DISK', `The file ${path} can’t be uploaded: ${reason}.`, { cause: error });
  }
}

function changed(localPath: string): DiatomError {
  return new DiatomError(
    'DISK',
    `The file ${localPath} has changed since it was written: nothing of it was stored. Make sure that no other job writes to the same workspace, and check the disk.`,
  );
}
