import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { GithubError } from '../github/api.ts';
import { group, info, mask } from '../runner/log.ts';
import { setOutputs } from '../runner/outputs.ts';
import { recordStart } from './budget.ts';
import { type RunnerSetup, type RunnerSoftware, ServerTaken } from './driver.ts';
import { agreePrice } from './max-price.ts';
import { labelsOf, type ModeContext, runsOn } from './mode-context.ts';
import { type ReapedServer, reap } from './reap.ts';
import { waitForRunner } from './wait-for-runner.ts';

/** A server whose runner takes jobs. */
export interface StartedServer {
  /** `undefined` for what is always on. */
  readonly deadline: Date | undefined;
  readonly runsOn: readonly string[];
  /** Of the dearest that it may be; `undefined` when nobody knows. */
  readonly pricePerHour: number | undefined;
  readonly reaped: readonly ReapedServer[];
}

/**
 * Starts this training’s server and waits for its runner. The outputs are set before anything is made: they follow from
 * the run and the input `key` alone.
 *
 * @param onMaking is called right before something is made that has to be stopped or removed when this fails
 * @throws ServerTaken when there is one under its name already, which another job has made
 */
export async function start(context: ModeContext, onMaking: () => void): Promise<StartedServer> {
  const { driver, inputs, github, onWarning } = context;
  const { name, maxMinutes, repository } = inputs;
  if (driver.makesRunner && !github.runners) {
    throw new DiatomError(
      'INPUT',
      'Inputs app-id and runner-token are empty: the server gets a runner of its own, and a job’s github.token may not register one. Give the id and key of a GitHub App, or a token.',
    );
  }
  const { perHour, mostPerHour } = await agreePrice(context);
  if (driver.deadMansSwitch === undefined) {
    onWarning(
      `Nothing ends ${driver.description} when nobody stops it. Let the template gpu-reaper.yml run every hour, or see the driver’s page in docs for a limit of its own.`,
    );
  }
  const reaped = await reapFirst(context);
  const deadline = driver.isAlwaysOn ? undefined : new Date(Date.now() + maxMinutes * 60_000);
  const labels = runsOn(context);
  if (driver.makesRunner) await refuseWhenTaken(context);
  setOutputs({
    name,
    label: driver.isForOne ? name : '',
    'runs-on': JSON.stringify(labels),
    deadline: deadline?.toISOString() ?? '',
  });
  const software = driver.makesRunner ? await github.runners?.software() : undefined;
  if (!driver.isAlwaysOn) {
    await recordStart(context, perHour);
    onMaking();
  }
  const runner = software ? await registerRunner(context, software) : undefined;
  info(`Starting ${name}: ${driver.description}`);
  await driver.start({ name, repository, maxMinutes, mostPerHour, runner });
  info(`${name} is asked for. ${lifetime(deadline, driver.deadMansSwitch)}`);
  await waitForRunner(context);
  return { deadline, runsOn: labels, pricePerHour: perHour, reaped };
}

function lifetime(deadline: Date | undefined, deadMansSwitch: string | undefined): string {
  if (deadline === undefined) return 'It is always on.';
  return deadMansSwitch === undefined
    ? 'Nothing ends it when nobody stops it.'
    : `It lives until ${deadline.toISOString()} at the longest: ${deadMansSwitch}.`;
}

/** GitHub ends schedules at times, without a word in a run, so the reaper is not all that cleans up. */
async function reapFirst(context: ModeContext): Promise<readonly ReapedServer[]> {
  try {
    const reaped = await group('Looking for servers that were left behind', () => reap(context, { nameless: false }));
    for (const { server, outcome, why } of reaped) {
      if (outcome === 'failed' || outcome === 'unclear') context.onWarning(`${server.name} was left alone: ${why}`);
    }
    return reaped;
  } catch (error) {
    throwIfCancelled(context.signal);
    context.onWarning(`Nobody could look for servers that were left behind: ${messageOf(error)}`);
    return [];
  }
}

async function registerRunner(context: ModeContext, software: RunnerSoftware): Promise<RunnerSetup | undefined> {
  const { github, inputs } = context;
  if (!github.runners) return undefined;
  info(`Registering a runner ${inputs.name} by ${github.runners.auth}`);
  const jitConfig = await github.runners.register(inputs.name, labelsOf(context)).catch((error: unknown) => {
    // Of two jobs that start at the same moment, GitHub gives the name to one.
    if (error instanceof GithubError && error.status === 409) throw taken(inputs.name, 'a runner', { cause: error });
    throw error;
  });
  mask(jitConfig);
  return { jitConfig, software, pickUpMinutes: inputs.pickUpMinutes };
}

/** In one attempt of a run, only another job can have made something under this name. */
async function refuseWhenTaken({ driver, github, signal, inputs: { name } }: ModeContext): Promise<void> {
  // Who gets no answer goes on: GitHub gives a name to one runner only, and no driver makes a second server of it.
  const status = await driver.status(name).catch(() => throwIfCancelled(signal));
  if (status && status.state !== 'gone' && status.state !== 'unknown') throw taken(name, 'a server');
  if ((await github.runners?.list(name))?.some((runner) => runner.name === name)) throw taken(name, 'a runner');
}

function taken(name: string, what: string, options?: { cause?: unknown }): ServerTaken {
  return new ServerTaken(
    `Another job of this run has ${what} of the name ${name}, and nothing was started. Two trainings of one run need different names: give each a key of its own (input key), or in train-model.yml an artifact-name of its own.`,
    options,
  );
}
