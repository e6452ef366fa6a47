import { randomUUID } from 'node:crypto';
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

/**
 * Runs a stage that prints lines which are not ours, such as those of a container: the runner takes none of them for a
 * command (`::add-mask::`, `::error::` …), whatever they say.
 */
export async function withoutCommands<T>(stage: () => Promise<T>): Promise<T> {
  if (!onRunner()) return stage();
  const token = randomUUID();
  core.info(`::stop-commands::${token}`);
  try {
    return await stage();
  } finally {
    core.info(`\n::${token}::`);
  }
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
