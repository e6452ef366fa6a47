import { availableParallelism } from 'node:os';
import type { ReportPicture } from '../dataset/report-types.ts';
import { startThread } from '../parallel/thread.ts';
import { startThreadPool, type ThreadPool } from '../parallel/thread-pool.ts';
import type { PictureReply, PictureRequest } from './picture-thread.ts';
import type { Picture } from './thread-jobs.ts';

/**
 * In some decoders a large image takes a few hundred megabytes. What is young is collected often: with small images, it
 * would grow to the default limit of 48 MB and more.
 */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1_024 };

/** Image files that wait for their picture to be made: with more of them, the run waits. */
const MAX_WAITING_BYTES = 64 * 2 ** 20;

/** Makes the pictures of the report, while the images go to their places. */
export interface Pictures {
  /** Takes the memory of the files. Waits while many wait already. */
  add(images: readonly Picture[]): Promise<void>;
  /** All of them, in the order in which they were added. */
  finish(): Promise<ReportPicture[]>;
  close(): Promise<unknown>;
}

type Pool = ThreadPool<PictureRequest, PictureReply>;

interface Lane {
  pool: Pool | undefined;
  last: Promise<unknown>;
  /** Bytes of the files that wait. */
  waiting: number;
}

/** @param maxBytes of one picture */
export function createPictures(maxBytes: number): Pictures {
  const program = { program: 'picture-thread', base: import.meta.url, data: undefined, limits: LIMITS };
  const start = (): Pool => startThreadPool(1, (events) => startThread(program, events));
  const lanes: Lane[] = Array.from({ length: Math.min(2, Math.max(1, availableParallelism() - 1)) }, () => ({
    pool: undefined,
    last: Promise.resolve(),
    waiting: 0,
  }));
  const made: Promise<ReportPicture>[] = [];
  let isClosed = false;

  async function make({ data, ...image }: Picture, lane: Lane): Promise<ReportPicture> {
    if (data === undefined) return { ...image, picture: { notShown: 'the file is very large' } };
    // A thread that is started now would be ended by nobody, and keep the program alive.
    if (isClosed) return { ...image, picture: { notShown: 'the run has ended' } };
    lane.pool ??= start();
    // If the thread is gone, the pool has another for the next image.
    const asked = lane.pool.use((ask) => ask({ file: data, maxBytes }, [data.buffer]));
    const picture = await asked.catch(() => ({ notShown: 'it can’t be decoded' }));
    return { ...image, picture };
  }

  return {
    async add(images) {
      for (const image of images) {
        const lane = lanes.reduce((least, other) => (other.waiting < least.waiting ? other : least));
        if (lane.waiting > MAX_WAITING_BYTES) await lane.last;
        const bytes = image.data?.length ?? 0;
        lane.waiting += bytes;
        const picture = lane.last.then(() => make(image, lane));
        lane.last = picture.then(() => {
          lane.waiting -= bytes;
        });
        made.push(picture);
      }
    },
    finish: () => Promise.all(made),
    close() {
      isClosed = true;
      return Promise.all(lanes.map(({ pool }) => pool?.close()));
    },
  };
}
