import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { diskFailure } from '../disk-failure.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { createDigestedFile } from './digested-file.ts';
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
 * may overlap; entries are written one by one, in the order of the calls. After a failure every further call fails with
 * it, and `abort` remains.
 */
export interface ArchiveWriter {
  /** `name`: '/'-separated, the path inside the archive. `data` must not change before the promise resolves. */
  addBuffer(name: string, data: Uint8Array): Promise<void>;
  /** Adds the file at `path` in flat memory: a large one is read twice, as its checksum stands before it in the zip. */
  addFile(name: string, path: string): Promise<void>;
  /** Resolves when the last byte is on the disk and the file is closed. */
  finish(): Promise<ArchiveFacts>;
  /** Ends what is under way, closes and removes the unfinished file; does nothing after `finish`. */
  abort(): Promise<void>;
}

export interface ArchiveOptions {
  readonly signal?: AbortSignal | undefined;
  /** The bytes of the archive written so far. */
  readonly onProgress?: ((writtenBytes: number) => void) | undefined;
}

/** Up to this size a file is read at one stroke; larger ones in pieces. */
const WHOLE_FILE_BYTES = 32 * 2 ** 20;
const PIECE_BYTES = 2 ** 20;
const MAX_NAME_BYTES = 0xffff;

/**
 * Creates a zip whose bytes depend on nothing but the names and contents that are added, and their order.
 *
 * Every entry is stored: what deflate makes of a file differs between versions of zlib and kinds of processor, so that
 * the same data set would get another checksum on another machine; and PNG and JPEG, being compressed, gain nothing.
 * Date and mode are fixed, names are UTF-8, and nothing else is recorded.
 *
 * We write the records ourselves because archiver 8.0 queues its whole directory in memory at the end (0.8 GB for
 * 44,000 entries, measured) and writes streamed files in a form that some readers refuse (stored, with a data
 * descriptor).
 *
 * @throws DiatomError (here and in the methods) `DISK` when `path` exists, the disk is full, a file can't be read …;
 * `ZIP` for a name that can't be unpacked everywhere, or twice the same; `CANCELLED`.
 */
export async function createArchive(path: string, options: ArchiveOptions = {}): Promise<ArchiveWriter> {
  const { signal } = options;
  const output = await createDigestedFile(path, options);
  const directory: Buffer[] = [];
  const names = new Set<string>();
  let state: 'open' | 'finished' | 'aborted' = 'open';
  let last: Promise<unknown> = Promise.resolve();

  /** Runs a step after all earlier ones; the first failure becomes that of all later ones. */
  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = last.then(() => {
      checkOpen();
      return step();
    });
    last = result;
    last.catch(() => undefined); // whoever called has the rejection from `result`
    return result;
  }

  function checkOpen(): void {
    throwIfCancelled(signal);
    if (state !== 'open') throw new Error(`The archive ${path} is ${state}`);
  }

  async function add(name: string, bytes: number, crc: number, appendData: () => Promise<void>): Promise<void> {
    checkName(name, names);
    names.add(name);
    const entry: StoredEntry = { name: Buffer.from(name), bytes, crc32: crc, offset: output.bytes };
    await output.append(localHeader(entry));
    await appendData();
    directory.push(directoryRecord(entry));
  }

  function addWhole(name: string, data: Uint8Array): Promise<void> {
    return add(name, data.length, crc32(data), () => output.append(data));
  }

  /** Twice through the file: for its checksum and size, which stand before the data, then to copy it. */
  async function addInPieces(name: string, source: string, input: FileHandle): Promise<void> {
    let bytes = 0;
    let crc = 0;
    for await (const piece of piecesOf(input, source)) {
      checkOpen();
      bytes += piece.length;
      crc = crc32(piece, crc);
    }
    await add(name, bytes, crc, async () => {
      let copied = 0;
      let copiedCrc = 0;
      for await (const piece of piecesOf(input, source)) {
        checkOpen();
        copied += piece.length;
        copiedCrc = crc32(piece, copiedCrc);
        if (copied > bytes) throw changed(source);
        await output.append(piece);
      }
      if (copied !== bytes || copiedCrc !== crc) throw changed(source);
    });
  }

  return {
    addBuffer: (name, data) => inTurn(() => addWhole(name, data)),

    addFile: (name, source) =>
      inTurn(async () => {
        const input = await open(source).catch((error) => {
          throw diskFailure('read', source, error);
        });
        try {
          const { size } = await input.stat();
          if (size > WHOLE_FILE_BYTES) return await addInPieces(name, source, input);
          await addWhole(name, await readWhole(input, source, size));
        } finally {
          await input.close();
        }
      }),

    finish: () =>
      inTurn(async () => {
        const directoryStart = output.bytes;
        for (const record of directory) await output.append(record);
        await output.append(endRecords(directory.length, directoryStart, output.bytes - directoryStart));
        const facts = await output.finish();
        state = 'finished';
        return { ...facts, entries: directory.length };
      }),

    async abort() {
      if (state !== 'open') return;
      state = 'aborted';
      await last.catch(() => undefined);
      await output.discard();
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
  if (fault !== undefined) {
    throw new DiatomError('ZIP', `The archive can’t hold the entry ${quoteName(name)}: it ${fault}`);
  }
}

function changed(path: string): DiatomError {
  const advice = 'let nothing write to it, and start again';
  return new DiatomError('DISK', `The file ${path} changed while it was put into the archive: ${advice}.`);
}

/** A file's content with a single read: for many small files the calls of the system are most of the time. */
async function readWhole(input: FileHandle, path: string, size: number): Promise<Buffer> {
  const room = size + 1; // shows a file that has grown
  const { buffer, bytesRead } = await input.read(Buffer.allocUnsafe(room), 0, room, 0).catch((error) => {
    throw diskFailure('read', path, error);
  });
  if (bytesRead !== size) throw changed(path);
  return buffer.subarray(0, size);
}

/** A file's content from its start, in pieces; each is overwritten by the next. */
async function* piecesOf(input: FileHandle, path: string): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await input.read(buffer, 0, buffer.length, position).catch((error) => {
      throw diskFailure('read', path, error);
    });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
