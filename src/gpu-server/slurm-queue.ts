import type { ServerState } from './driver.ts';

/** A job as squeue shows it. */
export interface SlurmJob {
  readonly id: string;
  readonly name: string;
  readonly state: ServerState;
  /** What squeue calls the state, such as `PENDING`. */
  readonly word: string;
  /** Why it waits, such as `Priority`; `None` when it doesn't. */
  readonly reason: string;
  /** When it began, or is expected to. */
  readonly start: Date | undefined;
  /** When its time is up. */
  readonly end: Date | undefined;
  readonly nodes: string;
  readonly comment: string;
}

/**
 * Options with which squeue(1) prints what `parseJobs` reads: all states, also those of jobs that have just ended, and
 * one job a line. The reason and the comment are last because others choose their words.
 *
 * A text is asked for where newer ones have `--json`, too: these letters mean the same from 20.11 to 24.05 (src/squeue/opts.c),
 * while each release has another form of JSON, a job's state and times among what has changed, and drops an older one.
 */
export const SQUEUE_OPTIONS = "--noheader --states=all --format='%i|%j|%T|%S|%e|%N|%r|%k'";

/** Slurm's states (squeue(1), “JOB STATE CODES”) that are not the end of a job. */
const STATES: Readonly<Record<string, ServerState>> = {
  PENDING: 'waiting',
  CONFIGURING: 'waiting',
  EXPEDITING: 'waiting',
  POWER_UP_NODE: 'waiting',
  REQUEUED: 'waiting',
  REQUEUE_FED: 'waiting',
  REQUEUE_HOLD: 'waiting',
  RESV_DEL_HOLD: 'waiting',
  SPECIAL_EXIT: 'waiting',
  RUNNING: 'running',
  RESIZING: 'running',
  SIGNALING: 'running',
  STAGE_OUT: 'running',
  STOPPED: 'running',
  SUSPENDED: 'running',
  UPDATE_DB: 'running',
  COMPLETING: 'stopping',
};

const ENDED = /^(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|REVOKED|TIMEOUT)\b/;

/** Reads what squeue printed with `SQUEUE_OPTIONS` where its times are in UTC. */
export function parseJobs(text: string): SlurmJob[] {
  return text
    .split('\n')
    .map((line) => line.split('|'))
    .filter((fields) => fields.length >= 8)
    .map(([id = '', name = '', word = '', start, end, nodes = '', reason = '', ...comment]) => ({
      id,
      name,
      word,
      state: STATES[word] ?? (ENDED.test(word) ? 'gone' : 'unknown'),
      reason,
      start: parseTime(start),
      end: parseTime(end),
      nodes,
      comment: comment.join('|').trim(),
    }));
}

/** The names of servers whose folder says that they are this repository's, of lines such as `FOLDER|diatom-1-1|a/b`. */
export function parseFolders(text: string, repository: string): string[] {
  return text
    .split('\n')
    .map((line) => line.split('|'))
    .flatMap(([mark, name = '', owner]) => (mark === 'FOLDER' && owner === repository ? [name] : []));
}

/** `2026-11-22T21:05:13`; `N/A` and everything else is no time. */
function parseTime(text: string | undefined): Date | undefined {
  return text !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? new Date(`${text}Z`) : undefined;
}

/** What the usual reasons of waiting mean (squeue(1), “JOB REASON CODES”), the more special before the general. */
const REASONS: readonly (readonly [reason: RegExp, meaning: string])[] = [
  [/^Priority/, 'other jobs come first'],
  [/^Resources/, 'the GPUs it asks for are taken'],
  [/^(None|Cleaning)?$/, 'Slurm has not looked at it yet'],
  [/^Dependency$/, 'an earlier job of the same name has to end first'],
  [/^DependencyNeverSatisfied/, 'an earlier job that it needs will never end well: stop it'],
  [/^QOS.*(GRES|Gres)/, 'its quality of service allows no more GPUs to you or your group at the moment'],
  [/^Assoc.*(GRES|Gres)/, 'your account may use no more GPUs at the moment, or has used up its GPU time'],
  [/^(QOS|Assoc).*(Wall|Time)/, 'it asks for more hours than you may: lower lifetime-hours'],
  [/^(QOS|Assoc).*Minutes/, 'your account has used up its computing time'],
  [/^(QOS|Assoc)/, 'a limit of your account is reached: it waits until other jobs of yours end'],
  [/^ReqNodeNotAvail/, 'the machines that could run it are down or reserved, perhaps for maintenance'],
  [/^(Reservation|ReservationDeleted)/, 'its reservation has not begun, or is gone'],
  [/^(BeginTime)/, 'it may not begin yet'],
  [/^JobHeld(User|Admin)/, 'it is held: somebody has to release it (scontrol release)'],
  [/^Partition(Down|Inactive)/, 'the partition is closed at the moment'],
  [/^PartitionTimeLimit/, 'it asks for more hours than the partition allows: lower lifetime-hours'],
  [/^Partition/, 'it asks for more than the partition allows'],
  [/^BadConstraints/, 'no machine has what it asks for: check slurm-gres and slurm-options'],
  [/^Invalid(Account|QOS)/, 'its account or quality of service is not valid: check slurm-account and slurm-options'],
  [/^Licenses/, 'it waits for a licence'],
  [/^(NodeDown|Nodes? required|launch failed)/i, 'the machines that could run it are down'],
];

/** What a person would want to know of a job, in one line. */
export function describeJob(job: SlurmJob): string {
  const { id, state, word, reason, start, end, nodes } = job;
  if (state === 'waiting' && word === 'PENDING') {
    const meaning = REASONS.find(([pattern]) => pattern.test(reason))?.[1];
    const expected = start ? `; Slurm expects it to begin at ${minutes(start)}` : '';
    return `job ${id} waits: ${meaning === undefined ? reason : `${meaning} (${reason})`}${expected}`;
  }
  if (state === 'running') return `job ${id} runs on ${nodes}${end ? ` until ${minutes(end)} at the latest` : ''}`;
  if (state === 'stopping') return `job ${id} is ending on ${nodes}`;
  return `job ${id} ${state === 'gone' ? 'has ended' : 'is'}: ${word}${/^(None)?$/.test(reason) ? '' : ` (${reason})`}`;
}

function minutes(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
