import { type ResourceLimits, Worker } from 'node:worker_threads';
import { DiatomError, type ErrorCode, messageOf } from './errors.ts';

/**
 * A thread handles its data in buffers outside of its heap, which V8 frees late: when the heap they belong to is
 * collected, at the latest when they take half of the old generation's limit (V8's `external_memory_hard_limit`). The
 * heap needs a few MB; so small a limit keeps memory flat.
 */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 };

/**
 * Starts a program of ours in a thread of its own.
 *
 * @param program without its ending, beside the module that starts it: `.ts` among the sources, `.js` in the bundle,
 *   where the build puts it beside the action
 * @param base `import.meta.url` of that module
 * @param limits of its memory
 */
export function startThread(
  program: string,
  base: string,
  workerData: unknown,
  limits: ResourceLimits = LIMITS,
): Worker {
  const ending = base.endsWith('.ts') ? '.ts' : '.js';
  return new Worker(new URL(`./${program}${ending}`, base), {
    workerData,
    // Options for the main program, a debugger's for example, are not for its threads.
    execArgv: [],
    resourceLimits: limits,
  });
}

/** An error in the form in which it gets from one thread to another: of ours, only the message would. */
export interface ThreadFailure {
  readonly error: unknown;
  readonly code: ErrorCode | undefined;
}

/** What comes from a thread: what was asked for, or why it can't be had. */
export type Answer<Reply> = Reply | { readonly failure: ThreadFailure };

export function packFailure(error: unknown): ThreadFailure {
  if (!(error instanceof DiatomError)) return { error, code: undefined };
  return { error: new Error(error.message, { cause: error.cause }), code: error.code };
}

export function unpackFailure({ error, code }: ThreadFailure): unknown {
  if (code === undefined) return error;
  return new DiatomError(code, messageOf(error), { cause: error instanceof Error ? error.cause : undefined });
}
