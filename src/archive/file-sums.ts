import { availableParallelism } from 'node:os';
import { startThread } from '../parallel/thread.ts';
import { outOfTurn, startThreadPool, type ThreadPool } from '../parallel/thread-pool.ts';
import type { DigestData, DigestReply, DigestRequest } from './digest-thread.ts';

/** Two read faster than most disks give. */
const MAX_THREADS = 2;

/** SHA-256 sums of files, made in threads that are started for the first of them. */
export interface FileSums {
  /** Hexadecimal, lower case. @throws DiatomError `DISK` */
  sha256(path: string): Promise<string>;
  /** Ends the threads, whatever they do. */
  close(): Promise<void>;
}

export function createFileSums(): FileSums {
  const data: DigestData = { withUploadSum: false };
  let pool: ThreadPool<DigestRequest, DigestReply> | undefined;
  let closed = false;
  return {
    async sha256(path) {
      if (closed) throw new Error('No more sums are made');
      pool ??= startThreadPool(Math.min(MAX_THREADS, availableParallelism()), (events) =>
        startThread({ program: 'digest-thread', base: import.meta.url, data }, events),
      );
      const reply = await pool.use((ask) => ask({ path, end: Number.POSITIVE_INFINITY, last: true }));
      return 'sha256' in reply ? reply.sha256 : outOfTurn();
    },
    async close() {
      closed = true;
      await pool?.close();
    },
  };
}
