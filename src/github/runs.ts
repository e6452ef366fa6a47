import * as z from 'zod/mini';
import { type GithubApi, GithubError } from './api.ts';

const runSchema = z.object({ status: z.nullable(z.string()), run_attempt: z.optional(z.number()) });
const runsSchema = z.object({ workflow_runs: z.array(z.object({ id: z.number() })) });

/** How a workflow run is. */
export interface Run {
  readonly isOver: boolean;
  /** The newest attempt, counted from 1. */
  readonly attempt: number;
}

/** All that a run can be before it is `completed` (docs.github.com/rest, “List workflow runs for a repository”). */
const LIVE = ['in_progress', 'queued', 'waiting', 'pending', 'requested'];

/**
 * How a run of the repository is; `undefined` when it was deleted. That an answer of 404 means so, and not that the
 * token may not see it, is made sure of: something that costs a training hangs on it.
 */
export async function findRun(api: GithubApi, repository: string, id: string): Promise<Run | undefined> {
  try {
    const { status, run_attempt } = await api.request({
      method: 'GET',
      path: `/repos/${repository}/actions/runs/${id}`,
      schema: runSchema,
    });
    return { isOver: status === 'completed', attempt: run_attempt ?? 1 };
  } catch (error) {
    if (!(error instanceof GithubError) || error.status !== 404) throw error;
    await api.request({ method: 'GET', path: `/repos/${repository}/actions/runs?per_page=1`, schema: runsSchema });
    return undefined;
  }
}

/** The ids of the repository's runs that are not over. */
export async function liveRuns(api: GithubApi, repository: string): Promise<string[]> {
  const found: string[] = [];
  for (const status of LIVE) {
    const { workflow_runs: runs } = await api.request({
      method: 'GET',
      path: `/repos/${repository}/actions/runs?status=${status}&per_page=100`,
      schema: runsSchema,
    });
    found.push(...runs.map(({ id }) => String(id)));
  }
  return found;
}
