import { messageOf, throwIfCancelled } from '../errors.ts';
import { hasLabels } from '../github/runners.ts';
import { checkBudget } from './budget.ts';
import type { ListedServer, RunnerSoftware, ServerStatus } from './driver.ts';
import { agreePrice, sum } from './max-price.ts';
import { labelsOf, type ModeContext } from './mode-context.ts';
import { describeStatus } from './wait-for-runner.ts';
import { within } from './within.ts';

/** One thing that a start needs. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or why it failed. */
  readonly result: string;
}

export interface StatusReport {
  readonly checks: readonly Check[];
  readonly status: ServerStatus | undefined;
  readonly servers: readonly ListedServer[];
}

/** What ends itself when it takes too long gets so much more, to say which program it was. */
const GRACE_MS = 15_000;

/** Tries everything that a start needs, except for the start itself. What fails is in the report. */
export async function checkStatus(context: ModeContext): Promise<StatusReport> {
  const { driver, inputs, github, signal } = context;
  const checks: Check[] = [];
  async function check<T>(
    name: string,
    find: () => Promise<T>,
    describe: (found: T) => string,
  ): Promise<T | undefined> {
    try {
      const found = await within(inputs.limits.answerMs + GRACE_MS, find(), 'It');
      checks.push({ name, ok: true, result: describe(found) });
      return found;
    } catch (error) {
      throwIfCancelled(signal);
      checks.push({ name, ok: false, result: messageOf(error) });
      return undefined;
    }
  }

  const status = await check(`The server ${inputs.name}`, () => driver.status(inputs.name), knownState);
  const servers = await check(
    'Servers of this repository',
    () => driver.list(),
    (found) => (found.length === 0 ? 'none' : found.map(({ name }) => name).join(', ')),
  );
  await check(
    'Workflow runs can be read (github-token)',
    () => github.findRun(inputs.run.runId),
    (run) => (run ? 'yes' : 'yes, but not this run'),
  );
  const { runners } = github;
  if (runners) {
    const labels = labelsOf(context);
    await check(
      `Runners can be seen (${runners.auth})`,
      () => runners.list(),
      (found) => `${found.length} in all`,
    );
    if (driver.makesRunner) {
      await check('The runner’s software', () => runners.software(), describeSoftware);
      await check(
        'A runner can be registered',
        () => tryRegistration(context),
        () => 'yes; it is removed again',
      );
    } else {
      await check(
        `A runner with the labels ${labels.join(', ')}`,
        async () => (await runners.list()).filter((runner) => hasLabels(runner, labels)),
        (found) =>
          found.length === 0
            ? 'none is registered'
            : found.map(({ name, isOnline }) => `${name} (${isOnline ? 'online' : 'offline'})`).join(', '),
      );
    }
  } else if (driver.makesRunner) {
    checks.push({ name: 'Runners', ok: false, result: 'inputs app-id and runner-token are empty: a start needs one' });
  }
  const { monthlyBudget } = inputs;
  if (inputs.maxPrice !== undefined || monthlyBudget !== undefined) {
    const price = await check(
      'What it may cost (max-price, monthly-budget)',
      () => agreePrice(context),
      ({ perHour = 0 }) => `at most ${sum(inputs.maxMinutes / 60, perHour, inputs)}`,
    );
    if (price && monthlyBudget !== undefined) {
      await check(
        'What is left for it (monthly-budget)',
        () => checkBudget(context, price.perHour, monthlyBudget),
        (spent) => spent,
      );
    }
  }
  checks.push({
    name: 'What ends the server when nobody stops it',
    ok: true,
    result: driver.deadMansSwitch ?? 'nothing but the reaper: let the template gpu-reaper.yml run every hour',
  });
  return { checks, status, servers: servers ?? [] };
}

/** A status that nobody can say is a failed check: neither could a stop be confirmed. */
function knownState(status: ServerStatus): string {
  if (status.state === 'unknown') throw new Error(describeStatus(status));
  return describeStatus(status);
}

function describeSoftware(software: RunnerSoftware): string {
  return 'directory' in software ? software.directory : `version ${software.version}`;
}

async function tryRegistration({ github, inputs }: ModeContext): Promise<void> {
  // No server’s name: keys have no “--”.
  const name = `${inputs.name}--check`;
  // What a check left behind that was cut short.
  await github.runners?.remove(name);
  await github.runners?.register(name, [name]);
  await github.runners?.remove(name);
}
