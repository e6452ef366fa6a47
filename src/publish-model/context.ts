import type { HttpClient } from '../http/client.ts';
import type { RetryPolicy } from '../http/retry.ts';
import type { Outcome } from './outcome.ts';

/** How long runs wait for each other; see `takeLock`. Milliseconds. */
export interface Patience {
  readonly staleMs: number;
  readonly waitMs: number;
  readonly pollMs: number;
  /** How long what is done in addition may take; see `asWarning`. */
  readonly sideLimitMs?: number | undefined;
}

export interface Context {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
  /** Called when the version is stored, before anything becomes of it. */
  readonly onStored: (outcome: Outcome) => void;
  readonly patience: Patience;
  readonly policy?: RetryPolicy | undefined;
}
