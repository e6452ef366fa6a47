import { messageOf, throwIfCancelled } from '../errors.ts';
import { hasLabels, type Runner } from '../github/runners.ts';
import type { Run } from '../github/runs.ts';
import { runOf } from '../model/server-name.ts';
import { info } from '../runner/log.ts';
import { recordStop } from './budget.ts';
import type { ListedServer } from './driver.ts';
import { labelsOf, type ModeContext } from './mode-context.ts';
import { removeRegistration, type StoppedServer, stopServer } from './stop.ts';
import { within } from './within.ts';

/** What became of a server that was found. */
export interface ReapedServer {
  readonly server: ListedServer;
  /** `failed`: it was to be stopped, and nobody can say that it is gone. `unclear`: nobody can say whose it is. */
  readonly outcome: 'stopped' | 'kept' | 'unclear' | 'failed';
  /** Why, as a sentence’s part. */
  readonly why: string;
}

/** What is known of whose a server is. */
export interface Ownership {
  /** `undefined`: the run was deleted. */
  readonly run: Run | undefined;
  /** The attempt that the server was made for. */
  readonly attempt: number;
  /** Whether its runner has a job; `undefined` when nobody can say. */
  readonly busy: boolean | undefined;
}

/** Whether a server may be stopped, and why. */
interface Verdict {
  readonly stop: boolean;
  readonly why: string;
}

/** GitHub may be down: a reaper that waits for it stops nothing. */
const JUDGE_MS = 2 * 60_000;

/** What is to become of a server whose run is known. */
export function decide(
  { deadline }: Pick<ListedServer, 'deadline'>,
  { run, attempt, busy }: Ownership,
  now: Date,
): Verdict {
  // What a token may not see is answered as what is not there; but a runner at work is proof of life.
  if (!run && busy) return { stop: false, why: 'its run is not found, but its runner has a job' };
  if (!run) return { stop: true, why: 'its run was deleted' };
  if (run.isOver) return { stop: true, why: 'its run is over' };
  if (busy) return { stop: false, why: 'its runner has a job of a run that goes on' };
  if (deadline && deadline <= now) return { stop: true, why: 'its deadline is past' };
  if (run.attempt > attempt) {
    return busy === false
      ? { stop: true, why: `attempt ${run.attempt} of its run goes on, and its runner has no job` }
      : {
          stop: false,
          why: `attempt ${run.attempt} of its run goes on, and nobody can say whether its runner has a job`,
        };
  }
  return { stop: false, why: 'its run goes on' };
}

/**
 * Stops the servers of this repository that no live run owns, and writes down their hours. What can’t be judged is left alone
 * and said.
 *
 * @param options.nameless whether a server of which nobody knows the run may be stopped when no run at all goes on
 */
export async function reap(context: ModeContext, options: { readonly nameless: boolean }): Promise<ReapedServer[]> {
  const { driver, inputs } = context;
  const results: ReapedServer[] = [];
  const stopped: StoppedServer[] = [];
  for (const server of await driver.list()) {
    if (server.name === inputs.name) continue;
    const result = await reapOne(context, server, { ...options, onStopped: (ended) => void stopped.push(ended) });
    info(`${server.name}: ${result.outcome}, ${result.why.replace(/\.$/, '')}.`);
    results.push(result);
  }
  await recordStop(context, stopped);
  return results;
}

async function reapOne(
  context: ModeContext,
  server: ListedServer,
  { nameless, onStopped }: { readonly nameless: boolean; readonly onStopped: (stopped: StoppedServer) => void },
): Promise<ReapedServer> {
  let verdict: Verdict;
  try {
    verdict = await within(JUDGE_MS, judge(context, server, { nameless }), 'GitHub');
  } catch (error) {
    throwIfCancelled(context.signal);
    return { server, outcome: 'unclear', why: `nobody can say whether its run goes on: ${messageOf(error)}` };
  }
  const { stop, why } = verdict;
  if (!stop) return { server, outcome: 'kept', why };
  try {
    onStopped(await stopServer(context, server.name));
    await removeRegistration(context, server.name);
    return { server, outcome: 'stopped', why };
  } catch (error) {
    throwIfCancelled(context.signal);
    return { server, outcome: 'failed', why: messageOf(error) };
  }
}

async function judge(
  context: ModeContext,
  server: ListedServer,
  { nameless }: { readonly nameless: boolean },
): Promise<Verdict> {
  const owner = runOf(server.name);
  if (!owner) return nameless ? await judgeNameless(context) : { stop: false, why: 'nobody knows its run' };
  const run = await context.github.findRun(owner.runId);
  const busy = run?.isOver ? undefined : await isBusy(context, server.name);
  return decide(server, { run, attempt: owner.attempt, busy }, new Date());
}

/** A server that carries no name, such as a machine that is woken, belongs to any run that goes on. */
async function judgeNameless(context: ModeContext): Promise<Verdict> {
  const { github, inputs } = context;
  const others = (await github.liveRuns()).filter((id) => id !== inputs.run.runId);
  if (others.length > 0) return { stop: false, why: `it may belong to run ${others.join(' or ')}, which goes on` };
  if (await isBusy(context, '')) return { stop: false, why: 'its runner has a job' };
  return { stop: true, why: 'no run of this repository goes on' };
}

async function isBusy(context: ModeContext, name: string): Promise<boolean | undefined> {
  const { driver, github } = context;
  if (!github.runners) return undefined;
  const labels = labelsOf(context, name);
  const isIts = (runner: Runner) => (driver.makesRunner ? runner.name === name : hasLabels(runner, labels));
  return (await github.runners.list(driver.makesRunner ? name : undefined)).some(
    (runner) => isIts(runner) && runner.busy,
  );
}

/**
 * Removes registrations of runners that never came or went without a job: offline, without a server, and of a run of
 * this repository that is over. GitHub would keep them for a day or more.
 *
 * @returns their names
 */
export async function reapRegistrations(context: ModeContext): Promise<string[]> {
  const { driver, github, inputs } = context;
  if (!github.runners || !driver.makesRunner) return [];
  const servers = (await driver.list()).map(({ name }) => name);
  const removed: string[] = [];
  for (const { name, isOnline, busy } of await github.runners.list()) {
    const owner = runOf(name);
    if (!owner || isOnline || busy || name === inputs.name || servers.includes(name)) continue;
    // A run that is not found may be another repository’s: the runners may be those of an organisation.
    const run = await github.findRun(owner.runId);
    if (run?.isOver && (await github.runners.remove(name)) === 'removed') removed.push(name);
  }
  return removed;
}
