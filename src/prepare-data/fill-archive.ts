import { availableParallelism } from 'node:os';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { throwIfCancelled } from '../errors.ts';
import { startThread, unpackFailure } from '../thread.ts';
import type { Filled, FillJob, FillReply, FillRequest } from './fill-thread.ts';

/** More do not help: then network and disk are what everybody waits for. Each takes some 20 MB. */
const MAX_THREADS = 2;

/** How many jobs may be done, or under way, ahead of the one whose result is asked for. */
const JOBS_AHEAD = 8;

/**
 * Puts the jobs into the archive with several threads, and tells what each entry turned out to be, in the order of the
 * jobs. How many threads there are changes nothing in the archive.
 *
 * @throws DiatomError `ZIP`, `DISK`, `CANCELLED`: the first failure in the order of the jobs
 */
export async function* fillArchive(
  archive: ArchiveWriter,
  jobs: Iterable<FillJob> | AsyncIterable<FillJob>,
  signal: AbortSignal,
): AsyncGenerator<readonly Filled[], void, void> {
  // The main program, with the network, and the archive's sums have a processor for themselves.
  const count = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
  const threads = createThreads(archive.file.path, count);
  const results: Promise<readonly Filled[]>[] = [];
  /** Settles when the job before has its place. */
  let turn: Promise<void> = Promise.resolve();

  async function fill(job: FillJob, before: Promise<void>, placed: () => void): Promise<readonly Filled[]> {
    return threads.use(async (ask) => {
      const length = await ask({ job });
      if (!('length' in length)) throw new Error('A thread answered out of turn');
      await before;
      throwIfCancelled(signal);
      const names = job.kind === 'file' ? [job.name] : job.images.map(({ name }) => name);
      const segment = await archive.addSegment(names, length.length);
      placed();
      const answer = await ask({ offset: segment.offset });
      if (!('filled' in answer)) throw new Error('A thread answered out of turn');
      segment.written(answer.filled);
      return answer.filled;
    });
  }

  try {
    for await (const job of jobs) {
      throwIfCancelled(signal);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      promise.catch(() => undefined); // the job's own result has the failure
      const result = fill(job, turn, resolve);
      result.catch(reject);
      turn = promise;
      results.push(result);
      if (results.length >= JOBS_AHEAD) yield (await results.shift()) ?? [];
    }
    for (const result of results.splice(0)) yield await result;
  } finally {
    await threads.close();
  }
}

type Ask = (request: FillRequest) => Promise<FillReply>;

/** Threads that are given to whoever comes first, one at a time. */
function createThreads(archivePath: string, count: number) {
  const all = Array.from({ length: count }, () => createThread(archivePath));
  const free = [...all];
  const waiting: ((thread: (typeof all)[number]) => void)[] = [];

  return {
    async use<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
      const thread = free.shift() ?? (await new Promise<(typeof all)[number]>((resolve) => waiting.push(resolve)));
      try {
        return await work(thread.ask);
      } finally {
        const next = waiting.shift();
        if (next) next(thread);
        else free.push(thread);
      }
    },
    close: () => Promise.all(all.map((thread) => thread.close())),
  };
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
      pending = Promise.withResolvers<FillReply>();
      thread.postMessage(request);
      return pending.promise;
    },
    close: () => thread.terminate(),
  };
}
