import { availableParallelism } from 'node:os';
import type { ZipEntry } from '../archive/open-zip.ts';
import { startThread } from '../parallel/thread.ts';
import { outOfTurn, startThreadPool, type ThreadPool } from '../parallel/thread-pool.ts';
import type { FileBatch } from './file-batch.ts';
import type { FillReply, FillRequest, ZipPart } from './thread-jobs.ts';

/**
 * More do not help when images are copied: then network and disk are what everybody waits for. Deflating takes time of a
 * processor. Each takes some 20 MB, and as much as the largest image.
 */
const MAX_THREADS = { copying: 2, deflating: 4 };

/** How many threads are good for this machine, and for jobs that are mostly copied or mostly deflated. */
export function threadsFor(work: keyof typeof MAX_THREADS): number {
  return Math.min(MAX_THREADS[work], Math.max(2, availableParallelism() - 1));
}

/** So many entries are hashed with one message. */
const PART_ENTRIES = 500;

export interface FillPool extends ThreadPool<FillRequest, FillReply> {
  /** SHA-256 of each entry, hexadecimal. @throws DiatomError `ZIP`, `DISK` */
  hashes(zip: ZipPart['zip'], entries: readonly ZipEntry[]): Promise<string[]>;
  /** The content of entries. @throws DiatomError `ZIP`, `DISK` */
  read(zip: ZipPart['zip'], entries: readonly ZipEntry[]): Promise<FileBatch>;
}

/** @param archivePath of the file that is filled; `''` where they only look */
export function startFillPool(archivePath: string, count: number): FillPool {
  const pool = startThreadPool<FillRequest, FillReply>(count, (events) =>
    startThread({ program: 'fill-thread', base: import.meta.url, data: archivePath }, events),
  );
  return {
    ...pool,
    async hashes(zip, entries) {
      const hashes: string[] = [];
      for (let start = 0; start < entries.length; start += PART_ENTRIES) {
        const part = { zip, entries: entries.slice(start, start + PART_ENTRIES) };
        const reply = await pool.use((ask) => ask({ hash: part }));
        hashes.push(...('hashes' in reply ? reply.hashes : outOfTurn()));
      }
      return hashes;
    },
    async read(zip, entries) {
      const reply = await pool.use((ask) => ask({ read: { zip, entries } }));
      return 'files' in reply ? reply.files : outOfTurn();
    },
  };
}
