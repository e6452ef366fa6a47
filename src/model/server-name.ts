const PREFIX = 'diatom';

/** The training of a run that a server belongs to. */
export interface RunIdentity {
  readonly runId: string;
  readonly attempt: number;
  /** What tells the trainings of one run apart (`trainingKey`); `''` where there is one, and in older names. */
  readonly key: string;
}

/**
 * The name of a training’s server. It follows from the run and its key alone, so that a stop, or a reaper, needs nothing
 * that the start has told: the start may have been killed before it told anything.
 */
export function serverName({ runId, attempt, key }: RunIdentity): string {
  return [PREFIX, runId, attempt, ...(key === '' ? [] : [key])].join('-');
}

/** Whose server it is; `undefined` for a name that is not one of ours. */
export function runOf(name: string): RunIdentity | undefined {
  const [, runId, attempt, key = ''] = /^diatom-(\d+)-(\d+)(?:-([a-z0-9]+(?:-[a-z0-9]+)*))?$/.exec(name) ?? [];
  return runId === undefined ? undefined : { runId, attempt: Number(attempt), key };
}

/**
 * Whether a server belongs to a training that goes on beside the one of a name, in the same attempt of the same run, or
 * is that one’s own. What earlier attempts have left is nobody’s: a run can be repeated only when it is over.
 */
export function isOfSameAttempt(name: string, other: string): boolean {
  const [one, two] = [runOf(name), runOf(other)];
  return one !== undefined && one.runId === two?.runId && one.attempt === two.attempt;
}
