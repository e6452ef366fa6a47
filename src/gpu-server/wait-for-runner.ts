import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { GithubError } from '../github/api.ts';
import { hasLabels, type Runner } from '../github/runners.ts';
import { NetworkError } from '../http/client.ts';
import { info } from '../runner/log.ts';
import type { ServerStatus } from './driver.ts';
import type { Runners } from './github.ts';
import { labelsOf, type ModeContext, pauses } from './mode-context.ts';

/** How often the server is asked how it is while the runner is waited for: every so many looks at the runner. */
const LOOKS_PER_STATUS = 4;

/**
 * Waits until a job can go to the server: its runner is online, or, where nothing may ask GitHub, the server runs. What
 * it waits for is shown whenever it changes, such as a place in a queue.
 *
 * @throws DiatomError `SERVER` when the server is gone or off instead, with its last lines, or `CANCELLED`
 */
export async function waitForRunner(context: ModeContext): Promise<void> {
  const { driver, github, inputs } = context;
  const { name } = inputs;
  if (!github.runners) return waitForServer(context);
  info(`Waiting for ${driver.makesRunner ? `the runner ${name}` : `a runner with ${describe(labelsOf(context))}`}`);
  const pause = pauses(context.signal);
  const show = shower(name);
  const unlisted = Date.now() + inputs.watchMs;
  let isSeen = false;
  for (let look = 0; ; look++) {
    const online = await findOnline(context, github.runners).catch((error: unknown) => tolerate(error, context, show));
    if (online) {
      info(`The runner ${online.name} is online${online.busy ? ' and has a job' : ''}.`);
      return;
    }
    if (look % LOOKS_PER_STATUS === 0) {
      const status = await driver.status(name).catch((error: unknown) => tolerate(error, context, show));
      if (status) show(describeStatus(status));
      isSeen ||= status !== undefined && isKnown(status);
      // What was asked for a moment ago may not be listed yet.
      const isOver = status?.isOff || (status?.state === 'gone' && (isSeen || Date.now() >= unlisted));
      if (isOver && driver.makesRunner) throw await serverIsGone(name, status);
    }
    await pause();
  }
}

async function findOnline(context: ModeContext, runners: Runners): Promise<Runner | undefined> {
  const { driver, inputs } = context;
  if (driver.makesRunner) return (await runners.list(inputs.name)).find(({ isOnline }) => isOnline);
  const labels = labelsOf(context);
  return (await runners.list()).find((runner) => runner.isOnline && hasLabels(runner, labels));
}

/** Without a token for runners, that the server runs is all that can be waited for. */
async function waitForServer(context: ModeContext): Promise<void> {
  const { driver, signal } = context;
  const { name } = context.inputs;
  info(`Waiting for ${name}. Whether its runner is online, nobody can say: there is no runner-token or app-id.`);
  const pause = pauses(signal);
  const show = shower(name);
  for (;;) {
    const status = await driver.status(name).catch((error: unknown) => tolerate(error, context, show));
    if (status) show(describeStatus(status));
    if (status?.state === 'running') return;
    await pause();
  }
}

/** Shows a text about the server, unless it is the one that was shown last. */
function shower(name: string): (text: string) => void {
  let shown = '';
  return (text) => {
    if (text !== shown) info(`${name}: ${text}`);
    shown = text;
  };
}

/** Who waits for half an hour does not give up over one question that got no answer. What can’t
 * get better by itself is thrown. */
function tolerate(error: unknown, { signal }: ModeContext, show: (text: string) => void): undefined {
  throwIfCancelled(signal);
  const mayPass =
    error instanceof NetworkError ||
    (error instanceof GithubError ? error.retry.retry : error instanceof DiatomError && error.code === 'SERVER');
  if (!mayPass) throw error;
  show(messageOf(error));
  return undefined;
}

async function serverIsGone(name: string, status: ServerStatus): Promise<DiatomError> {
  return new DiatomError(
    'SERVER',
    `${name} ended before its runner was online${status.detail === '' ? '' : ` (${status.detail})`}.${await lastWords(status)}`,
  );
}

/** Why a runner did not come in time: what can be found out of the server. */
export async function explainTimeout(context: ModeContext): Promise<DiatomError> {
  const { driver, inputs } = context;
  const { name, startTimeoutMs } = inputs;
  const status = await driver.status(name).catch(messageOf);
  const runner = driver.makesRunner
    ? `the runner ${name}`
    : context.github.runners
      ? `a runner with ${describe(labelsOf(context))}`
      : name;
  return new DiatomError(
    'SERVER',
    `Waited ${formatDuration(startTimeoutMs / 1_000)} for ${runner}, and it did not come (input start-timeout-minutes). ${
      typeof status === 'string'
        ? `Nobody can say how the server is: ${status}`
        : `The server is ${describeStatus(status)}.${await lastWords(status)}`
    }`,
  );
}

async function lastWords(status: ServerStatus): Promise<string> {
  const lines = await status.lastLines().catch(() => '');
  return lines.trim() === '' ? '' : ` Its last lines:\n${lines.trim()}`;
}

/** Whether there is or was such a server: there is something to say about one that has ended. */
export function isKnown({ state, detail }: Pick<ServerStatus, 'state' | 'detail'>): boolean {
  return state !== 'unknown' && (state !== 'gone' || detail !== '');
}

/** “running: i-0123 in eu-central-1a”. */
export function describeStatus({ state, detail }: Pick<ServerStatus, 'state' | 'detail'>): string {
  return detail === '' ? state : `${state}: ${detail}`;
}

function describe(labels: readonly string[]): string {
  return `the labels ${labels.join(', ')}`;
}
