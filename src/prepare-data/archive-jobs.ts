import type { ArchiveWriter, Segment } from '../archive/archive-writer.ts';
import { throwIfCancelled, unlessCancelled } from '../errors.ts';
import { type Ask, outOfTurn } from '../parallel/thread-pool.ts';
import type { FillPool } from './fill-pool.ts';
import type { Filled, FillJob, FillReply, FillRequest, ImagesJob } from './thread-jobs.ts';

/**
 * How many jobs may be done ahead of the one whose result is asked for, beside those under way. The images of each may be in
 * memory, to be looked at.
 */
const JOBS_AHEAD = 2;

/** A job on a zip that may still be on its way. */
export interface EarlyJob {
  readonly early: ImagesJob;
  /** Waits for all of the zip. */
  readonly whole: () => Promise<{ readonly path: string }>;
}

export interface FillOptions {
  readonly threads: FillPool;
  readonly signal: AbortSignal;
  /** Waits until the archive, which has so many bytes, may grow by another job. */
  readonly room?: ((archiveBytes: number) => Promise<void>) | undefined;
  /** Told what each job has put there, in the order of the jobs; it is waited for. */
  readonly onFilled?: ((filled: Filled) => Promise<void> | void) | undefined;
}

/**
 * Puts the jobs into the archive, in their order, with several threads. How many there are changes nothing in the archive.
 *
 * @throws DiatomError `ZIP`, `DISK`, `CANCELLED`: the first failure in the order of the jobs; what `onFilled` throws
 */
export async function fillArchive(
  archive: ArchiveWriter,
  jobs: Iterable<FillJob | EarlyJob> | AsyncIterable<FillJob | EarlyJob>,
  { threads, signal, room, onFilled }: FillOptions,
): Promise<void> {
  // Jobs that wait for room keep their zips on the disk.
  const ahead = threads.count + (room ? 1 : JOBS_AHEAD);
  const results: Promise<Filled>[] = [];
  const tell = async (result: Promise<Filled>) => {
    const filled = await result;
    await onFilled?.(filled);
  };
  /** Settles when the job before has its place. */
  let turn: Promise<void> = Promise.resolve();

  async function fill(job: FillJob | EarlyJob, before: Promise<void>, placed: () => void): Promise<Filled> {
    let segment: Segment | undefined;

    async function place(bytes: number): Promise<Segment> {
      await before;
      throwIfCancelled(signal);
      // Here the archive's size is known. Before the job one could only count what its images take unpacked, of which the
      // archive, deflated, may never get so much that the wait ends.
      if (room) await unlessCancelled(room(archive.bytes), signal);
      return archive.addSegment(bytes);
    }

    async function write(ask: Ask<FillRequest, FillReply>, now: FillJob): Promise<Filled> {
      const length = await ask({ job: now });
      if (!('length' in length)) return outOfTurn();
      segment ??= await place(length.length);
      placed();
      const answer = await ask({ offset: segment.offset });
      return 'filled' in answer ? answer.filled : outOfTurn();
    }

    return threads.use(async (ask) => {
      const filled = await ('early' in job ? writeEarly(job, (now) => write(ask, now)) : write(ask, job));
      segment?.written(filled.entries, filled.records);
      return filled;
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
    if (results.length >= ahead) for (const first of results.splice(0, 1)) await tell(first);
  }
  for (const result of results) await tell(result);
}

/**
 * A download that has to start from the beginning, or gets its final name, pulls the file away from whoever reads it: what
 * goes wrong with a zip that is on its way is tried once more when it is here.
 */
async function writeEarly({ early, whole }: EarlyJob, write: (job: FillJob) => Promise<Filled>): Promise<Filled> {
  try {
    return await write(early);
  } catch (error) {
    const { path } = await whole();
    if (path === early.zip.path) throw error;
    return write({ ...early, zip: { ...early.zip, path } });
  }
}
