/** What every driver is given to work with. */
export interface DriverContext {
  /** Ends every wait. A clean-up has a driver of its own, with a signal of its own. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** The runner's folder for temporary files. What is written there has mode 0600, and is removed by who wrote it. */
  readonly temporary: string;
  /** `owner/name`: whose servers are meant. */
  readonly repository: string;
  /** How long a program may take: then it is ended. */
  readonly limits: Limits;
  onWarning(message: string): void;
}

/** In milliseconds. */
export interface Limits {
  /** For what only asks or is done at once, such as `squeue`. */
  readonly answerMs: number;
  /** For stop-command, which may first have something to save. */
  readonly stopMs: number;
  /** For start-command. */
  readonly startMs: number;
}
