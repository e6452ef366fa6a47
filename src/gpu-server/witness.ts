import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { hasLabels, type Runner } from '../github/runners.ts';
import type { ModeContext } from './mode-context.ts';
import { within } from './within.ts';

/** GitHub may be down; who has seen that a server is gone does not wait for it any longer than this, nor for any answer. */
const GITHUB_MS = 15_000;

/** What GitHub says, where it says so soon. @throws TooLate */
export function soonFromGithub<T>({ inputs: { limits } }: ModeContext, work: Promise<T>): Promise<T> {
  return within(Math.min(GITHUB_MS, limits.answerMs), work, 'GitHub');
}

/**
 * The runner that only this server has, when GitHub shows it online: then something that has its name runs, wherever the
 * driver has looked. `undefined` when there is none, GitHub does not say, or other servers have such runners, too.
 */
export async function onlineRunner(context: ModeContext, name: string): Promise<Runner | undefined> {
  const { driver, github, signal, onWarning } = context;
  if (!github.runners || !driver.isForOne) return undefined;
  const isIts = (runner: Runner) => (driver.makesRunner ? runner.name === name : hasLabels(runner, [name]));
  try {
    const runners = await soonFromGithub(context, github.runners.list(driver.makesRunner ? name : undefined));
    return runners.find((runner) => runner.isOnline && isIts(runner));
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`Whether GitHub still sees the runner of ${name}, nobody can say: ${messageOf(error)}`);
    return undefined;
  }
}

/** A server that is gone where the driver looks, and whose runner goes on. */
export function runsElsewhere({ driver }: ModeContext, name: string, runner: Runner): DiatomError {
  return new DiatomError(
    'SERVER',
    `${name} may still run and cost money: it is not there (${driver.description}), but GitHub shows its runner ${runner.name} online${runner.busy ? ' and busy' : ''}. So it runs somewhere else than it was looked for. Check ${driver.whereToLook}. They must be the same for the stop as for the start.`,
  );
}
