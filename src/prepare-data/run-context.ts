import type { HttpClient } from '../http/client.ts';
import type { Outcome } from './outcome.ts';

export interface RunContext {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** The time of the run, which names the archive. */
  readonly now: Date;
  /** Called before the upload begins, so that what is there is known even when the upload fails. */
  readonly onArchived: (outcome: Outcome) => void;
}
