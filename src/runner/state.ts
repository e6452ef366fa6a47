import { getState, saveState } from '@actions/core';

/** Keeps a text for the action's `post` step, which is another process. Without a runner there is no such step. */
export function keepForPost(name: string, value: string): void {
  if (process.env['GITHUB_STATE']) saveState(name, value);
}

/** What the action's main step kept under the name; `''` when it kept nothing, as for the main step itself. */
export function keptFromMain(name: string): string {
  return getState(name);
}
