import { failureMessage } from '../errors.ts';
import { createHttpClient } from '../http/client.ts';
import { cancelOnSignals } from '../runner/cancellation.ts';
import { reportFindings } from '../runner/findings.ts';
import { fail, warn } from '../runner/log.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { proxyFor } from '../runner/proxy.ts';
import { check } from './check.ts';
import { readInputs } from './inputs.ts';
import type { Outcome } from './outcome.ts';
import { prepare } from './prepare.ts';
import { failureMarkdown, summaryMarkdown } from './summary.ts';

/**
 * Runs the action: inputs → preparation → outputs and summary. Whatever is thrown ends the run red; a signal of the
 * runner (SIGINT, then SIGTERM) cancels it in an orderly way.
 */
export async function run(): Promise<void> {
  const { env } = process;
  const { cancel, release } = cancelOnSignals();
  const http = createHttpClient({ proxyFor });
  let archived: Outcome | undefined;
  try {
    const inputs = await readInputs(env);
    const context = { http, env, signal: cancel.signal, now: new Date() };
    if (inputs.mode === 'check') {
      await reportFindings(await check(inputs, context));
      return;
    }
    const outcome = await prepare(inputs, {
      ...context,
      onArchived: (before) => {
        archived = before;
        setOutputs(outputsOf(before));
      },
    });
    setOutputs(outputsOf(outcome));
    for (const warning of outcome.warnings) warn(warning);
    await writeSummary(summaryMarkdown(outcome));
  } catch (error) {
    const message = failureMessage(error);
    fail(message);
    await writeSummary(archived ? summaryMarkdown(archived, message) : failureMarkdown(message));
  } finally {
    release();
    await http.close();
  }
}

function outputsOf(outcome: Outcome): Record<string, string | number> {
  const { seed, classes, dataDir, archive, standing, dataIdentity = '' } = outcome;
  const counts = [...classes.values()];
  return {
    'data-dir': dataDir,
    seed,
    'train-count': counts.reduce((sum, { train }) => sum + train, 0),
    'test-count': counts.reduce((sum, { test }) => sum + test, 0),
    classes: JSON.stringify(Object.fromEntries(classes)),
    changed: archive ? 'true' : standing ? 'false' : '',
    'data-identity': dataIdentity,
    'archive-name': archive?.name ?? standing?.name ?? '',
    'archive-path': archive?.path ?? standing?.path ?? '',
    'archive-url': archive?.delivery?.url ?? standing?.url ?? '',
    'archive-sha256': archive?.facts.sha256 ?? standing?.sha256 ?? '',
    'archive-bytes': archive?.facts.bytes ?? standing?.bytes ?? '',
    'manifest-path': archive?.manifestPath ?? standing?.manifestPath ?? '',
  };
}
