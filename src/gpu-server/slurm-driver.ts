import { DiatomError } from '../errors.ts';
import { runOf } from '../model/server-name.ts';
import type { ProgramResult } from '../runner/exec.ts';
import type { Driver, ListedServer, ServerState, ServerStatus, StartRequest } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Host, shellQuote } from './host.ts';
import type { SlurmSettings } from './slurm-inputs.ts';
import { describeJob, parseFolders, parseJobs, type SlurmJob, SQUEUE_OPTIONS } from './slurm-queue.ts';
import { slurmScript } from './slurm-script.ts';

/**
 * How long before its end a job is warned about it, in seconds. Slurm may be a minute early (sbatch(1), `--signal`), so jobs
 * shorter than `SHORT_MINUTES` are not warned; they get SIGTERM at their end, and KillWait (30 s) to go.
 */
const WARNING_SECONDS = 60;
const SHORT_MINUTES = 5;

/** How many lines of a job's log are shown when a start fails. */
const LOG_LINES = 40;

/** The exit code of our own script when the machine has no Slurm. */
const NO_SLURM = 127;

/** Of which state to speak when several jobs carry one name; among equals, of the newest. */
const STATE_ORDER: readonly ServerState[] = ['running', 'stopping', 'waiting', 'unknown', 'gone'];

/**
 * GPU servers that are jobs of a Slurm cluster (https://slurm.schedmd.com), asked for on a login node: the job starts a
 * runner, and the job's name is the server's. Slurm ends it (`--time`), and takes it off the queue when it has
 * not begun while a start waits for it (`--deadline`).
 *
 * Each server has a folder `<slurm-work-dir>/<name>` (0700) with the job's log and, until the job has read it, the
 * runner's configuration (`jit`, 0600), which comes by standard input and is in no argument, environment or script.
 *
 * A start that is repeated finds the job by its name. Two at the same moment may both send one: of jobs of the same name
 * Slurm runs one at a time (`--dependency=singleton`), and the second finds no configuration and ends at once. A lock on
 * the login node would do the same until a start that dies leaves it behind, or a cluster has two login nodes.
 */
export function openSlurm(settings: SlurmSettings & { readonly host: Host }, context: DriverContext): Driver {
  const { host } = settings;
  const { repository } = context;

  async function start({ name, maxMinutes, runner, repository: owner }: StartRequest): Promise<void> {
    if (!runner) throw new DiatomError('SERVER', 'A Slurm job makes a runner of its own, and was given none to make.');
    const { jitConfig, ...setup } = runner;
    const result = await host.run(startCommand(settings, name, maxMinutes, owner), {
      what: 'sbatch',
      input: `${jitConfig}\n${slurmScript(settings.setup, setup)}`,
    });
    if (result.exitCode !== 0) throw failure(`Slurm did not take the job of ${name}`, result);
  }

  async function jobsNamed(name: string): Promise<SlurmJob[] | string> {
    const result = await host.run(inSlurm(name, squeue(`--name=${shellQuote(name)}`)), { what: 'squeue' });
    return result.exitCode === 0 ? parseJobs(result.stdout) : said(result);
  }

  async function status(name: string): Promise<ServerStatus> {
    const jobs = await jobsNamed(name);
    const answer = { lastLines: () => lastLines(name), runningSince: undefined };
    // A controller that does not answer is not the end of a job.
    if (typeof jobs === 'string') {
      return { ...answer, state: 'unknown', detail: `Slurm on ${host.description} does not answer: ${jobs}` };
    }
    const [job] = jobs.toSorted((a, b) => rank(a) - rank(b) || Number.parseInt(b.id, 10) - Number.parseInt(a.id, 10));
    if (!job) return { ...answer, state: 'gone', detail: '' };
    const { state, start } = job;
    return { ...answer, state, detail: describeJob(job), runningSince: state === 'waiting' ? undefined : start };
  }

  async function lastLines(name: string): Promise<string> {
    const { stdout } = await host.run(inSlurm(name, `tail -n ${LOG_LINES} "$folder/log"`), { what: 'tail' });
    return stdout.trim();
  }

  async function stop(name: string): Promise<void> {
    const result = await host.run(
      inSlurm(
        name,
        // A job that is on its way at this moment finds the mark, and no configuration.
        `[ ! -d "$folder" ] || { : >"$folder/stopped"; rm -f -- "$folder/jit"; }
scancel --user="$me" --name=${shellQuote(name)}`,
      ),
      { what: 'scancel' },
    );
    if (result.exitCode === 0) return;
    throw failure(`The job of ${name} could not be stopped`, result, `scancel --name=${name}`);
  }

  async function list(): Promise<ListedServer[]> {
    const result = await host.run(listCommand(settings), { what: 'squeue' });
    if (result.exitCode !== 0) throw failure('The jobs could not be listed', result, 'squeue --me');
    const jobs = parseJobs(result.stdout);
    const ours = new Set(parseFolders(result.stdout, repository));
    return jobs
      .filter((job) => job.state !== 'gone' && runOf(job.name))
      .filter((job) => job.comment === commentOf(repository) || ours.has(job.name))
      .map((job) => ({ name: job.name, state: job.state, detail: describeJob(job), deadline: deadlineOf(job) }));
  }

  function failure(what: string, result: ProgramResult, byHand?: string): DiatomError {
    const words = said(result);
    const advice = result.exitCode === NO_SLURM ? NO_SLURM_ADVICE : adviceFor(words);
    return new DiatomError(
      'SERVER',
      `${what} on ${host.description}: ${words} ${advice}${byHand === undefined ? '' : ` By hand: “${byHand}” there.`}`,
    );
  }

  /** A shell text that can use Slurm, and knows the user and the server's folder. */
  function inSlurm(name: string, text: string): string {
    return `${prelude(settings)}\nfolder=$work/${name}\n${text}`;
  }

  return {
    description: `a job of the Slurm cluster that ${host.description} belongs to`,
    makesRunner: true,
    isForOne: true,
    deadMansSwitch: 'Slurm ends the job (--time)',
    byHand: 'sign in to the cluster and run “scancel --name” with this name',
    whereToLook: 'ssh-host and ssh-user, or the cluster of the machine that this job runs on',
    start,
    status,
    stop,
    list,
    close: () => host.close(),
  };
}

