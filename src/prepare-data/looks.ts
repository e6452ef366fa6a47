import { availableParallelism } from 'node:os';
import type { NearPair } from '../dataset/near-duplicates.ts';
import type { Hashes } from '../dataset/near-index.ts';
import { HASH_WORDS } from '../image/perceptual-hash.ts';
import { startThread } from '../parallel/thread.ts';
import { outOfTurn, startThreadPool, type ThreadPool } from '../parallel/thread-pool.ts';
import type { FileBatch } from './file-batch.ts';
import type { LookReply, LookRequest } from './look-thread.ts';

/**
 * Pixels are outside of the heap, and V8 frees them at the latest when they take half of this limit (see
 * `parallel/thread.ts`): with 512 MB, small PNGs left 50 MB more behind. Decoders need 13 MB of heap for images of 36
 * megapixels, in every format.
 */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

/** More do not help: then the network is what everybody waits for. */
const MAX_THREADS = 6;

/** Images that wait to be looked at: with more of them, the run waits. */
const MAX_WAITING_BYTES = 4 * 2 ** 20;

/** Looks at images, to find those that look alike. */
export interface Looks {
  /** Their hashes, in their order, and only zeros for those that can't be compared. Takes the memory of the files. */
  look(files: FileBatch): Promise<Hashes>;
  /** Waits until not many images wait to be looked at. */
  room(): Promise<void>;
  pairs(hashes: Hashes, isTest: Uint8Array): Promise<readonly NearPair[]>;
  groups(hashes: Hashes, isKnown: Uint8Array): Promise<Uint32Array>;
  close(): Promise<unknown>;
}

export function createLooks(): Looks {
  const program = { program: 'look-thread', base: import.meta.url, data: undefined, limits: LIMITS };
  const count = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
  let pool: ThreadPool<LookRequest, LookReply> | undefined;
  let isClosed = false;
  let waitingBytes = 0;
  let waiting: (() => void)[] = [];

  async function ask(request: LookRequest, given?: readonly ArrayBuffer[]): Promise<LookReply> {
    // A thread that is started now would be ended by nobody, and keep the program alive.
    if (isClosed) throw new Error('The run has ended');
    pool ??= startThreadPool(count, (events) => startThread(program, events));
    return pool.use((one) => one(request, given));
  }

  return {
    async look(files) {
      const bytes = files.data.length;
      waitingBytes += bytes;
      try {
        const reply = await ask({ files }, [files.data.buffer]);
        return 'hashes' in reply ? reply.hashes : outOfTurn();
      } catch {
        // A thread that died of one of them is replaced.
        return new Uint32Array(files.ends.length * HASH_WORDS);
      } finally {
        waitingBytes -= bytes;
        const ready = waiting;
        waiting = [];
        for (const resolve of ready) resolve();
      }
    },
    async room() {
      while (waitingBytes > MAX_WAITING_BYTES) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    async pairs(hashes, isTest) {
      const reply = await ask({ pairs: { hashes, isTest } });
      return 'pairs' in reply ? reply.pairs : outOfTurn();
    },
    async groups(hashes, isKnown) {
      const reply = await ask({ groups: { hashes, isKnown } });
      return 'groups' in reply ? reply.groups : outOfTurn();
    },
    close() {
      isClosed = true;
      return Promise.resolve(pool?.close());
    },
  };
}
