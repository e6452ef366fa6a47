import { DiatomError, messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { createHttpClient } from '../http/client.ts';
import { connect } from '../owncloud/connect.ts';
import { cancelOnSignals } from '../runner/cancellation.ts';
import { info, warn } from '../runner/log.ts';
import { escapeMarkdown } from '../runner/markdown.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { proxyFor } from '../runner/proxy.ts';
import { type Decision, decide } from './decide.ts';
import type { Inputs } from './inputs.ts';

/** The action's step with `decide: true`: one line in the summary, and outputs for the jobs that follow. */
export async function runDecision(inputs: Inputs): Promise<void> {
  const { cancel, release } = cancelOnSignals();
  const http = createHttpClient({ proxyFor });
  const { signal } = cancel;
  try {
    if (!inputs.owncloud) {
      throw new DiatomError('INPUT', 'Input owncloud-url is missing: with decide, it is the server with the models.');
    }
    const remote = await connect(inputs.owncloud, { http, signal, onWarning: warn });
    const decision = await decide(inputs, remote, {
      signal,
      onWarning: warn,
      onRetry: ({ attempt, tries, waitMs, error }) =>
        info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
    });
    info(decision.reason);
    setOutputs(outputsOf(decision));
    await writeSummary(`${escapeMarkdown(decision.reason)}\n`);
  } finally {
    release();
    await http.close();
  }
}

function outputsOf({ train, reason, judge, unpublished }: Decision): Record<string, string> {
  return { train: String(train), reason, 'judge-version': judge, unpublished };
}
