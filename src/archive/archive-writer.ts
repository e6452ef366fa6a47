import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { diskFailure } from './disk-failure.ts';
import { dangerOf, faultOf } from './entry-path.ts';
import { quoteName } from './zip-fault.ts';
import { directoryRecord, endRecords, localHeader, type StoredEntry } from './zip-records.ts';

/** A finished archive: its size, its digests (hexadecimal, of the very bytes that were written) and its entries. */
export interface ArchiveFacts {
  readonly bytes: number;
  readonly sha256: string;
  readonly sha1: string;
  readonly entries: number;
}

/**
 * Writes a zip from front to back: bytes that were written never change, so that they can be sent on meanwhile. Calls
 * may overlap; entries are written one by one, in the order of the calls. After a failure every further call
 * fails with it, and `abort` remains.
 */
export interface ArchiveWriter {
  /** `name`: '/'-separated, the path inside the archive. */
  addBuffer(name: string, data: Uint8Array): Promise<void>;
  /** Adds the file at `path` in flat memory: it is read twice, as its checksum stands before it in the zip. */
  addFile(name: string, path: string): Promise<void>;
  /** Resolves when the last byte is on the disk and the file is closed. */
  finish(): Promise<ArchiveFacts>;
  /** Closes and removes the unfinished file; does nothing after `finish`. */
  abort(): Promise<void>;
}

export interface ArchiveOptions {
  readonly signal?: AbortSignal | undefined;
  /** The bytes written so far. */
  readonly onProgress?: ((writtenBytes: number) => void) | undefined;
}

const COPY_CHUNK_BYTES = 2 ** 20;
const MAX_NAME_BYTES = 0xffff;
const DIRECTORY_BATCH = 1_000;

/**
 * Creates a zip whose bytes depend on nothing but the names and contents that are added, and their order.
 *
 * Every entry is stored: what deflate makes of a file differs between versions of zlib and kinds of processor, so that the
 * same data set would get another checksum on another machine; and PNG and JPEG, being compressed, gain nothing. Date
 * and mode are fixed, names are UTF-8, and nothing else is recorded.
 *
 * We write the records ourselves because archiver queues its whole directory in memory at the end (0.8 GB for 44,000
 * entries, measured with 8.0.0) and writes streamed files in a form that some readers refuse (stored, with a data descriptor).
 *
 * @throws DiatomError (here and in the methods) `DISK` when `path` exists, the disk is full, a file can't be read …;
 * `ZIP` for a name that can't be unpacked everywhere, or twice the same; `CANCELLED`.
 */
export async function createArchive(path: string, options: ArchiveOptions = {}): Promise<ArchiveWriter> {
  const { signal, onProgress } = options;
  throwIfCancelled(signal);
  const output = await open(path, 'wx').catch((error) => {
    throw diskFailure('write', path, error);
  });
  const sha256 = createHash('sha256');
  const sha1 = createHash('sha1');
  const directory: Buffer[] = [];
  const names = new Set<string>();
  let position = 0;
  let closed = false;
  const copyBuffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
  let last: Promise<unknown> = Promise.resolve();

  /** Runs a step after all earlier ones; the first failure becomes that of all later ones. */
  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = last.then(step);
    last = result;
    // The caller has the rejection from `result`.
    last.catch(() => undefined);
    return result;
  }

  async function write(data: Uint8Array): Promise<void> {
    throwIfCancelled(signal);
    if (closed) throw new Error(`The archive ${path} is closed`);
    const writing = output.writeFile(data);
    // Digested while the system writes.
    sha256.update(data);
    sha1.update(data);
    try {
      await writing;
    } catch (error) {
      throw diskFailure('write', path, error);
    }
    position += data.length;
    onProgress?.(position);
  }

  async function add(name: string, bytes: number, crc: number, writeData: () => Promise<void>): Promise<void> {
    const entry: StoredEntry = { name: Buffer.from(name), bytes, crc32: crc, offset: position };
    checkName(name, names);
    names.add(name);
    await write(localHeader(entry));
    await writeData();
    directory.push(directoryRecord(entry));
  }

  return {
    addBuffer: (name, data) => inTurn(() => add(name, data.length, crc32(data), () => write(data))),

    addFile: (name, source) =>
      inTurn(async () => {
        const input = await open(source).catch((error) => {
          throw diskFailure('read', source, error);
        });
        try {
          const before = await readThrough(input, source, copyBuffer, () => throwIfCancelled(signal));
          await add(name, before.bytes, before.crc, async () => {
            const after = await readThrough(input, source, copyBuffer, write);
            if (after.bytes !== before.bytes || after.crc !== before.crc) {
              throw new DiatomError(
                'DISK',
                `The file ${source} changed while it was put into the archive: let nothing write to it, and start again.`,
              );
            }
          });
        } finally {
          await input.close();
        }
      }),

    finish: () =>
      inTurn(async () => {
        const directoryStart = position;
        for (let start = 0; start < directory.length; start += DIRECTORY_BATCH) {
          await write(Buffer.concat(directory.slice(start, start + DIRECTORY_BATCH)));
        }
        await write(endRecords(directory.length, directoryStart, position - directoryStart));
        try {
          await output.sync();
          await output.close();
        } catch (error) {
          throw diskFailure('write', path, error);
        }
        closed = true;
        return {
          bytes: position,
          sha256: sha256.digest('hex'),
          sha1: sha1.digest('hex'),
          entries: directory.length,
        };
      }),

    async abort() {
      if (closed) return;
      closed = true; // ends a step that is under way
      await last.catch(() => undefined);
      await output.close();
      await rm(path, { force: true });
    },
  };
}

/** Names that our own reader, and every other program, can unpack; a duplicate would hide a file. */
function checkName(name: string, taken: ReadonlySet<string>): void {
  const fault =
    dangerOf(name) ??
    faultOf(name) ??
    (name.split('/').some((part) => part === '' || part === '.') ? 'has an empty folder name, or “.”.' : undefined) ??
    (name.isWellFormed() ? undefined : 'has half a character in it.') ??
    (Buffer.byteLength(name) > MAX_NAME_BYTES ? `is longer than ${MAX_NAME_BYTES} bytes.` : undefined) ??
    (taken.has(name) ? 'is there already.' : undefined);
  if (fault !== undefined)
    throw new DiatomError('ZIP', `The archive can’t hold the entry ${quoteName(name)}: it ${fault}`);
}

/** Reads a file from its start to its end, in pieces, each handed to `use` before the next is read. */
async function readThrough(
  input: FileHandle,
  path: string,
  buffer: Buffer,
  use: (piece: Buffer) => void | Promise<void>,
): Promise<{ bytes: number; crc: number }> {
  let bytes = 0;
  let crc = 0;
  for (;;) {
    const { bytesRead } = await input.read(buffer, 0, buffer.length, bytes).catch((error) => {
      throw diskFailure('read', path, error);
    });
    if (bytesRead === 0) return { bytes, crc };
    const piece = buffer.subarray(0, bytesRead);
    bytes += bytesRead;
    crc = crc32(piece, crc);
    await use(piece);
  }
}
