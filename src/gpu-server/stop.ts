import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { runOf, serverName } from '../model/server-name.ts';
import { info } from '../runner/log.ts';
import type { ServerStatus } from './driver.ts';
import { type ModeContext, pauses } from './mode-context.ts';
import { describeStatus, isKnown } from './wait-for-runner.ts';
import { TooLate, within } from './within.ts';
import { onlineRunner, runsElsewhere, soonFromGithub } from './witness.ts';

/** A server that is gone for sure. */
export interface StoppedServer {
  readonly name: string;
  /** What it was. */
  readonly detail: string;
  /** Whether there was one; `undefined` when nobody could say. */
  readonly existed: boolean | undefined;
  /** How long it ran, in hours; `undefined` when nobody knows. */
  readonly hours: number | undefined;
  /** As the cloud said at its start; `undefined` when nobody asked. */
  readonly pricePerHour: number | undefined;
}

/** How often a server is looked at before it is asked to stop once more. */
const LOOKS_PER_STOP = 8;

/** A stop does not wait any longer than this to learn what it is that it stops. */
const FIRST_LOOK_MS = 15_000;

/** What still runs when the time of a stop is up gets so much more, so that its own words can be shown. */
const GRACE_MS = 20_000;

/** After how long GitHub has noticed that a runner is gone of whose server the driver knows nothing, in milliseconds. */
const WITNESS_MS = 3 * 60_000;

/**
 * When a server has to stay gone for a while: `always` after a start that was cut short, as what it has asked for may come
 * into being a moment later; `unseen` where nothing was there to be stopped, for the same reason.
 */
export type Watch = 'always' | 'unseen' | 'never';

/**
 * Ends the server of that name, and returns when it is seen to be gone, and GitHub does not show its runner. A stop is
 * tried again when it fails, has no effect, or a server comes after it; for as long as `stop-timeout-minutes` says,
 * whatever hangs.
 *
 * @throws DiatomError `SERVER` when nobody can say that it is gone, with what to do by hand; `CANCELLED`
 */
export async function stopServer(context: ModeContext, name: string, watch: Watch = 'never'): Promise<StoppedServer> {
  const before = await within(FIRST_LOOK_MS, context.driver.status(name), 'It').catch(() => undefined);
  info(`Stopping ${name}${before ? ` (${describeStatus(before)})` : ''}`);
  await untilGone(context, name, watch, before);
  info(`${name} is gone.`);
  return {
    name,
    existed: before && (before.state !== 'gone' || before.detail !== ''),
    detail: before?.detail ?? '',
    hours: hoursOf(before, name === context.inputs.name ? context.inputs.maxMinutes : Number.POSITIVE_INFINITY),
    pricePerHour: before?.pricePerHour,
  };
}

async function untilGone(
  context: ModeContext,
  name: string,
  watch: Watch,
  before: ServerStatus | undefined,
): Promise<void> {
  const { driver, inputs, signal } = context;
  const until = Date.now() + inputs.stopTimeoutMs;
  const pause = pauses(signal);
  let isSeen = before !== undefined && isKnown(before);
  let [last, fault, wasGone] = [before, '', false];
  let [gone, denied] = [NEVER, NEVER];
  for (let look = 0; look === 0 || gone !== NEVER || Date.now() < until; look++) {
    let now = '';
    const inTime = <T>(work: Promise<T>): Promise<T | undefined> =>
      within(Math.max(0, until - Date.now()) + GRACE_MS, work, driver.description).catch((error: unknown) => {
        throwIfCancelled(signal);
        // Which program has hung until now says more than that one hangs.
        now = error instanceof TooLate && fault !== '' ? fault : messageOf(error);
        if (now !== fault) info(`Not yet: ${now}`);
        return undefined;
      });
    const isBack = wasGone && last?.state !== 'gone';
    if (look % LOOKS_PER_STOP === 0 || fault !== '' || isBack) {
      await inTime(driver.stop(name));
      if (look === 0) info(`Waiting until ${name} is gone`);
    }
    // A machine that is off already may well refuse to be stopped: what counts is whether it is gone.
    last = await inTime(driver.status(name));
    fault = now;
    isSeen ||= last !== undefined && isKnown(last);
    gone = last?.state !== 'gone' ? NEVER : gone === NEVER ? Date.now() : gone;
    wasGone ||= gone !== NEVER;
    const watchMs = watch === 'always' || (watch === 'unseen' && !isSeen) ? inputs.watchMs : 0;
    if (gone !== NEVER && Date.now() >= gone + watchMs) {
      const runner = await onlineRunner(context, name);
      if (!runner) return;
      if (denied === NEVER) info(`Not yet: GitHub shows the runner ${runner.name} online.`);
      denied = denied === NEVER ? Date.now() : denied;
      // GitHub notices late that a machine is off.
      if (Date.now() >= (isSeen ? until : Math.min(until, denied + WITNESS_MS))) {
        throw runsElsewhere(context, name, runner);
      }
    }
    await pause();
  }
  throw notStopped(context, name, fault, last);
}

