import { throwIfCancelled } from '../errors.ts';
import type { FileDigest } from '../files/digest-file.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { type ArchiveFileOptions, createArchiveFile } from './archive-file.ts';
import { endRecords } from './zip-records.ts';

/** A finished archive: its size, its digests (hexadecimal, of the very bytes that were written) and its entries. */
export interface ArchiveFacts extends FileDigest {
  readonly entries: number;
}

/** Whole entries, local headers included, that another thread writes into the archive's file. */
export interface Segment {
  /** Where they begin. */
  readonly offset: number;
  /**
   * Says that they are there.
   *
   * @param records `directoryRecord` of each, in their order, with names that `entryName` made
   */
  written(entries: number, records: Uint8Array): void;
}

/**
 * Writes a zip from front to back: bytes that were written never change, so that they can be sent on meanwhile. Calls
 * may overlap; entries stand in the order of the calls. After a failure every further call fails with it, and `abort`
 * remains.
 */
export interface ArchiveWriter {
  /** The archive while it is written. */
  readonly file: GrowingFile;
  /** Bytes added so far, and left as room. */
  readonly bytes: number;
  /**
   * Leaves room of so many bytes for entries that somebody else writes. That none of their names is there twice is up to
   * whoever names them: to remember a name takes more memory than its record.
   */
  addSegment(bytes: number): Promise<Segment>;
  /** Resolves when all segments are written, the last byte is there and the file is closed. */
  finish(): Promise<ArchiveFacts>;
  /** Ends what is under way, closes and removes the unfinished file; does nothing after `finish`. */
  abort(): Promise<void>;
}

/**
 * Creates a zip whose bytes depend on nothing but the entries that are added, and their order.
 *
 * We write the records ourselves because archiver 8.0 queues its whole directory in memory at the end (0.8 GB for
 * 44,000 entries, measured) and writes streamed files in a form that some readers refuse (stored, with a data
 * descriptor).
 *
 * @throws DiatomError (here and in the methods) `DISK` when `path` exists, the disk is full …; `CANCELLED`
 */
export async function createArchive(path: string, options: ArchiveFileOptions = {}): Promise<ArchiveWriter> {
  const { signal } = options;
  const file = await createArchiveFile(path, options);
  let entries = 0;
  /** The directory's records, one piece a segment. */
  const directory: Uint8Array[] = [];
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

  return {
    file,

    get bytes() {
      return file.bytes;
    },

    addSegment: (bytes) =>
      inTurn(async () => {
        const { offset, written } = await file.reserve(bytes);
        const place = directory.push(new Uint8Array()) - 1;
        return {
          offset,
          written(count, records) {
            if (state !== 'open') return;
            directory[place] = records;
            entries += count;
            written();
          },
        };
      }),

    finish: () =>
      inTurn(async () => {
        const start = file.bytes;
        for (const records of directory) await file.append(records);
        await file.append(endRecords(entries, start, file.bytes - start));
        const facts = await file.finish();
        state = 'finished';
        return { ...facts, entries };
      }),

    async abort() {
      if (state !== 'open') return;
      state = 'aborted';
      await last.catch(() => undefined);
      await file.discard();
    },
  };
}
