import { DiatomError, failureMessage, messageOf } from '../errors.ts';
import { cancelOnSignals } from '../runner/cancellation.ts';
import { identityOfJob } from '../runner/identity.ts';
import { textInput } from '../runner/inputs.ts';
import { fail, info, warn } from '../runner/log.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { keepForPost, keptFromMain, requireKeptForPost } from '../runner/state.ts';
import { AWS_AUDIENCE, signInFailure } from './aws-sign-in.ts';
import { recordStop } from './budget.ts';
import { ServerTaken } from './driver.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { type ModeContext, openModeContext } from './mode-context.ts';
import { reap, reapRegistrations } from './reap.ts';
import { start } from './start.ts';
import { checkStatus } from './status-mode.ts';
import { stopRun } from './stop.ts';
import { reapedSection, startedSection, statusSection, stoppedSection, summaryMarkdown } from './summary.ts';
import { explainTimeout } from './wait-for-runner.ts';
import { within } from './within.ts';

/** Under which the main step tells the `post` step what it has to finish. */
const STATE = 'unfinished';
/** The run’s servers have to be stopped. */
const STOP = 'stop';
/** There is nothing to finish. */
const DONE = 'done';

/** How long unused registrations, which cost nothing, are looked for. */
const REGISTRATIONS_MS = 5 * 60_000;

/** How long one program may take that is asked why a start takes too long. */
const REASON_MS = 15_000;

/**
 * Runs the action’s step: the main one, or the `post` step that stops the server of a start which did not come to its
 * end, and finishes a stop that was cut short. Whatever is thrown ends it red.
 */
export async function run(): Promise<void> {
  const kept = keptFromMain(STATE);
  if (kept === DONE) return;
  try {
    if (kept === STOP) await runPost(process.env);
    else {
      // Said before anything else, so that no post step takes itself for the main one.
      // But a stop that can't say so goes on anyway: its post step would only stop once more.
      if (textInput('mode') === 'stop') keepForPost(STATE, DONE);
      else requireKeptForPost(STATE, DONE);
      await runMain(process.env);
    }
  } catch (error) {
    fail(failureMessage(error));
  }
}

async function runMain(env: NodeJS.ProcessEnv): Promise<void> {
  const inputs = readInputs(env);
  const warnings: string[] = [];
  const onWarning = (message: string) => {
    warn(message);
    warnings.push(message);
  };
  const { cancel, release } = cancelOnSignals();
  let failure: string | undefined;
  let sections: string[] = [];
  try {
    if (inputs.isSignInRefused) throw signInFailure(inputs, await identityOfJob(AWS_AUDIENCE));
    // A stop goes on when the run is cancelled: that is what it is for.
    const signal = inputs.mode === 'stop' ? new AbortController().signal : cancel.signal;
    sections =
      inputs.mode === 'start'
        ? await runStart(inputs, env, cancel, onWarning)
        : await runOther(await openModeContext(inputs, env, { signal, onWarning }));
  } catch (error) {
    failure = failureMessage(reasonOf(error, cancel.signal));
    fail(failure);
  }
  await writeSummary(summaryMarkdown(failure, warnings, sections));
  release();
}

/** What has run out of time says so, and not that it was cancelled. */
function reasonOf(error: unknown, signal: AbortSignal): unknown {
  const isStopped = error instanceof DiatomError && error.code === 'CANCELLED';
  return isStopped && signal.reason instanceof DiatomError ? signal.reason : error;
}

async function runStart(
  inputs: Inputs,
  env: NodeJS.ProcessEnv,
  cancel: AbortController,
  onWarning: (message: string) => void,
): Promise<string[]> {
  const context = await openModeContext(inputs, env, { signal: cancel.signal, onWarning });
  const timer = setTimeout(() => void giveUp(inputs, env, cancel), inputs.startTimeoutMs);
  let isMade = false;
  try {
    const started = await start(context, () => {
      isMade = true;
      keepForPost(STATE, STOP);
    });
    keepForPost(STATE, DONE);
    return [startedSection(started, context.driver.description, inputs)];
  } catch (error) {
    if (error instanceof ServerTaken) {
      keepForPost(STATE, DONE);
      setOutputs({ refused: 'true' });
    } else if (isMade) await cleanUp(inputs, env, cancel.signal, onWarning);
    throw error;
  } finally {
    clearTimeout(timer);
    await context.close();
  }
}

