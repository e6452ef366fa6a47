import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { info } from '../runner/log.ts';
import type { ServerStatus } from './driver.ts';
import { runOf, serverName } from './server-name.ts';
import { pauses, type Session } from './session.ts';
import { describeStatus } from './wait-for-runner.ts';

/** A server that is gone for sure. */
export interface StoppedServer {
  readonly name: string;
  /** What it was. */
  readonly detail: string;
  /** Whether there was one; `undefined` when nobody could say. */
  readonly existed: boolean | undefined;
  /** How long it ran, in hours; `undefined` when nobody knows. */
  readonly hours: number | undefined;
}

/** How often a server is looked at before it is asked to stop once more. */
const LOOKS_PER_STOP = 8;

/** What a person does whom we have to ask. */
const BY_HAND = {
  local: 'switch it off, if that is what you want',
  command: 'run stop-command yourself, or switch the machine off',
  ec2: 'open the EC2 console, and terminate (or stop) the instance with this name in each of the regions',
  slurm: 'sign in to the cluster and run “scancel --name” with this name',
} as const;

/**
 * Ends the server of that name, and returns when it is seen to be gone. A stop that fails is tried again, and one that
 * has no effect too, for as long as `stop-timeout-minutes` says.
 *
 * @param looks how often in a row it must be seen to be gone: more than once when a start may still be on its way
 * @throws DiatomError `SERVER` when nobody can say that it is gone, with what to do by hand; `CANCELLED`
 */
export async function stopServer(session: Session, name: string, looks = 1): Promise<StoppedServer> {
  const { driver, inputs, signal } = session;
  const before = await driver.status(name).catch(() => undefined);
  info(`Stopping ${name}${before ? ` (${describeStatus(before)})` : ''}`);
  const until = Date.now() + inputs.stopTimeoutMs;
  const pause = pauses(signal);
  let fault = '';
  let last: ServerStatus | undefined;
  let seenGone = 0;
  for (let look = 0; look === 0 || Date.now() < until; look++) {
    let now = '';
    const note = (error: unknown): undefined => {
      throwIfCancelled(signal);
      now = messageOf(error);
      if (now !== fault) info(`Not yet: ${now}`);
      return undefined;
    };
    if (look % LOOKS_PER_STOP === 0 || fault !== '') {
      await driver.stop(name).catch(note);
      if (look === 0) info(`Waiting until ${name} is gone`);
    }
    // A machine that is off already may well refuse to be stopped: what counts is whether it is gone.
    last = await driver.status(name).catch(note);
    fault = now;
    seenGone = last?.state === 'gone' ? seenGone + 1 : 0;
    if (seenGone >= looks) {
      info(`${name} is gone.`);
      return { name, existed: before && before.state !== 'gone', detail: before?.detail ?? '', hours: hoursOf(before) };
    }
    await pause();
  }
  throw new DiatomError(
    'SERVER',
    `${name} may still run and cost money: after ${formatDuration(inputs.stopTimeoutMs / 1_000)}, ${
      fault === '' ? `it is ${last ? describeStatus(last) : 'unknown'}` : `the last answer was: ${fault}`
    }. It is ${driver.description}. Please ${BY_HAND[inputs.driver.kind]}${
      driver.deadMansSwitch === undefined
        ? '. Nothing else will end it'
        : `. If you don’t: ${driver.deadMansSwitch}, at its deadline`
    }.`,
  );
}

function hoursOf(before: ServerStatus | undefined): number | undefined {
  if (before?.state === 'gone' || before?.state === 'waiting') return 0;
  if (before?.runningSince === undefined) return undefined;
  return Math.max(0, Date.now() - before.runningSince.getTime()) / 3_600_000;
}

/** Removes the registration of a server’s runner, when it was not used. What can’t be removed costs nothing: a warning. */
export async function removeRegistration({ driver, github, onWarning, signal }: Session, name: string): Promise<void> {
  if (!driver.makesRunner) return;
  if (!github.runners) {
    info(
      `If the runner ${name} was never used, GitHub lists it for a day or more: there is no runner-token or app-id to remove it with.`,
    );
    return;
  }
  try {
    const result = await github.runners.remove(name);
    if (result === 'removed') info(`Removed the registration of the runner ${name}.`);
    if (result === 'busy') info(`GitHub takes the runner ${name} for busy; its registration goes with its job.`);
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`The registration of the runner ${name} could not be removed: ${messageOf(error)}`);
  }
}

/**
 * The servers of this training: of this attempt, and of earlier ones, which a re-run of single jobs leaves behind, also
 * by the names that those had before there were keys. When the driver can’t list them, every name that an attempt can
 * have had. What is another training’s of this run is none of them.
 */
export async function namesOfTraining({
  inputs: { run, name },
  driver,
  onWarning,
  signal,
}: Session): Promise<string[]> {
  try {
    const listed = (await driver.list()).flatMap((server) => {
      const owner = runOf(server.name);
      if (owner?.runId !== run.runId || owner.attempt > run.attempt) return [];
      return owner.key === run.key || (owner.key === '' && owner.attempt < run.attempt) ? [server.name] : [];
    });
    return [...new Set([name, ...listed])];
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`The servers can’t be listed, so every name that this training can have is stopped: ${messageOf(error)}`);
    const attempts = Array.from({ length: run.attempt }, (_, index) => run.attempt - index);
    const earlier = run.key === '' ? [] : attempts.slice(1).map((attempt) => serverName({ ...run, attempt, key: '' }));
    return [...attempts.map((attempt) => serverName({ ...run, attempt })), ...earlier];
  }
}

/** Stops all servers of this training; one that can’t be stopped keeps none of the others from it. */
export async function stopRun(session: Session, looks = 1): Promise<StoppedServer[]> {
  const stopped: StoppedServer[] = [];
  const failures: unknown[] = [];
  for (const name of await namesOfTraining(session)) {
    try {
      stopped.push(await stopServer(session, name, looks));
      await removeRegistration(session, name);
    } catch (error) {
      throwIfCancelled(session.signal);
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new DiatomError('SERVER', failures.map(messageOf).join('\n'));
  return stopped;
}
