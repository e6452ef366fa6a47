import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { type GithubApi, GithubError } from './api.ts';
import { actionsPath, type RunnerOwner } from './runner-owner.ts';

const runnerSchema = z.object({
  id: z.number(),
  name: z.string(),
  status: z.string(),
  busy: z.boolean(),
  labels: z.array(z.object({ name: z.string() })),
});
const pageSchema = z.object({ total_count: z.number(), runners: z.array(runnerSchema) });
const jitSchema = z.object({ encoded_jit_config: z.string() });
const groupsSchema = z.object({ runner_groups: z.array(z.object({ id: z.number(), name: z.string() })) });

/** A registered self-hosted runner. */
export interface Runner {
  readonly id: number;
  readonly name: string;
  readonly isOnline: boolean;
  /** It has a job. */
  readonly busy: boolean;
  readonly labels: readonly string[];
}

/** The most that the API gives at a time. */
const PAGE_SIZE = 100;

/** The group that every owner has, and the only one of a repository. */
const DEFAULT_GROUP = 1;

/** All runners of the owner, or only the one of a name. */
export async function listRunners(api: GithubApi, owner: RunnerOwner, name?: string): Promise<Runner[]> {
  const found: Runner[] = [];
  for (let page = 1; ; page++) {
    const query = new URLSearchParams({ per_page: String(PAGE_SIZE), page: String(page), ...(name ? { name } : {}) });
    const { runners } = await api.request({
      method: 'GET',
      path: `${actionsPath(owner)}/runners?${query}`,
      schema: pageSchema,
    });
    found.push(
      ...runners.map(({ id, name: known, status, busy, labels }) => ({
        id,
        name: known,
        isOnline: status === 'online',
        busy,
        labels: labels.map((label) => label.name),
      })),
    );
    if (runners.length < PAGE_SIZE) return found;
  }
}

/** Whether a job with these `runs-on` labels may go to the runner; GitHub compares them without case. */
export function hasLabels(runner: Pick<Runner, 'labels'>, labels: readonly string[]): boolean {
  const own = runner.labels.map((label) => label.toLowerCase());
  return labels.every((label) => own.includes(label.toLowerCase()));
}

/**
 * Registers a runner for one job, and returns what it needs to be that runner: a secret.
 *
 * @param group name of a runner group; `''` for the default one
 * @throws GithubError with the status 409 when there is one of that name, which is somebody else's
 */
export async function registerRunner(
  api: GithubApi,
  owner: RunnerOwner,
  { name, labels, group }: { readonly name: string; readonly labels: readonly string[]; readonly group: string },
): Promise<string> {
  const groupId = await findGroup(api, owner, group);
  // By it, a registration is known again whose answer was lost on its way.
  const mark = `start-${randomBytes(4).toString('hex')}`;
  const register = async () =>
    (
      await api.request({
        method: 'POST',
        path: `${actionsPath(owner)}/runners/generate-jitconfig`,
        // GitHub has no default for the group.
        body: { name, labels: [...labels, mark], runner_group_id: groupId, work_folder: '_work' },
        schema: jitSchema,
      })
    ).encoded_jit_config;
  try {
    return await register();
  } catch (error) {
    if (!(error instanceof GithubError) || error.status !== 409) throw error;
    const isOurs = (await listRunners(api, owner, name)).some((runner) => hasLabels(runner, [mark]));
    if (!isOurs) throw error;
    await removeRunner(api, owner, name);
    return register();
  }
}

async function findGroup(api: GithubApi, owner: RunnerOwner, group: string): Promise<number> {
  if (owner.scope === 'repository' || group === '') return DEFAULT_GROUP;
  const { runner_groups: groups } = await api.request({
    method: 'GET',
    path: `${actionsPath(owner)}/runner-groups?per_page=${PAGE_SIZE}`,
    schema: groupsSchema,
  });
  const found = groups.find(({ name }) => name === group);
  if (found) return found.id;
  throw new DiatomError(
    'INPUT',
    `Input runner-group is “${group}”, and ${owner.owner} has no such runner group; it has ${groups.map(({ name }) => `“${name}”`).join(', ')}.`,
  );
}

/**
 * Removes the registration of that name. None is fine.
 *
 * @returns `busy` when GitHub keeps it because the runner has a job: then it goes with the job
 */
export async function removeRunner(
  api: GithubApi,
  owner: RunnerOwner,
  name: string,
): Promise<'removed' | 'none' | 'busy'> {
  const runners = (await listRunners(api, owner, name)).filter((runner) => runner.name === name);
  let result: 'removed' | 'none' | 'busy' = 'none';
  for (const { id } of runners) {
    try {
      await api.request({ method: 'DELETE', path: `${actionsPath(owner)}/runners/${id}`, schema: z.unknown() });
      result = 'removed';
    } catch (error) {
      if (!(error instanceof GithubError)) throw error;
      if (error.status === 422) return 'busy';
      if (error.status !== 404) throw error;
    }
  }
  return result;
}
