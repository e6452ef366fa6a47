import { availableParallelism } from 'node:os';
import type { ZipEntry } from '../archive/open-zip.ts';
import { startThread, unpackFailure } from '../thread.ts';
import type { FillReply, FillRequest, ZipPart } from './fill-thread.ts';

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

export type Ask = (request: FillRequest) => Promise<FillReply>;

/** Threads that are given to whoever comes first, one at a time. */
export interface FillThreads {
  readonly count: number;
  use<T>(work: (ask: Ask) => Promise<T>): Promise<T>;
  /** SHA-256 of each entry, hexadecimal. @throws DiatomError `ZIP`, `DISK` */
  hashes(zip: ZipPart['zip'], entries: readonly ZipEntry[]): Promise<string[]>;
  /** Ends them, whatever they do. */
  close(): Promise<unknown>;
}

/** @param archivePath of the file that is filled; `''` where they only look */
export function startFillThreads(archivePath: string, count: number): FillThreads {
  const all = Array.from({ length: count }, () => createThread(archivePath));
  const free = [...all];
  const waiting: ((thread: (typeof all)[number]) => void)[] = [];

  async function use<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    const thread = free.shift() ?? (await new Promise<(typeof all)[number]>((resolve) => waiting.push(resolve)));
    try {
      return await work(thread.ask);
    } finally {
      const next = waiting.shift();
      if (next) next(thread);
      else free.push(thread);
    }
  }

  return {
    count,
    use,
    async hashes(zip, entries) {
      const hashes: string[] = [];
      for (let start = 0; start < entries.length; start += PART_ENTRIES) {
        const part = { zip, entries: entries.slice(start, start + PART_ENTRIES) };
        const reply = await use((ask) => ask({ hash: part }));
        hashes.push(...('hashes' in reply ? reply.hashes : outOfTurn()));
      }
      return hashes;
    },
    close: () => Promise.all(all.map((thread) => thread.close())),
  };
}

export function outOfTurn(): never {
  throw new Error('A thread answered out of turn');
}

function createThread(archivePath: string) {
  const thread = startThread('fill-thread', import.meta.url, archivePath);
  let pending: PromiseWithResolvers<FillReply> | undefined;
  let broken: unknown;
  thread.on('message', (reply: FillReply) => {
    if ('failure' in reply) pending?.reject(unpackFailure(reply.failure));
    else pending?.resolve(reply);
  });
  thread.on('error', (error) => {
    broken = error;
    pending?.reject(error);
  });
  thread.on('exit', () => pending?.reject(broken ?? new Error('A thread ended before its work')));
  return {
    ask(request: FillRequest): Promise<FillReply> {
      if (broken !== undefined) return Promise.reject(broken);
      thread.postMessage(request);
      pending = Promise.withResolvers<FillReply>();
      return pending.promise;
    },
    close: () => thread.terminate(),
  };
}
