const PREFIX = 'diatom';

/** The run that a server belongs to. */
export interface RunIdentity {
  readonly runId: string;
  readonly attempt: number;
}

/**
 * The name of a run's server. It follows from the run alone, so that a stop, or a reaper, needs nothing that the start
 * has told: the start may have been killed before it told anything.
 */
export function serverName({ runId, attempt }: RunIdentity): string {
  return `${PREFIX}-${runId}-${attempt}`;
}

/** Whose server it is; `undefined` for a name that is none of ours. */
export function runOf(name: string): RunIdentity | undefined {
  const [, runId, attempt] = /^diatom-(\d+)-(\d+)$/.exec(name) ?? [];
  return runId === undefined ? undefined : { runId, attempt: Number(attempt) };
}
