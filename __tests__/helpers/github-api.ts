import { createVerify, generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { startServer } from './loopback-server.ts';

export const REPOSITORY = 'example/diatoms';

/** Who asks, as the `authorization` header tells. */
type Caller = 'job' | 'runner-token' | 'installation' | 'app' | undefined;

export interface StandInRunner {
  readonly id: number;
  readonly name: string;
  readonly labels: readonly string[];
  /** It takes one job, and its registration goes with it. */
  readonly ephemeral: boolean;
  status: 'online' | 'offline';
  busy: boolean;
  /** When it has last said how it is, in milliseconds since 1970; GitHub takes one for offline that is silent. */
  heard?: number;
  /** `start`: it gets a job as soon as it is online. `finish`: that job may end. */
  job: 'none' | 'start' | 'finish';
}

export interface StandInRun {
  readonly status: 'queued' | 'in_progress' | 'waiting' | 'completed';
  readonly run_attempt: number;
}

export interface GithubApi {
  readonly url: string;
  /** Every request so far: `GET /repos/…`. */
  readonly requests: readonly string[];
  /** Registered runners, by number. */
  readonly runners: Map<number, StandInRunner>;
  /** Workflow runs, by id. One that is not here was deleted. */
  readonly runs: Map<string, StandInRun>;
  /** What a job has by default: `github.token`, which may read runs and not manage runners. */
  readonly jobToken: string;
  /** A token of a person who may manage runners. */
  readonly runnerToken: string;
  readonly app: { readonly id: string; readonly privateKey: string };
  /** Inputs of the action for a token that manages runners. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Registers a runner that is there for good. */
  addRunner(runner: { name: string; labels: readonly string[]; status: 'online' | 'offline'; busy?: boolean }): void;
  /** Gives a job to the runner of that name as soon as it is online. */
  giveJob(name: string): void;
  finishJob(name: string): void;
  runnerNamed(name: string): StandInRunner | undefined;
  /** Answers something else, once for each entry: a status and what a path must contain. */
  failNext(...failures: readonly Failure[]): void;
  close(): Promise<void>;
}

interface Failure {
  readonly path: string;
  /** 0 breaks the connection. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** Does what was asked first, so that only the answer is lost. */
  readonly late?: boolean;
}

/** GitHub takes minutes to notice. */
export const SILENCE_MS = 10_000;

const jitRequest = z.object({
  name: z.string(),
  runner_group_id: z.number(),
  labels: z.array(z.string()).min(1).max(100),
  work_folder: z.string().optional(),
});
const state = z.object({ status: z.enum(['online', 'offline']), busy: z.boolean() });

/**
 * The part of GitHub's REST API that a GPU server's action speaks to, for one repository and its organisation
 * (docs.github.com/rest: “Self-hosted runners”, “Workflow runs”, “Apps”, “Releases”), and `/stand-in/runners/<id>` for
 * a stand-in of the runner itself:
 *
 * - `PUT /stand-in/runners/<id>` `{"status": "online", "busy": false}` says how it is; `204`, or `404` when its
 *   registration is gone. A runner that had a job and goes offline loses its registration, as a JIT runner's does.
 * - `GET /stand-in/runners/<id>/job` answers the word `none`, `start` or `finish`: whether it is to take a job, or to
 *   end the one it has.
 *
 * A JIT configuration is base64 of `{"standIn": "<address of this server>", "runnerId": 7, "name": "…"}`.
 *
 * @param options.software an address, a version and a sum that GitHub offers as the runner's programs
 */
export async function startGithubApi(
  options: {
    readonly software?: { url: string; sha256: string; version: string };
    /** Instead of the fixed ones: of the job, of a person, of an App's installation. */
    readonly tokens?: readonly [job: string, person: string, installation: string];
    /** Stands in each JIT configuration. */
    readonly mark?: string;
  } = {},
): Promise<GithubApi> {
  const requests: string[] = [];
  const runners: GithubApi['runners'] = new Map();
  const runs: GithubApi['runs'] = new Map([['1', { status: 'in_progress', run_attempt: 1 }]]);
  const failures: Failure[] = [];
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const app = { id: '4711', privateKey: keys.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString() };
  const [jobToken, runnerToken, installationToken] = options.tokens ?? [
    'ghs_job_token',
    'github_pat_runner_token',
    'ghs_installation',
  ];
  const software = {
    url: 'https://github.com/actions/runner/releases/download/v2.340.0/actions-runner-linux-x64-2.340.0.tar.gz',
    sha256: 'a'.repeat(64),
    version: '2.340.0',
    ...options.software,
  };
  let lastId = 20;

  function callerOf({ headers: { authorization = '' } }: IncomingMessage): Caller {
    const token = authorization.replace(/^Bearer /, '');
    if (token === jobToken) return 'job';
    if (token === runnerToken) return 'runner-token';
    if (token === installationToken) return 'installation';
    return isAppToken(token) ? 'app' : undefined;
  }

  function isAppToken(token: string): boolean {
    const [header = '', claims = '', signature = ''] = token.split('.');
    const verifier = createVerify('RSA-SHA256').update(`${header}.${claims}`);
    if (!verifier.verify(keys.publicKey, Buffer.from(signature, 'base64url'))) return false;
    const { iss, iat, exp } = z
      .object({ iss: z.string(), iat: z.number(), exp: z.number() })
      .parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
    const now = Date.now() / 1_000;
    return iss === app.id && iat <= now && exp > now && exp - now <= 600;
  }

  function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const { method = '' } = request;
    const { pathname, searchParams } = new URL(request.url ?? '', server.origin);
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const refuse = (status: number, message: string) => json(status, { message });
    const route = `${method} ${pathname}`;
    requests.push(`${method} ${request.url}`);

    const failure = failures.findIndex(({ path }) => route.includes(path));
    const [failed] = failure < 0 ? [] : failures.splice(failure, 1);
    if (failed?.late) response.end = () => response.destroy();
    else if (failed?.status === 0) return void request.socket.destroy();
    else if (failed) {
      response.writeHead(failed.status, { 'content-type': 'application/json', ...failed.headers });
      return void response.end(JSON.stringify({ message: failed.message ?? 'Not today' }));
    }

    const [, standIn, about] = /^\/stand-in\/runners\/(\d+)(\/job)?$/.exec(pathname) ?? [];
    if (standIn !== undefined) {
      const runner = runners.get(Number(standIn));
      if (!runner) return void response.writeHead(404).end();
      if (about) return void response.writeHead(200).end(runner.job);
      const { status, busy } = state.parse(JSON.parse(body));
      if (runner.ephemeral && runner.busy && status === 'offline') runners.delete(runner.id);
      Object.assign(runner, { status, busy, heard: Date.now() });
      return void response.writeHead(204).end();
    }

    const caller = callerOf(request);
    if (caller === undefined) return void refuse(401, 'Bad credentials');

    if (caller === 'app') {
      if (/^GET \/(repos\/example\/diatoms|orgs\/example)\/installation$/.test(route))
        return void json(200, { id: 99 });
      if (route === 'POST /app/installations/99/access_tokens') {
        return void json(201, {
          token: installationToken,
          expires_at: new Date(Date.now() + 3_600_000).toISOString(),
          permissions: { administration: 'write' },
        });
      }
      return void refuse(404, 'Not Found');
    }

    const [, runId] = /^GET \/repos\/example\/diatoms\/actions\/runs\/(\d+)$/.exec(route) ?? [];
    if (runId !== undefined) {
      const run = runs.get(runId);
      return void (run ? json(200, { id: Number(runId), ...run }) : refuse(404, 'Not Found'));
    }
    if (route === 'GET /repos/example/diatoms/actions/runs') {
      const wanted = searchParams.get('status');
      const found = [...runs].filter(([, { status }]) => wanted === null || status === wanted);
      return void json(200, {
        total_count: found.length,
        workflow_runs: found.map(([id, run]) => ({ id: Number(id), ...run })),
      });
    }
    if (route === `GET /repos/actions/runner/releases/tags/v${software.version}`) {
      const name = `actions-runner-linux-x64-${software.version}.tar.gz`;
      const asset = { name, digest: `sha256:${software.sha256}`, browser_download_url: software.url };
      return void json(200, { tag_name: `v${software.version}`, assets: [asset] });
    }

    const [, rest] = /^\/(?:repos\/example\/diatoms|orgs\/example)\/actions(\/runner.*)$/.exec(pathname) ?? [];
    if (rest === undefined) return void refuse(404, 'Not Found');
    if (caller === 'job') return void refuse(403, 'Resource not accessible by integration');
    const [, id] = /^\/runners\/(\d+)$/.exec(rest) ?? [];
    if (method === 'GET' && rest === '/runner-groups') {
      json(200, { total_count: 1, runner_groups: [{ id: 5, name: 'GPU servers', default: false }] });
    } else if (method === 'GET' && rest === '/runners/downloads') {
      const filename = `actions-runner-linux-x64-${software.version}.tar.gz`;
      json(200, [
        { os: 'osx', architecture: 'x64', download_url: 'https://example.org/osx', filename: 'x' },
        {
          os: 'linux',
          architecture: 'x64',
          download_url: software.url,
          filename,
          sha256_checksum: software.sha256,
        },
      ]);
    } else if (method === 'GET' && rest === '/runners') {
      const name = searchParams.get('name');
      const size = Number(searchParams.get('per_page') ?? 30);
      const page = Number(searchParams.get('page') ?? 1);
      const found = [...runners.values()].filter((runner) => name === null || runner.name === name);
      json(200, {
        total_count: found.length,
        runners: found.slice((page - 1) * size, page * size).map(shown),
      });
    } else if (method === 'POST' && rest === '/runners/generate-jitconfig') {
      const { name, labels } = jitRequest.parse(JSON.parse(body));
      if ([...runners.values()].some((runner) => runner.name === name)) {
        return void refuse(409, 'Already exists - A runner with the same name already exists.');
      }
      const runner = add({ name, labels, ephemeral: true, status: 'offline' });
      const configuration = JSON.stringify({ standIn: server.origin, runnerId: runner.id, name, mark: options.mark });
      json(201, {
        runner: shown(runner),
        encoded_jit_config: Buffer.from(configuration).toString('base64'),
      });
    } else if (method === 'DELETE' && id !== undefined) {
      const runner = runners.get(Number(id));
      if (!runner) refuse(404, 'Not Found');
      else if (runner.busy) refuse(422, 'Bad request - Runner is currently running a job and cannot be deleted.');
      else {
        runners.delete(runner.id);
        response.writeHead(204).end();
      }
    } else refuse(404, 'Not Found');
  }

  function shown({ id, name, labels, status: said, busy, heard = Number.POSITIVE_INFINITY }: StandInRunner) {
    const status = Date.now() > heard + SILENCE_MS ? 'offline' : said;
    return { id, name, os: 'Linux', status, busy, labels: labels.map((label) => ({ name: label })) };
  }

  function add(
    runner: Pick<StandInRunner, 'name' | 'labels' | 'ephemeral' | 'status'> & { busy?: boolean },
  ): StandInRunner {
    const added: StandInRunner = { id: ++lastId, busy: false, job: 'none', ...runner };
    runners.set(added.id, added);
    return added;
  }

  function runnerNamed(name: string): StandInRunner | undefined {
    return [...runners.values()].find((runner) => runner.name === name);
  }

  function tell(name: string, job: StandInRunner['job']): void {
    const runner = runnerNamed(name);
    if (!runner) throw new Error(`No runner ${name} is registered`);
    runner.job = job;
  }

  const server = await startServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => answer(request, response, Buffer.concat(pieces).toString()));
  });
  return {
    url: server.origin,
    requests,
    runners,
    runs,
    jobToken,
    runnerToken,
    app,
    inputs: { 'github-token': jobToken, 'runner-token': runnerToken },
    environment: { GITHUB_API_URL: server.origin, GITHUB_REPOSITORY: REPOSITORY },
    addRunner: (runner) => void add({ ...runner, ephemeral: false }),
    giveJob: (name) => tell(name, 'start'),
    finishJob: (name) => tell(name, 'finish'),
    runnerNamed,
    failNext: (...more) => void failures.push(...more),
    close: () => server.close(),
  };
}
