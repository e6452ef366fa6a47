import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { throwIfCancelled, unlessCancelled } from '../errors.ts';
import type { Filled, FillJob } from './fill-thread.ts';
import { type FillThreads, outOfTurn } from './fill-threads.ts';

/** How many jobs may be done, or under way, ahead of the one whose result is asked for. */
const JOBS_AHEAD = 8;

export interface FillOptions {
  readonly threads: FillThreads;
  readonly signal: AbortSignal;
  /** Waits until the archive, which has so many bytes, may grow by another job. */
  readonly room?: ((archiveBytes: number) => Promise<void>) | undefined;
}

/**
 * Puts the jobs into the archive with several threads, and tells what each entry turned out to be, in the order of the
 * jobs. How many threads there are changes nothing in the archive.
 *
 * @throws DiatomError `ZIP`, `DISK`, `CANCELLED`: the first failure in the order of the jobs
 */
export async function* fillArchive(
  archive: ArchiveWriter,
  jobs: Iterable<FillJob> | AsyncIterable<FillJob>,
  { threads, signal, room }: FillOptions,
): AsyncGenerator<readonly Filled[], void, void> {
  // Jobs that wait for room keep their zips on the disk.
  const ahead = room ? threads.count + 1 : JOBS_AHEAD;
  const results: Promise<readonly Filled[]>[] = [];
  /** Settles when the job before has its place. */
  let turn: Promise<void> = Promise.resolve();

  async function fill(job: FillJob, before: Promise<void>, placed: () => void): Promise<readonly Filled[]> {
    return threads.use(async (ask) => {
      const length = await ask({ job });
      if (!('length' in length)) return outOfTurn();
      await before;
      throwIfCancelled(signal);
      // Here the archive's size is known. Before the job one could only count what its images take unpacked, of which the
      // archive, deflated, may never get so much that the wait ends.
      if (room) await unlessCancelled(room(archive.bytes), signal);
      const names = job.kind === 'file' ? [job.name] : job.images.map(({ name }) => name);
      const segment = await archive.addSegment(names, length.length);
      placed();
      const answer = await ask({ offset: segment.offset });
      if (!('filled' in answer)) return outOfTurn();
      segment.written(answer.filled);
      return answer.filled;
    });
  }

  for await (const job of jobs) {
    throwIfCancelled(signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined); // the job's own result has the failure
    const result = fill(job, turn, resolve);
    result.catch(reject);
    turn = promise;
    results.push(result);
    if (results.length >= ahead) yield (await results.shift()) ?? [];
  }
  for (const result of results.splice(0)) yield await result;
}
