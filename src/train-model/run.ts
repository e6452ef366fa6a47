import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiatomError, failureMessage } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { createHttpClient } from '../http/client.ts';
import { cancelOnSignals } from '../runner/cancellation.ts';
import { reportFindings } from '../runner/findings.ts';
import { fail, warn } from '../runner/log.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { proxyFor } from '../runner/proxy.ts';
import { keepForPost, keptFromMain, requireKeptForPost } from '../runner/state.ts';
import { check } from './check.ts';
import type { Checkpoints } from './checkpoints.ts';
import { cleanUp, type Leftover, parseLeftover } from './clean-up.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { type KeepContext, type Kept, keepResult } from './keep-result.ts';
import { isRegularFile } from './output-dir.ts';
import { runDecision } from './run-decision.ts';
import { type Results, summaryMarkdown } from './summary.ts';
import { train } from './train.ts';

const NOTHING_YET: Omit<Results, 'image'> = {
  imageDigest: undefined,
  dataset: undefined,
  history: [],
  metrics: undefined,
  comparison: undefined,
  artifactName: '',
  unpublished: '',
  warnings: [],
};

/** Under which the main step tells the `post` step what it may leave behind. */
const STATE = 'leftover';

/**
 * How long a container may take to save its state when it is stopped, in seconds. A cancelled step gets 7.5 s from its
 * first signal, then 2.5 s from its second (docs.github.com, “Workflow cancellation reference”).
 */
const GRACE_ON_CANCEL = 6;
const GRACE_ON_TIMEOUT = 60;

/**
 * Runs the action's step: the main one, or the `post` step that removes what a main step left behind which was ended by
 * force. Whatever is thrown ends it red; a signal of the runner (SIGINT, then SIGTERM) cancels it in an orderly way.
 */
export async function run(): Promise<void> {
  const kept = keptFromMain(STATE);
  try {
    if (kept === '') await runMain(process.env);
    else await cleanUp(parseLeftover(kept));
  } catch (error) {
    fail(failureMessage(error));
  }
}

async function runMain(env: NodeJS.ProcessEnv): Promise<void> {
  // A container's user has to read what is unpacked here, however strict the runner's own mask is.
  process.umask(0o022);
  const inputs = readInputs(env);
  if (inputs.decide) return runDecision(inputs);
  if (inputs.isCheck) return runCheck(inputs, env);
  const { cancel, release } = cancelOnSignals();
  const deadline = setDeadline(inputs.timeoutMs, cancel);
  const http = createHttpClient({ proxyFor });
  const { outputDir } = inputs;
  const onWarning = (message: string) => {
    warn(message);
    known = { ...known, warnings: [...known.warnings, message] };
  };
  const containerName = nameContainer(env);
  const workDir = join(env['RUNNER_TEMP'] || tmpdir(), containerName);
  // Said before anything of it exists: whenever this process is ended, the post step knows what to look for.
  const leftover = (container: Pick<Leftover, 'container'>) =>
    JSON.stringify({ engine: inputs.engine, workDir, outputDir, ...container } satisfies Leftover);
  let known: Results = { ...NOTHING_YET, image: inputs.image };
  let hasStarted = false;
  let failure: string | undefined;
  let checkpoints: Checkpoints | undefined;
  let keptIn: string | undefined;
  let isStopped = false;
  try {
    requireKeptForPost(STATE, leftover({}));
    await mkdir(workDir, { recursive: true, mode: 0o700 });
    checkpoints = await train(inputs, {
      http,
      env,
      signal: cancel.signal,
      containerName,
      workDir,
      graceSeconds: () => (cancel.signal.reason instanceof DiatomError ? GRACE_ON_TIMEOUT : GRACE_ON_CANCEL),
      onResult: (result) => {
        known = { ...known, ...result };
      },
      onWarning,
      onKept: (place) => {
        keptIn = place;
      },
      onStart: () => {
        hasStarted = true;
        keepForPost(STATE, leftover({ container: containerName }));
      },
    });
  } catch (error) {
    // A run whose time is up says so, and not that it was cancelled.
    isStopped = error instanceof DiatomError && error.code === 'CANCELLED';
    failure = failureMessage(isStopped && cancel.signal.reason instanceof DiatomError ? cancel.signal.reason : error);
    if (isStopped && keptIn !== undefined)
      failure += ` The checkpoint is in ${keptIn}: another attempt of this run goes on from it.`;
    fail(failure);
  } finally {
    clearTimeout(deadline);
    await rm(workDir, { recursive: true, force: true });
  }
  const wasCancelled = cancel.signal.aborted && !(cancel.signal.reason instanceof DiatomError);
  // What was trained is not lost when a later stage fails. A cancelled step has no time for uploads, and a checkpoint that
  // is safe needs none.
  const needsNoUpload = wasCancelled || (isStopped && keptIn !== undefined);
  const kept = hasStarted && !needsNoUpload ? await keepAtLast(inputs, { http, env, onWarning }) : undefined;
  if (kept) known = { ...known, artifactName: kept.artifactName, unpublished: kept.unpublished };
  if (kept?.failure !== undefined) {
    fail(kept.failure);
    failure = [failure, kept.failure].filter((text) => text !== undefined).join('\n');
  }
  if (failure === undefined) await checkpoints?.remove();
  const ended = failure === undefined ? 'trained' : isStopped ? 'stopped' : 'failed';
  setOutputs({ ended, ...(await outputsOf(known, outputDir)) });
  await writeSummary(summaryMarkdown(known, failure));
  release();
  await http.close();
  // Else this step, and the server that it may run on, would wait for an upload that was given up.
  if (kept?.hangs) process.exit();
}

