import { describe, expect, it } from 'vitest';
import { describeJob, parseFolders, parseJobs, type SlurmJob } from '../../src/gpu-server/slurm-queue.ts';

function only(line: string): SlurmJob {
  const [job, ...others] = parseJobs(`${line}\n`);
  if (!job || others.length > 0) throw new Error(`Not one job: ${line}`);
  return job;
}

describe('a line of squeue', () => {
  it('is a job that waits, with the time when Slurm expects it to begin', () => {
    expect(only('17|diatom-5-1|PENDING|2026-11-22T21:51:45|2026-11-22T22:51:45||Resources|diatom a/b')).toEqual({
      id: '17',
      name: 'diatom-5-1',
      word: 'PENDING',
      state: 'waiting',
      reason: 'Resources',
      start: new Date('2026-11-22T21:51:45Z'),
      end: new Date('2026-11-22T22:51:45Z'),
      nodes: '',
      comment: 'diatom a/b',
    });
  });

  it('has no time where Slurm has none', () => {
    expect(only('17|x|PENDING|N/A|NONE||Priority|')).toMatchObject({ start: undefined, end: undefined, comment: '' });
  });

  it('keeps a comment whole', () => {
    expect(only('17|x|RUNNING|N/A|N/A|gpu1|None|a|b').comment).toBe('a|b');
  });

  // All words that job_state_string has in Slurm's sources, from 20.11 to 26.05, and those of squeue(1) that it hasn't.
  it.each([
    ['PENDING', 'waiting'],
    ['CONFIGURING', 'waiting'],
    ['EXPEDITING', 'waiting'],
    ['POWER_UP_NODE', 'waiting'],
    ['REQUEUED', 'waiting'],
    ['REQUEUE_FED', 'waiting'],
    ['REQUEUE_HOLD', 'waiting'],
    ['RESV_DEL_HOLD', 'waiting'],
    ['SPECIAL_EXIT', 'waiting'],
    ['UPDATE_DB', 'running'],
    ['RUNNING', 'running'],
    ['RESIZING', 'running'],
    ['SIGNALING', 'running'],
    ['STAGE_OUT', 'running'],
    ['STOPPED', 'running'],
    ['SUSPENDED', 'running'],
    ['COMPLETING', 'stopping'],
    ['BOOT_FAIL', 'gone'],
    ['COMPLETED', 'gone'],
    ['CANCELLED', 'gone'],
    ['CANCELLED by 1000', 'gone'],
    ['DEADLINE', 'gone'],
    ['FAILED', 'gone'],
    ['NODE_FAIL', 'gone'],
    ['OUT_OF_MEMORY', 'gone'],
    ['PREEMPTED', 'gone'],
    ['REVOKED', 'gone'],
    ['TIMEOUT', 'gone'],
    ['LAUNCH_FAILED', 'unknown'],
    ['?', 'unknown'],
    // Of 20.11 alone, for jobs of scrontab.
    ['REQUEUED_CRON', 'unknown'],
    ['SOMETHING_NEW', 'unknown'],
  ])('with %s is %s', (word, state) => {
    expect(only(`1|x|${word}|N/A|N/A||None|`).state).toBe(state);
  });

  it('that is something else is no job', () => {
    expect(parseJobs('\nslurm_load_jobs: something\n')).toEqual([]);
  });
});

it('a folder says whose server it is', () => {
  const text = 'FOLDER|diatom-1-1|a/b\nFOLDER|diatom-2-1|a/c\n1|diatom-3-1|RUNNING|N/A|N/A||None|a/b\n';
  expect(parseFolders(text, 'a/b')).toEqual(['diatom-1-1']);
});

describe('a job in words', () => {
  it.each([
    ['Priority', 'job 17 waits: other jobs come first (Priority)'],
    ['Resources', 'job 17 waits: the GPUs it asks for are taken (Resources)'],
    ['None', 'job 17 waits: Slurm has not looked at it yet (None)'],
    [
      'QOSMaxGRESPerUser',
      'job 17 waits: its quality of service allows no more GPUs to you or your group at the moment (QOSMaxGRESPerUser)',
    ],
    [
      'AssocGrpGRES',
      'job 17 waits: your account may use no more GPUs at the moment, or has used up its GPU time (AssocGrpGRES)',
    ],
    [
      'AssocMaxJobsLimit',
      'job 17 waits: a limit of your account is reached: it waits until other jobs of yours end (AssocMaxJobsLimit)',
    ],
    [
      'QOSMaxWallDurationPerJobLimit',
      'job 17 waits: it asks for more hours than you may: lower lifetime-hours (QOSMaxWallDurationPerJobLimit)',
    ],
    ['AssocGrpCPUMinutesLimit', 'job 17 waits: your account has used up its computing time (AssocGrpCPUMinutesLimit)'],
    [
      'ReqNodeNotAvail, UnavailableNodes:gpu[1-4]',
      'job 17 waits: the machines that could run it are down or reserved, perhaps for maintenance (ReqNodeNotAvail, UnavailableNodes:gpu[1-4])',
    ],
    ['PartitionDown', 'job 17 waits: the partition is closed at the moment (PartitionDown)'],
    [
      'PartitionTimeLimit',
      'job 17 waits: it asks for more hours than the partition allows: lower lifetime-hours (PartitionTimeLimit)',
    ],
    ['SomethingNew', 'job 17 waits: SomethingNew'],
  ])('says why it waits: %s', (reason, words) => {
    expect(describeJob(only(`17|x|PENDING|N/A|N/A||${reason}|`))).toBe(words);
  });

  it('says when it may begin', () => {
    expect(describeJob(only('17|x|PENDING|2026-11-22T21:51:45|N/A||Priority|'))).toBe(
      'job 17 waits: other jobs come first (Priority); Slurm expects it to begin at 2026-11-22 21:51 UTC',
    );
  });

  it('says where it runs, and until when', () => {
    expect(describeJob(only('17|x|RUNNING|2026-11-22T21:51:45|2026-11-23T09:51:45|gpu1|None|'))).toBe(
      'job 17 runs on gpu1 until 2026-11-23 09:51 UTC at the latest',
    );
  });

  it('says how it ended', () => {
    expect(describeJob(only('17|x|FAILED|N/A|N/A|gpu1|NonZeroExitCode|'))).toBe(
      'job 17 has ended: FAILED (NonZeroExitCode)',
    );
  });
});
