import { DEFAULT_RETRY_POLICY, type RetryNotice, type RetryPolicy, withRetries } from '../http/retry.ts';
import { judgeWebdav } from './webdav-error.ts';

/** What every operation on a remote takes. */
export interface RemoteOptions {
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy | undefined;
  /** Told before each wait for another try. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** Told what did not go as it should but does not endanger the data. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** How many small requests wait for their answers at a time: what takes time is the server’s answer, not the bytes. */
export const SIDE_BY_SIDE = 10;

/** Runs a request, again when its failure may pass. */
export function retrying<T>(options: RemoteOptions, attempt: (number: number) => Promise<T>): Promise<T> {
  const { policy = DEFAULT_RETRY_POLICY, signal, onRetry } = options;
  return withRetries(attempt, { policy, judge: judgeWebdav, signal, onRetry });
}

/** The signal in the form that the library's options take. */
export function withSignal(options: RemoteOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {};
}