/**
 * What every command begins with. A command by ssh has no login shell's PATH; `command`, because a profile that is not
 * there must not end the shell. `--user` instead of `--me`, which Slurm has since 20.11 only. Times in UTC.
 */
function prelude({ workDir }: SlurmSettings): string {
  return `command -v sbatch >/dev/null 2>&1 || command . /etc/profile >/dev/null 2>&1
command -v sbatch >/dev/null 2>&1 || { echo 'There is no command sbatch.' >&2; exit ${NO_SLURM}; }
me=$(id -un)
work=${workDir.startsWith('/') ? workDir : `$HOME/${workDir}`}`;
}

function squeue(options: string): string {
  return `TZ=UTC SLURM_TIME_FORMAT=standard squeue ${SQUEUE_OPTIONS} --user="$me" ${options}`;
}

/**
 * The comment says whose server a job is: run numbers alone would let one repository reap another's. Clusters overwrite
 * it at times, so the job's folder says it too.
 */
function commentOf(repository: string): string {
  return `diatom ${repository}`;
}

function startCommand(settings: SlurmSettings, name: string, maxMinutes: number, repository: string): string {
  // Rounded down, as the job must not outlive what was announced; Slurm counts whole minutes.
  const limit = Math.max(1, Math.floor(maxMinutes));
  const { partition, account, gres, nodes, cpus, memory, queueMinutes } = settings;
  const options = [
    ...settings.options,
    `--job-name=${name}`,
    `--comment=${commentOf(repository)}`,
    `--time=${limit}`,
    `--deadline=now+${queueMinutes + limit}minutes`,
    ...(limit < SHORT_MINUTES ? [] : [`--signal=B:TERM@${WARNING_SECONDS}`]),
    ...[
      `--nodes=${nodes}`,
      '--ntasks-per-node=1',
      '--no-requeue',
      '--dependency=singleton',
      '--export=ALL',
      '--parsable',
    ],
    ...['--output=log', '--open-mode=truncate'],
    ...(partition === '' ? [] : [`--partition=${partition}`]),
    ...(account === '' ? [] : [`--account=${account}`]),
    ...(gres === '' ? [] : [`--gres=${gres}`]),
    ...(cpus === undefined ? [] : [`--cpus-per-task=${cpus}`]),
    ...(memory === '' ? [] : [`--mem=${memory}`]),
  ];
  // The environment is cut down because it goes into the job: on a runner, it holds this action's inputs.
  return `${prelude(settings)}
umask 077
folder=$work/${name}
mkdir -p -- "$folder" && chmod 700 "$folder" && cd "$folder" || exit
rm -f -- stopped
printf '%s\\n' ${shellQuote(repository)} >repository || exit
IFS= read -r jit || exit
script=$(cat)
jobs=$(squeue --noheader --format=%i --states=PENDING,CONFIGURING,RUNNING,SUSPENDED --user="$me" --name=${name}) || exit
# A job that has read its configuration has no use for another.
[ -n "$jobs" ] && [ ! -e jit ] && exit
rm -f -- jit
printf '%s\\n' "$jit" >jit || exit
[ -z "$jobs" ] || exit 0
printf '%s\\n' "$script" | env -i HOME="$HOME" PATH="$PATH" USER="$me" LOGNAME="$me" SHELL=/bin/bash \${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} \\
  sbatch ${options.map(shellQuote).join(' ')} || { rm -f -- jit repository; exit 1; }
[ ! -e stopped ] || scancel --user="$me" --name=${name}`;
}

