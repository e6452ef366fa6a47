import { type ActionResult, type RunningAction, startAction } from '../../scripts/run-action.ts';
import type { GithubApi } from './github-api.ts';

/** What the action says before it does something, for tests that end it there. */
export const POINTS = {
  beforeRegistration: /Registering a runner/,
  beforeStart: /Starting diatom-/,
  afterStart: /is asked for/,
  waitingForRunner: /Waiting for (the|a) runner/,
  beforeStop: /Stopping diatom-/,
  duringStop: /Waiting until diatom-/,
} as const;

export interface GpuServerRun {
  /** What a workflow would write under `with:`. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly workspace: string;
  /** Who stands in for GitHub; with it, the tokens come by themselves. */
  readonly api?: GithubApi | undefined;
  readonly runId?: string;
  readonly attempt?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What an earlier step kept: then this is the action's `post` step. */
  readonly state?: Readonly<Record<string, string>>;
  readonly onOutput?: (text: string) => void;
}

/** Starts the action as a runner does. */
export function startGpuServer(run: GpuServerRun): RunningAction {
  const { inputs, workspace, api, runId = '1', attempt = 1, env, state, onOutput } = run;
  return startAction({
    action: 'gpu-server',
    workspace,
    inputs: { ...api?.inputs, ...inputs },
    env: {
      GITHUB_RUN_ID: runId,
      GITHUB_RUN_ATTEMPT: String(attempt),
      // Nothing of a test may leave the machine.
      GITHUB_API_URL: 'http://127.0.0.1:9',
      ...api?.environment,
      ...env,
    },
    ...(state === undefined ? {} : { state }),
    ...(onOutput === undefined ? {} : { onOutput }),
  });
}

/** Runs the action to its end. */
export function runGpuServer(run: GpuServerRun): Promise<ActionResult> {
  return startGpuServer(run).result;
}

/**
 * Runs the action and ends it as soon as its log says something: `SIGKILL` at once, as a machine that dies does; or
 * `cancel`, with the signals that a runner sends: SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that.
 *
 * @throws Error when the log never says it: the test would prove nothing
 */
export async function runUntil(run: GpuServerRun, line: RegExp, by: 'SIGKILL' | 'cancel'): Promise<ActionResult> {
  const timers: NodeJS.Timeout[] = [];
  let log = '';
  let isSeen = false;
  const action = startGpuServer({
    ...run,
    onOutput: (text) => {
      run.onOutput?.(text);
      log += text;
      if (isSeen || !line.test(log)) return;
      isSeen = true;
      if (by === 'SIGKILL') return action.kill('SIGKILL');
      action.kill('SIGINT');
      timers.push(setTimeout(() => action.kill('SIGTERM'), 7_500));
      timers.push(setTimeout(() => action.kill('SIGKILL'), 10_000));
    },
  });
  const result = await action.result;
  for (const timer of timers) clearTimeout(timer);
  if (!isSeen) throw new Error(`The action never said ${line}, but:\n${log}`);
  return result;
}