/** With a signal of its own: that of the run says by now that its time is up, if it is. */
async function keepAtLast(inputs: Inputs, context: Omit<KeepContext, 'signal'>): Promise<Kept> {
  const { cancel, release } = cancelOnSignals();
  try {
    return await keepResult(inputs, { ...context, signal: cancel.signal });
  } finally {
    release();
  }
}

async function runCheck(inputs: Inputs, env: NodeJS.ProcessEnv): Promise<void> {
  const { cancel, release } = cancelOnSignals();
  const http = createHttpClient({ proxyFor });
  const workDir = await mkdtemp(join(env['RUNNER_TEMP'] || tmpdir(), 'diatom-check-'));
  try {
    await reportFindings(await check(inputs, { http, signal: cancel.signal, workDir }));
  } finally {
    await rm(workDir, { recursive: true, force: true });
    release();
    await http.close();
  }
}

function setDeadline(timeoutMs: number | undefined, cancel: AbortController): NodeJS.Timeout | undefined {
  if (timeoutMs === undefined) return undefined;
  const message = `The run was stopped after ${formatDuration(timeoutMs / 1_000)} (input timeout-minutes): give it more time, or fewer epochs, or a faster machine.`;
  return setTimeout(() => cancel.abort(new DiatomError('CONTAINER', message)), timeoutMs);
}

/** The random part keeps jobs of one run apart, such as those of a matrix. */
function nameContainer(env: NodeJS.ProcessEnv): string {
  const random = randomBytes(4).toString('hex');
  return `diatom-${env['GITHUB_RUN_ID'] || '0'}-${env['GITHUB_RUN_ATTEMPT'] || '1'}-${random}`;
}

async function outputsOf(
  { metrics, imageDigest, artifactName, unpublished }: Results,
  outputDir: string,
): Promise<Record<string, string | number>> {
  const model = join(outputDir, 'model.pth');
  return {
    'output-dir': outputDir,
    'model-path': (await isRegularFile(model)) ? model : '',
    metrics: metrics?.json ?? '',
    accuracy: metrics?.accuracy ?? '',
    'macro-f1': metrics?.macroF1 ?? '',
    'image-digest': imageDigest ?? '',
    'artifact-name': artifactName,
    unpublished,
  };
}
