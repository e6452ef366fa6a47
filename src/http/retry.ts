import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfCancelled } from '../errors.ts';

/** How often and how patiently a request is tried again. Times in milliseconds. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly tries: number;
  /** The wait before the second attempt is drawn from 0 to this; it doubles with every further attempt. */
  readonly firstDelayMs: number;
  /** No wait that we choose ourselves is longer. */
  readonly maxDelayMs: number;
  /** A server's Retry-After is honoured up to this; a longer one ends the attempts. */
  readonly maxRetryAfterMs: number;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  tries: 8,
  firstDelayMs: 1_000,
  maxDelayMs: 60_000,
  maxRetryAfterMs: 300_000,
};

/** Of what has to be answered in seconds: a preflight, or whether anything is new. */
export const PREFLIGHT_POLICY: RetryPolicy = {
  tries: 2,
  firstDelayMs: 1_000,
  maxDelayMs: 1_000,
  maxRetryAfterMs: 5_000,
};

/**
 * What an attempt's failure means for the next one. `afterMs` is the server's own wish (Retry-After). `progress` says
 * that the attempt has brought the work forward for good: the tries and the waits are counted from there, so that a
 * big file gets through a bad line. Whoever says so must make sure that this can't go on for ever.
 */
export type RetryVerdict =
  | { readonly retry: false }
  | { readonly retry: true; readonly afterMs?: number | undefined; readonly progress?: boolean | undefined };

export interface RetryNotice {
  /** The attempt that failed, counted from 1 since the start or the last progress. */
  readonly attempt: number;
  readonly tries: number;
  readonly waitMs: number;
  readonly error: unknown;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly judge: (error: unknown) => RetryVerdict;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** A number in [0, 1), for tests. */
  readonly random?: (() => number) | undefined;
}

/**
 * Runs `attempt` until it succeeds, its failure is final, or the tries are used up; then the last failure is thrown.
 * Waits have full jitter, so that parallel downloads which a server has turned away don't come back at the same moment
 * (AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export async function withRetries<T>(attempt: (number: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, judge, signal, onRetry, random = Math.random } = options;
  for (let number = 1; ; number++) {
    throwIfCancelled(signal);
    try {
      return await attempt(number);
    } catch (error) {
      throwIfCancelled(signal);
      const verdict = judge(error);
      if (verdict.retry && verdict.progress) number = 1;
      if (!verdict.retry || number >= policy.tries) throw error;
      if (verdict.afterMs !== undefined && verdict.afterMs > policy.maxRetryAfterMs) throw error;
      const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (number - 1));
      // A Retry-After of 0, or a date just past, is no reason to hammer at a server that has turned us away.
      const waitMs = verdict.afterMs || Math.round(random() * ceiling);
      onRetry?.({ attempt: number, tries: policy.tries, waitMs, error });
      await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => throwIfCancelled(signal));
    }
  }
}

/**
 * A Retry-After header in milliseconds from `now`: whole seconds or an HTTP date (RFC 9110, 10.2.3). A value that is
 * neither, or none, is `undefined`; a date in the past is 0.
 */
export function parseRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
