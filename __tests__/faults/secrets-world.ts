import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type ActionResult, type RunActionOptions, startAction } from '../../scripts/run-action.ts';
import { type Answer, type Hook, startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { escapeHtml } from '../../src/dataset/html.ts';
import { type ArtifactServerOptions, startArtifactServer } from '../helpers/artifact-server.ts';
import {
  type Canaries,
  type Evidence,
  evidenceBelow,
  evidenceOf,
  makeCanaries,
  unpacked,
  watchPrograms,
} from '../helpers/canaries.ts';
import { type SeenRequest, startServer } from '../helpers/loopback-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import type { Row } from '../helpers/table.ts';

/** Where an action runs, with servers that say which secrets they have seen. */
export interface World {
  readonly canaries: Canaries;
  readonly workspace: string;
  /** An origin that no secret is for. */
  readonly elsewhere: string;
  /** Password of the one account on the ownCloud. */
  readonly password: string;
  /** Anything else in which no secret may be. */
  readonly evidence: (() => readonly Evidence[])[];
  owncloud(hook?: Hook): Promise<{ readonly url: string; readonly directory: string }>;
  /** Runs an action to its end. */
  run(options: Omit<RunActionOptions, 'workspace'>, end?: End): Promise<ActionResult>;
}

/** A signal that a run gets as soon as its log says something. */
export interface End {
  readonly signal: NodeJS.Signals;
  readonly at: RegExp;
}

/** How a run must end: with a green step, with one that says this and is green anyway, or a red one that says this. */
export type Ending = 'green' | { readonly warning: RegExp } | RegExp;

export type Case = readonly [name: string, ending: Ending, run: (world: World) => Promise<ActionResult>];

/** A row that is right when the run ends as it must, and no secret is seen where it doesn't belong. */
export function secretsRow(action: string, [name, ending, run]: Case): Row {
  return {
    name: `${action}: ${name}`,
    prove: async () => {
      const world = await makeWorld();
      const programs = watchPrograms();
      const result = await run(world);
      const evidence = [...evidenceOf(result), ...programs.stop(), ...world.evidence.flatMap((collect) => collect())];
      expect(world.canaries.seenIn(evidence)).toEqual([]);
      if (ending === 'green') expect(result, result.stdout).toMatchObject({ exitCode: 0 });
      else if ('warning' in ending) {
        expect(result.stdout).toMatch(ending.warning);
        expect(result.exitCode).toBe(0);
      } else {
        expect(result.stdout).toMatch(ending);
        expect(result.exitCode).not.toBe(0);
      }
    },
  };
}

/** The secret forms of all files that the tests leave in a workspace themselves. */
async function makeWorld(artifacts: ArtifactServerOptions = {}): Promise<World> {
  const canaries = makeCanaries();
  const [workspace, temp, toolCache] = ['workspace', 'temp', 'tools'].map((name) => temporaryFolder(name));
  const service = await startArtifactServer(artifacts);
  const elsewhere = await startServer((_, response) => void response.writeHead(404).end('<html>Nothing here</html>'));
  onTestFinished(() => elsewhere.close());
  const password = canaries.make('password', (mark) => `pä:ss&"<${mark}>%41`);
  const runtime = canaries.make('runtime token', (mark) => mark);
  const evidence: World['evidence'] = [
    () => evidenceBelow(workspace ?? ''),
    () => evidenceBelow(temp ?? ''),
    () => evidenceBelow(toolCache ?? ''),
    () => [requestsTo('another origin', elsewhere.requests)],
    () => [...service.artifacts].flatMap(([name, { zip }]) => unpacked(`artifact ${name}`, zip)),
  ];
  return {
    canaries,
    workspace: workspace ?? '',
    elsewhere: elsewhere.origin,
    password,
    evidence,
    async owncloud(hook) {
      const directory = temporaryFolder('cloud');
      const seen: string[] = [];
      const server = await startOwncloudServer({
        directory,
        username: 'ada',
        password,
        hook: (request, proceed): Promise<Answer | 'hang up' | undefined> => {
          seen.push(`${request.method} ${request.path} ${JSON.stringify(request.headers)}`);
          return Promise.resolve(hook?.(request, proceed));
        },
      });
      onTestFinished(() => server.close());
      evidence.push(() => evidenceBelow(directory));
      evidence.push(() => [
        { place: 'requests to ownCloud', data: seen.join('\n'), allowed: ['password', 'other password'] },
      ]);
      return { url: server.url, directory };
    },
    async run(options, end) {
      let log = '';
      const action = startAction({
        ...options,
        workspace: workspace ?? '',
        env: {
          ...service.environment,
          // The stand-in looks at no token; a true one has this form.
          ACTIONS_RUNTIME_TOKEN: `${service.environment.ACTIONS_RUNTIME_TOKEN}${runtime}`,
          RUNNER_TEMP: temp,
          RUNNER_TOOL_CACHE: toolCache,
          // Nothing of a test may leave the machine.
          GITHUB_API_URL: 'http://127.0.0.1:9',
          ...options.env,
        },
        onOutput: (text) => {
          log += text;
          if (end?.at.test(log)) action.kill(end.signal);
        },
      });
      const result = await action.result;
      // What a runner does when a step is ended by force: it starts the clean-up of the action.
      if (end?.signal === 'SIGKILL' && Object.keys(result.state).length > 0) {
        await startAction({
          ...options,
          workspace: workspace ?? '',
          env: { ...service.environment, RUNNER_TEMP: temp, ...options.env },
          state: result.state,
        }).result;
      }
      return result;
    },
  };
}

export function requestsTo(place: string, requests: readonly SeenRequest[], allowed: readonly string[] = []): Evidence {
  const data = requests.map(({ method, url, headers }) => `${method} ${url} ${JSON.stringify(headers)}`).join('\n');
  return { place: `requests to ${place}`, data, allowed };
}

/** Answers of an ownCloud that quote what they were sent, as a proxy's page about an error may. */
export function quoting(status: number, methods: RegExp): Hook {
  return ({ method, headers }) => {
    if (!methods.test(method)) return undefined;
    const login = headers.authorization ?? '';
    const plain = Buffer.from(login.replace('Basic ', ''), 'base64').toString();
    const said = escapeHtml(`${login} ${plain} ${encodeURIComponent(plain)}`);
    return {
      status,
      headers: { 'content-type': 'application/xml' },
      body: `<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>Refused: ${said}</s:message></d:error>`,
    };
  };
}

/** Sends what a method asks for to another origin. */
export function redirecting({ elsewhere }: World, method: string): Hook {
  return (request) =>
    request.method === method
      ? { status: 302, headers: { location: `${elsewhere}/login?from=${encodeURIComponent(request.path)}` } }
      : undefined;
}

/** Writes files below a folder, by their paths. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