/** Not at any time: what is reckoned from it is long past. */
const NEVER = Number.NEGATIVE_INFINITY;

function notStopped({ driver, inputs }: ModeContext, name: string, fault: string, last: ServerStatus | undefined) {
  return new DiatomError(
    'SERVER',
    `${name} may still run and cost money: after ${formatDuration(inputs.stopTimeoutMs / 1_000)}, ${
      fault === ''
        ? `it is ${last ? describeStatus(last) : 'unknown'}`
        : `the last answer was: ${fault.replace(/\.$/, '')}`
    }. It is ${driver.description}. Please ${driver.byHand}${
      driver.deadMansSwitch === undefined
        ? '. Nothing else will end it'
        : `. If you don’t: ${driver.deadMansSwitch}, at its deadline`
    }.`,
  );
}

/** @param maxMinutes after which it has ended by itself, whenever anybody looks; another’s is known by its line in the file of hours */
function hoursOf(before: ServerStatus | undefined, maxMinutes: number): number | undefined {
  if (before?.state === 'waiting') return 0;
  if (before?.runningSince === undefined) return before?.state === 'gone' ? 0 : undefined;
  return Math.min(maxMinutes * 60_000, Math.max(0, Date.now() - before.runningSince.getTime())) / 3_600_000;
}

/** Removes the registration of a server’s runner, when it was not used. What can’t be removed costs nothing: a warning. */
export async function removeRegistration(context: ModeContext, name: string): Promise<void> {
  const { driver, github, onWarning, signal } = context;
  if (!driver.makesRunner) return;
  if (!github.runners) {
    info(
      `If the runner ${name} was never used, GitHub lists it for a day or more: there is no runner-token or app-id to remove it with.`,
    );
    return;
  }
  try {
    const result = await soonFromGithub(context, github.runners.remove(name));
    if (result === 'removed') info(`Removed the registration of the runner ${name}.`);
    if (result === 'busy') info(`GitHub takes the runner ${name} for busy; its registration goes with its job.`);
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`The registration of the runner ${name} could not be removed: ${messageOf(error)}`);
  }
}

/**
 * The servers that earlier attempts of this training have left, as a re-run of single jobs does, also by the names that
 * those had before there were keys. When the driver can’t list them, every name that an attempt can have had. Those of
 * another training of this run are not among them.
 */
async function earlierNames({ inputs: { run, name }, driver, onWarning, signal }: ModeContext): Promise<string[]> {
  try {
    const listed = (await driver.list()).flatMap((server) => {
      const owner = runOf(server.name);
      if (owner?.runId !== run.runId || owner.attempt > run.attempt) return [];
      return owner.key === run.key || (owner.key === '' && owner.attempt < run.attempt) ? [server.name] : [];
    });
    return [...new Set(listed)].filter((listedName) => listedName !== name);
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`The servers can’t be listed, so every name that this training can have is stopped: ${messageOf(error)}`);
    const attempts = Array.from({ length: run.attempt - 1 }, (_, index) => run.attempt - 1 - index);
    const keyless = run.key === '' ? [] : attempts.map((attempt) => serverName({ ...run, attempt, key: '' }));
    return [...attempts.map((attempt) => serverName({ ...run, attempt })), ...keyless];
  }
}

/**
 * Stops all servers of this training, its own before anybody asks for others; one that can’t be stopped keeps none of the
 * others from it.
 */
export async function stopRun(context: ModeContext, watch: Watch = 'unseen'): Promise<StoppedServer[]> {
  const stopped: StoppedServer[] = [];
  const failures: unknown[] = [];
  const stopOne = async (name: string, howLong: Watch) => {
    try {
      stopped.push(await stopServer(context, name, howLong));
      await removeRegistration(context, name);
    } catch (error) {
      throwIfCancelled(context.signal);
      failures.push(error);
    }
  };
  await stopOne(context.inputs.name, watch);
  for (const name of await earlierNames(context)) await stopOne(name, 'never');
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new DiatomError('SERVER', failures.map(messageOf).join('\n'));
  return stopped;
}
