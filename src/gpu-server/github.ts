import { DiatomError } from '../errors.ts';
import { createGithubApi, type GithubApi } from '../github/api.ts';
import { appTokens } from '../github/app.ts';
import { type RunnerOwner, runnerPermissions } from '../github/runner-owner.ts';
import { newestRunner, runnerOfVersion } from '../github/runner-software.ts';
import { listRunners, type Runner, registerRunner, removeRunner } from '../github/runners.ts';
import { findRun, liveRuns, type Run } from '../github/runs.ts';
import type { HttpClient } from '../http/client.ts';
import type { RunnerSoftware } from './driver.ts';
import type { Inputs } from './inputs.ts';

/** What GitHub knows of this repository’s runs and runners. */
export interface Github {
  /** @returns `undefined` for a run that was deleted; @throws GithubError when nobody can say */
  findRun(id: string): Promise<Run | undefined>;
  /** Ids of the runs that are not over. */
  liveRuns(): Promise<readonly string[]>;
  /** `undefined` when there is nothing that may manage them. */
  readonly runners: Runners | undefined;
}

export interface Runners {
  /** What is used to sign in, for sentences. */
  readonly auth: string;
  readonly owner: RunnerOwner;
  list(name?: string): Promise<readonly Runner[]>;
  /** @returns a secret */
  register(name: string, labels: readonly string[]): Promise<string>;
  remove(name: string): Promise<'removed' | 'none' | 'busy'>;
  /** Where the runner’s programs come from. */
  software(): Promise<RunnerSoftware>;
}

/** @param onSecret hears of tokens that are made on the way, before they are used */
export function openGithub(
  inputs: Inputs,
  http: HttpClient,
  signal: AbortSignal,
  onSecret: (secret: string) => void,
): Github {
  const { apiUrl: baseUrl, githubToken, repository } = inputs;
  const runs = createGithubApi({
    http,
    baseUrl,
    signal,
    token: async () => {
      if (githubToken !== '') return githubToken;
      throw new DiatomError('INPUT', 'Input github-token is empty, so nobody can say which runs are over.');
    },
    tokenName: 'github-token',
    permission: '“actions: read” (permissions of the job)',
  });
  return {
    findRun: (id) => findRun(runs, repository, id),
    liveRuns: () => liveRuns(runs, repository),
    runners: openRunners(inputs, { http, baseUrl, signal }, onSecret),
  };
}

function openRunners(
  inputs: Inputs,
  options: { readonly http: HttpClient; readonly baseUrl: string; readonly signal: AbortSignal },
  onSecret: (secret: string) => void,
): Runners | undefined {
  const { runnerAuth, runnerOwner: owner, runnerGroup } = inputs;
  if (runnerAuth === undefined) return undefined;
  const isApp = 'app' in runnerAuth;
  const auth = isApp ? 'the App’s token' : 'runner-token';
  const token = isApp ? appTokens(runnerAuth.app, owner, options, onSecret) : async () => runnerAuth.token;
  const api = createGithubApi({
    ...options,
    token,
    tokenName: auth,
    permission: runnerPermissions(owner).sentence,
  });
  return {
    auth,
    owner,
    list: (name) => listRunners(api, owner, name),
    register: (name, labels) => registerRunner(api, owner, { name, labels, group: runnerGroup }),
    remove: (name) => removeRunner(api, owner, name),
    software: () => findSoftware(api, inputs),
  };
}

async function findSoftware(api: GithubApi, inputs: Inputs): Promise<RunnerSoftware> {
  const { runnerDir, runnerVersion, runnerSha256, runnerOwner: owner, architecture } = inputs;
  if (runnerDir !== '') return { directory: runnerDir };
  if (runnerVersion === undefined) return newestRunner(api, owner, architecture);
  return runnerOfVersion(api, runnerVersion, architecture, runnerSha256);
}
