/** What every driver is given to work with. */
export interface DriverContext {
  /** Ends every wait. A clean-up has a driver of its own, with a signal of its own. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** The runner's folder for temporary files. What is written there has mode 0600, and is removed by who wrote it. */
  readonly temporary: string;
  /** `owner/name`: whose servers are meant. */
  readonly repository: string;
  onWarning(message: string): void;
}
