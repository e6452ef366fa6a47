import { messageOf, throwIfCancelled } from '../errors.ts';
import { createGithubApi } from '../github/api.ts';
import { findRun } from '../github/runs.ts';
import { PREFLIGHT_POLICY } from '../http/retry.ts';
import { addressOfRun } from '../runner/address-of-run.ts';
import { info } from '../runner/log.ts';
import type { Context } from './context.ts';
import type { Inputs } from './inputs.ts';

/** Who holds a lock: the address of the run and its attempt, which people can open. */
export function ownerOf(env: NodeJS.ProcessEnv): string {
  const run = addressOfRun(env);
  if (run === undefined) return `a run outside of GitHub, process ${process.pid}`;
  return `${run}/attempts/${env['GITHUB_RUN_ATTEMPT'] || '1'}`;
}

/** The owner of a lock, taken apart: server, `owner/name`, run, attempt. */
const OWNER =
  /^(?<server>https?:\/\/\S+?)\/(?<repository>[^/\s]+\/[^/\s]+)\/actions\/runs\/(?<run>\d+)\/attempts\/(?<attempt>\d+)$/;

/**
 * Asks GitHub whether a run that holds a lock has ended. What is of another repository, can't be asked, or was deleted, is
 * told by its age only.
 */
export function endOfOwners(
  { githubToken }: Pick<Inputs, 'githubToken'>,
  { http, env, signal }: Pick<Context, 'http' | 'env' | 'signal'>,
): (owner: string) => Promise<boolean> {
  return async (owner) => {
    const { server, repository = '', run = '', attempt = '' } = OWNER.exec(owner)?.groups ?? {};
    if (server !== env['GITHUB_SERVER_URL'] || repository !== env['GITHUB_REPOSITORY']) return false;
    // A run starts again only when it has ended.
    if (run === env['GITHUB_RUN_ID']) return Number(attempt) < Number(env['GITHUB_RUN_ATTEMPT'] || '1');
    if (githubToken === '') return false;
    const api = createGithubApi({
      http,
      baseUrl: env['GITHUB_API_URL'] || 'https://api.github.com',
      signal,
      policy: PREFLIGHT_POLICY,
      token: async () => githubToken,
      tokenName: 'github-token',
      permission: '“actions: read” (permissions of the job)',
    });
    try {
      const found = await findRun(api, repository, run);
      return found !== undefined && (found.isOver || found.attempt > Number(attempt));
    } catch (error) {
      throwIfCancelled(signal);
      info(`Whether the other run has ended could not be found out: ${messageOf(error)}`);
      return false;
    }
  };
}