/**
 * Lists jobs, and tidies up after those that are gone: at once what only a job that was ended by force leaves behind (a
 * configuration, a runner), after a week its log.
 */
function listCommand(settings: SlurmSettings): string {
  return `${prelude(settings)}
jobs=$(${squeue('')}) || exit
printf '%s\\n' "$jobs"
for file in "$work"/diatom-[0-9]*/repository; do
  [ ! -s "$file" ] || { IFS= read -r owner <"$file"; folder=\${file%/*}; printf 'FOLDER|%s|%s\\n' "\${folder##*/}" "$owner"; }
done
for folder in "$work"/diatom-[0-9]*-[0-9]*; do
  name=\${folder##*/}
  case $jobs in *"|$name|"*) continue ;; esac
  find "$folder" -mindepth 1 -maxdepth 1 ! -name log ! -name stopped ! -name repository -mmin +10 -exec rm -rf -- {} +
  [ -f "$folder/log" ] || [ -f "$folder/repository" ] || continue
  find "$folder" -maxdepth 0 -mmin +10080 -exec rm -rf -- {} +
done 2>/dev/null
exit 0`;
}

function rank({ state }: SlurmJob): number {
  return STATE_ORDER.indexOf(state);
}

function deadlineOf({ state, end }: SlurmJob): Date | undefined {
  return state === 'waiting' ? undefined : end;
}

function said({ stdout, stderr, exitCode }: ProgramResult): string {
  const words = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join(' ').slice(-1_000);
  return words === '' ? `exit code ${exitCode}, without a word.` : `${words.replace(/\.?$/, '.')}`;
}

const NO_SLURM_ADVICE =
  'Slurm’s commands are needed on that machine: set ssh-host to a login node, or run this job on a runner there (runners, server, in your settings).';

/** What sbatch says, and what to do about it. */
const ADVICE: readonly (readonly [said: RegExp, advice: string])[] = [
  [/invalid partition/i, 'Check slurm-partition: “sinfo” there lists the partitions.'],
  [/invalid account/i, 'Check slurm-account: “sacctmgr show associations user=$USER” there lists yours.'],
  [
    /invalid (generic resource|gres)|Requested node configuration is not available/i,
    'Check slurm-gres, slurm-cpus and slurm-memory: “sinfo -o %P,%G,%c,%m” there lists what machines have.',
  ],
  [/time limit/i, 'Lower lifetime-hours: “sinfo -o %P,%l” there lists what partitions allow.'],
  [
    /violates accounting|QOS|limit/i,
    'A limit of your account is reached: ask the cluster’s support, or wait for other jobs of yours.',
  ],
  [
    /contact slurm controller|Socket timed out|Connection (refused|timed out)/i,
    'Slurm itself does not answer at the moment: try again later.',
  ],
  [/quota|No space left|Read-only|Permission denied/i, 'Check slurm-work-dir: it must be writable and have room.'],
];

function adviceFor(words: string): string {
  return ADVICE.find(([pattern]) => pattern.test(words))?.[1] ?? 'See the cluster’s documentation or ask its support.';
}
