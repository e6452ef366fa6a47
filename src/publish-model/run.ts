import { failureMessage } from '../errors.ts';
import { createHttpClient } from '../http/client.ts';
import { cancelOnSignals } from '../runner/cancellation.ts';
import { fail, info, warn } from '../runner/log.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { proxyFor } from '../runner/proxy.ts';
import { check, checkMarkdown } from './check.ts';
import type { Patience } from './context.ts';
import { dryRun } from './dry-run.ts';
import { type Inputs, readDryRun, readInputs, takeInputs } from './inputs.ts';
import { type Outcome, refusalOf } from './outcome.ts';
import { publish } from './publish.ts';
import { summaryMarkdown } from './summary.ts';
import { PATIENCE } from './with-locked-folder.ts';

/**
 * Runs the action: inputs → publishing or roll-back → outputs and summary. Whatever is thrown ends the run red, and so
 * does a model that may not go to production; a signal of the runner (SIGINT, then SIGTERM) cancels it in an orderly way.
 */
export async function run(patience: Patience = PATIENCE): Promise<void> {
  const { env } = process;
  const { cancel, release } = cancelOnSignals();
  const http = createHttpClient({ proxyFor });
  const warnings: string[] = [];
  let stored: Outcome | undefined;
  // Time limits by AbortSignal.timeout hold no process: Node would end it while only they are waited for, and leave the lock.
  const held = setInterval(() => {}, 2 ** 30);
  try {
    takeInputs();
    const dry = readDryRun(env);
    if (dry) return await dryRun(dry, { env, signal: cancel.signal });
    const now = () => new Date();
    const inputs = readInputs(env, now());
    const { task } = inputs;
    if (task.kind === 'check') return await runCheck(inputs, { env, http, signal: cancel.signal });
    const outcome = await publish(inputs, task, {
      http,
      env,
      now,
      signal: cancel.signal,
      patience,
      onWarning: (message) => {
        warn(message);
        warnings.push(message);
      },
      onStored: (before) => {
        stored = before;
        setOutputs(outputsOf(before));
      },
    });
    setOutputs(outputsOf(outcome));
    const refusal = refusalOf(outcome);
    if (refusal !== undefined) fail(refusal);
    await writeSummary(summaryMarkdown(outcome, { warnings, failure: refusal }));
  } catch (error) {
    const message = failureMessage(error);
    fail(message);
    if (stored) await writeSummary(summaryMarkdown(stored, { warnings, failure: message }));
  } finally {
    release();
    clearInterval(held);
    await http.close();
  }
}

async function runCheck(inputs: Inputs, context: Parameters<typeof check>[1]): Promise<void> {
  const findings = await check(inputs, context);
  for (const { subject, state, sentence } of findings) {
    if (state === 'good') info(`${subject}: ${sentence}.`);
    else if (state === 'doubtful') warn(`${subject}: ${sentence}.`);
    else fail(`${subject}: ${sentence}`);
  }
  await writeSummary(checkMarkdown(findings));
}

function outputsOf(outcome: Outcome): Record<string, string> {
  const { version, url, promoted, production, sha256 } = outcome;
  return {
    version,
    'version-url': url,
    promoted: String(promoted),
    'previous-version': production?.version ?? '',
    'gate-passed': gatePassed(outcome),
    sha256,
  };
}

/** Whoever promotes in a job of its own goes by it: not `true` for what was promoted already. */
function gatePassed({ decidedBy, checks, settled }: Outcome): string {
  if (decidedBy === 'person') return '';
  if (settled && !settled.waits) return checks.passed ? '' : 'false';
  return String(checks.passed);
}
