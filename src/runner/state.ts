import { getState, saveState } from '@actions/core';
import { DiatomError } from '../errors.ts';
import { appending } from './command-file.ts';
import { warn } from './log.ts';

/**
 * Keeps a text for the action's `post` step, which is another process. Without a runner there is no such step.
 *
 * @returns whether it is kept; what can't be written is a warning
 */
export function keepForPost(name: string, value: string): boolean {
  const path = process.env['GITHUB_STATE'];
  if (!path) return true;
  const failure = appending(path, () => saveState(name, value));
  if (failure === undefined) return true;
  warn(`What the end of this job has to clean up could not be noted: ${failure}`);
  return false;
}

/**
 * The same, of a step that must not begin without: its `post` step would take itself for the main one, and do the work.
 *
 * @throws DiatomError `DISK`
 */
export function requireKeptForPost(name: string, value: string): void {
  if (keepForPost(name, value)) return;
  throw new DiatomError('DISK', 'Nothing was begun: this runner’s disk can’t be written. Free some space on it.');
}

/** What the action's main step kept under the name; `''` when it kept nothing, as for the main step itself. */
export function keptFromMain(name: string): string {
  return getState(name);
}
