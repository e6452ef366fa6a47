import { setTimeout as sleep } from 'node:timers/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { systemCodeOf } from '../errors.ts';
import { type Answer, END, ENDED, type ThreadStart } from './thread-messages.ts';

/**
 * A thread handles its data in buffers outside of its heap, which V8 frees late: when the heap they belong to is
 * collected, at the latest when they take half of the old generation's limit (V8's `external_memory_hard_limit`), so that
 * a small limit keeps memory flat. With less than 9 MB the bundle's threads run out of memory, and with less than 13 those
 * that Node makes from the sources; with 16 one of less than two thousand did, on a loaded machine.
 */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 24 };

/** A thread that is asked to end and is silent for so long is ended by force: a runner kills a cancelled step after 7.5 s. */
const PATIENCE_MS = 4_000;

/** One that can't be ended even so, as the system does not come back to it, is left to itself. */
const FORCE_MS = 1_000;

export interface Thread<Request> {
  /** @param given memory of the request that goes with it instead of being copied */
  send(request: Request, given?: readonly ArrayBuffer[]): void;
  /** Whether the program waits for it. In the beginning it does. */
  keepsAlive(does: boolean): void;
  /**
   * Ends it, whatever it does; resolves when it is gone. It ends itself, after the step that it is at: one that is
   * terminated from outside can take the whole program with it. Between two lines of Node's zlib for example there is a
   * handle that is not set up, and Node, which tidies up behind the thread, aborts with “close before init”; others are
   * https://github.com/nodejs/node/issues/38418 and https://github.com/nodejs/node/issues/43182.
   */
  end(): Promise<void>;
}

export interface ThreadEvents<Reply> {
  readonly onReply: (reply: Answer<Reply>) => void;
  /** It is gone, for whatever reason. */
  readonly onGone: (reason: unknown) => void;
}

/** Where a thread's program is. */
export interface ThreadProgram<Data> {
  /** Without its ending, beside the module that starts it: `.ts` among the sources, `.js` in the bundle, beside the action. */
  readonly program: string;
  /** `import.meta.url` of that module. */
  readonly base: string;
  readonly data: Data;
  /** Of its memory. */
  readonly limits?: ResourceLimits;
}

/** Starts a program of ours in a thread of its own. It answers with `answerRequests`. */
export function startThread<Data, Request extends object, Reply extends object>(
  { program, base, data, limits = LIMITS }: ThreadProgram<Data>,
  { onReply, onGone }: ThreadEvents<Reply>,
): Thread<Request> {
  const file = base.endsWith('.ts') ? '.ts' : '.js';
  const ending = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const start: ThreadStart<Data> = { data, ending };
  const worker = new Worker(new URL(`./${program}${file}`, base), {
    workerData: start,
    // Options for the main program, a debugger's for example, are not for its threads.
    execArgv: [],
    resourceLimits: limits,
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  worker.on('message', onReply);
  worker.on('error', (error) => onGone(whyGone(program, error, limits)));
  let end: Promise<void> | undefined;
  worker.on('exit', (code) => {
    onGone(new Error(end ? ENDED : `The thread ${program} ended by itself, with exit code ${code}`));
    resolve();
  });
  return {
    send: (request, given = []) => worker.postMessage(request, given),
    keepsAlive: (does) => (does ? worker.ref() : worker.unref()),
    end() {
      end ??= endThread(worker, ending, gone);
      return end;
    },
  };
}

async function endThread(worker: Worker, ending: Int32Array, gone: Promise<void>): Promise<void> {
  worker.ref();
  Atomics.store(ending, 0, 1);
  worker.postMessage(END);
  if (await within(gone, PATIENCE_MS)) return;
  await within(worker.terminate(), FORCE_MS);
  worker.unref();
}

/** @returns whether it came about */
async function within(event: Promise<unknown>, limitMs: number): Promise<boolean> {
  const clock = new AbortController();
  const late = sleep(limitMs, true, { signal: clock.signal }).catch(() => true);
  const isLate = await Promise.race([event.then(() => false), late]);
  clock.abort();
  return !isLate;
}

function whyGone(program: string, error: unknown, limits: ResourceLimits): unknown {
  if (systemCodeOf(error) !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  return new Error(`The thread ${program} ran out of memory: its heap may take ${limits.maxOldGenerationSizeMb} MB.`, {
    cause: error,
  });
}