/** Ends a start that takes too long, with what can be found out about the reason. */
async function giveUp(inputs: Inputs, env: NodeJS.ProcessEnv, cancel: AbortController): Promise<void> {
  const limits = { ...inputs.limits, answerMs: Math.min(inputs.limits.answerMs, REASON_MS) };
  const context = await openModeContext({ ...inputs, limits }, env, { signal: cancel.signal, onWarning: warn });
  const reason = await explainTimeout(context).catch((error: unknown) => error);
  await context.close();
  cancel.abort(reason);
}

/** Stops what a failed start may have left. What it can’t do in the time that it gets, the post step does. */
async function cleanUp(
  inputs: Inputs,
  env: NodeJS.ProcessEnv,
  cancelled: AbortSignal,
  onWarning: (message: string) => void,
): Promise<void> {
  info('The start did not come to its end: its server is stopped.');
  const context = await openModeContext(inputs, env, { signal: new AbortController().signal, onWarning });
  try {
    await stopRun(context, 'always');
    // What was under way when the run was cancelled may have an effect yet: the post step looks once more.
    if (!cancelled.aborted || cancelled.reason instanceof DiatomError) keepForPost(STATE, DONE);
  } catch (error) {
    fail(failureMessage(error));
  } finally {
    await context.close();
  }
}

async function runPost(env: NodeJS.ProcessEnv): Promise<void> {
  info('The step did not come to its end: its server is stopped.');
  const inputs = readInputs(env);
  const { release } = cancelOnSignals();
  const context = await openModeContext(inputs, env, { signal: new AbortController().signal, onWarning: warn });
  try {
    await stopRun(context, 'always');
  } finally {
    await context.close();
    release();
  }
}

async function runOther(context: ModeContext): Promise<string[]> {
  try {
    if (context.inputs.mode === 'stop') return await runStop(context);
    return context.inputs.mode === 'reap' ? await runReap(context) : await runStatus(context);
  } finally {
    await context.close();
  }
}

async function runStop(context: ModeContext): Promise<string[]> {
  const { inputs, driver } = context;
  if (driver.isAlwaysOn) {
    info('The machine is always on: there is nothing to stop.');
    setOutputs({ name: inputs.name, state: 'running' });
    return ['The machine is always on: nothing was stopped.'];
  }
  keepForPost(STATE, STOP);
  setOutputs({ name: inputs.name, state: 'unknown' });
  try {
    const stopped = await stopRun(context);
    setOutputs({ state: 'gone' });
    await recordStop(context, stopped);
    const leftovers = await driver.list().catch((error: unknown) => {
      context.onWarning(`Other servers can’t be listed: ${messageOf(error)}`);
      return [];
    });
    return [stoppedSection(stopped, leftovers, inputs)];
  } finally {
    // Tried long enough: only a stop that was cut short is finished by the post step.
    keepForPost(STATE, DONE);
  }
}

async function runReap(context: ModeContext): Promise<string[]> {
  const { driver, github, onWarning } = context;
  if (driver.cannotList !== undefined) onWarning(`This reaper is blind. ${driver.cannotList}`);
  if (driver.makesRunner && !github.runners) {
    onWarning('Unused registrations of runners were not looked for: inputs app-id and runner-token are empty.');
  }
  const reaped = await reap(context, { nameless: true });
  const removed = await within(REGISTRATIONS_MS, reapRegistrations(context), 'GitHub').catch((error: unknown) => {
    onWarning(`Unused registrations of runners could not be removed: ${messageOf(error)}`);
    return [];
  });
  const bad = reaped.filter(({ outcome }) => outcome === 'failed' || outcome === 'unclear');
  if (bad.length > 0) {
    fail(
      bad
        .map(
          ({ server, outcome, why }) =>
            `${server.name} ${outcome === 'failed' ? 'may still run' : 'was left alone'}: ${why}`,
        )
        .join('\n'),
    );
  }
  return driver.cannotList === undefined ? [reapedSection(reaped, removed)] : [driver.cannotList];
}

async function runStatus(context: ModeContext): Promise<string[]> {
  const report = await checkStatus(context);
  for (const { name, ok, result } of report.checks) info(`${ok ? 'ok    ' : 'failed'} ${name}: ${result}`);
  setOutputs({ name: context.inputs.name, state: report.status?.state ?? 'unknown' });
  const failed = report.checks.filter(({ ok }) => !ok);
  if (failed.length > 0) {
    fail(`A start would not be safe: ${failed.map(({ name, result }) => `${name}: ${result}`).join('; ')}`);
  }
  return [statusSection(report)];
}
