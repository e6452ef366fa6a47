/** What a thread and whoever started it tell each other, whatever the thread's work is. */
import { DiatomError, type ErrorCode, messageOf } from '../errors.ts';

/** What a thread begins with: what its program needs, and whether it is to end (1), which it looks at between steps. */
export interface ThreadStart<Data> {
  readonly data: Data;
  readonly ending: Int32Array<SharedArrayBuffer>;
}

/** What a thread is asked to end with. */
export const END = 'end';

/** What those hear who wait for something from a thread that ends. */
export const ENDED = 'A thread ended before its work';

/** What comes from a thread: what was asked for, or why it failed. */
export type Answer<Reply> = Reply | { readonly failure: ThreadFailure };

/** An error in the form in which it gets from one thread to another: of ours, only the message would. */
export interface ThreadFailure {
  readonly error: unknown;
  readonly code: ErrorCode | undefined;
}

export function packFailure(error: unknown): ThreadFailure {
  if (!(error instanceof DiatomError)) return { error, code: undefined };
  return { error: new Error(error.message, { cause: error.cause }), code: error.code };
}

export function unpackFailure({ error, code }: ThreadFailure): unknown {
  if (code === undefined) return error;
  return new DiatomError(code, messageOf(error), { cause: error instanceof Error ? error.cause : undefined });
}
