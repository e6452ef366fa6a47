import * as core from '@actions/core';

/** Whether a runner reads our output; elsewhere (a terminal) its commands would only be noise. */
function onRunner(): boolean {
  return process.env['GITHUB_ACTIONS'] === 'true';
}

export function info(message: string): void {
  core.info(message);
}

/** A warning: an annotation of the run on a runner, a line elsewhere. */
export function warn(message: string): void {
  if (onRunner()) core.warning(message);
  else core.info(`Warning: ${message}`);
}

/** Runs a stage whose lines are folded under its name in the log. */
export async function group<T>(name: string, stage: () => Promise<T>): Promise<T> {
  if (onRunner()) return core.group(name, stage);
  core.info(name);
  return stage();
}

/** Hides a text from everything that the runner logs from now on. */
export function mask(secret: string): void {
  if (onRunner() && secret !== '') core.setSecret(secret);
}

/** Ends the run red, with one message. */
export function fail(message: string): void {
  if (onRunner()) core.setFailed(message);
  else {
    core.info(`Error: ${message}`);
    process.exitCode = 1;
  }
}
