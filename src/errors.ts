/**
 * What went wrong, as a word a program can test. One code a kind of remedy: what the user has to do about it differs.
 *
 * - `INPUT`      an input of the action is missing, misspelt or contradicts another
 * - `FILE_LIST`  the file list is not valid
 * - `DATA_SET`   the images do not allow the data set that was asked for (conflicting labels, no training image …)
 * - `ZIP`        a zip is damaged or not safe to read
 * - `DOWNLOAD`   a file can't be downloaded from its address
 * - `CONTAINER`  the container engine refuses, or a command in the container fails
 * - `MODEL`      a model's files are incomplete or contradict each other
 * - `GATE`       a model may not go to production: its figures or its classes don't allow it
 * - `SERVER`     a GPU server can't be started, found or stopped, or its runner does not come
 * - `GITHUB`     GitHub's API refuses
 * - `OWNCLOUD`   the ownCloud (or other WebDAV server) refuses or lacks something
 * - `NETWORK`    a server can't be reached or stopped answering
 * - `DISK`       the local disk is full or can't be written
 * - `CANCELLED`  the run was cancelled
 */
export type ErrorCode =
  | 'INPUT'
  | 'FILE_LIST'
  | 'DATA_SET'
  | 'ZIP'
  | 'DOWNLOAD'
  | 'CONTAINER'
  | 'MODEL'
  | 'GATE'
  | 'SERVER'
  | 'GITHUB'
  | 'OWNCLOUD'
  | 'NETWORK'
  | 'DISK'
  | 'CANCELLED';

/**
 * The base of every error this project throws on purpose. The message is written for a scientist: what happened, where
 * (input, file, entry, server), what was found, what was expected, what to do. It never holds a secret: no download
 * address, no password, no text of the file list.
 */
export class DiatomError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DiatomError';
    this.code = code;
  }
}

/** The message of anything that can be thrown, for places where the type is not known. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What ends a run red: errors of ours speak for themselves; anything else is a fault of this action, and says so. */
export function failureMessage(thrown: unknown): string {
  if (thrown instanceof DiatomError) return thrown.message;
  const details = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return `Something happened that this action did not foresee. Please report it with this text:\n${details}`;
}

/** The system or library code (`ENOSPC`, `ECONNRESET`, `UND_ERR_BODY_TIMEOUT` …) of a thrown value or of its causes. */
export function systemCodeOf(thrown: unknown): string | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (error instanceof DiatomError) continue;
    if ('code' in error && typeof error.code === 'string') return error.code;
    if (error instanceof AggregateError) {
      const inner = error.errors.map(systemCodeOf).find((code) => code !== undefined);
      if (inner !== undefined) return inner;
    }
  }
  return undefined;
}

/** Throws the one error that stands for a cancelled run. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DiatomError('CANCELLED', 'The run was cancelled.', { cause: signal.reason });
}

/** What `work` comes to, or the error of a cancelled run as soon as the signal is aborted. */
export async function unlessCancelled<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfCancelled(signal);
  if (!signal) return work;
  const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
  const onAbort = () => abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
    throwIfCancelled(signal);
    return await work;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
