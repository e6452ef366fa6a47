import { onTestFinished } from 'vitest';
import type { ActionResult } from '../../scripts/run-action.ts';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { type Answer, fakeEngine } from '../helpers/fake-engine.ts';
import { type Serve, startServer } from '../helpers/loopback-server.ts';
import { CLASSES, metrics } from '../helpers/model.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';
import { type Case, type End, quoting, redirecting, requestsTo, type World, writeFiles } from './secrets-world.ts';

type Texts = Readonly<Record<string, string>>;

interface Given {
  readonly inputs?: (world: World) => Texts;
  readonly answers?: (world: World) => readonly Answer[];
  readonly hook?: (world: World) => Hook;
  readonly serve?: (world: World) => Serve;
  readonly end?: End;
  readonly env?: Texts;
}

const SECRETS = ['link user', 'link password', 'link token'];
const IMAGES = ['train', 'test'].flatMap((side, place) =>
  CLASSES.map((label, index) => ({ name: `results/${side}/${label}/${index}.bmp`, data: bmp(2 * place + index) })),
);
const ZIP = buildZip({
  entries: [...IMAGES, { name: 'results/manifest.csv', data: 'path,label,split,sha256,group\n' }],
});
const RESULT = {
  'model.pth': 'weights',
  'classes.json': JSON.stringify(CLASSES),
  'metrics.json': JSON.stringify(metrics()),
};

/** The engine is a stand-in, so that all is seen that a container would get: arguments, environment, the file for it. */
function train(given: Given = {}): (world: World) => Promise<ActionResult> {
  return async (world) => {
    const registry = world.canaries.make('registry password', (mark) => `p&"$${mark}`);
    const variable = world.canaries.make('variable');
    const [user, password, token] = SECRETS.map((name) => world.canaries.make(name));
    const cloud = await world.owncloud(given.hook?.(world));
    writeFiles(cloud.directory, { 'sets/set.zip': ZIP });
    const server = await startServer(
      given.serve?.(world) ??
        ((_, response) => void response.writeHead(200, { 'content-type': 'application/zip' }).end(ZIP)),
    );
    onTestFinished(() => server.close());
    world.evidence.push(() => [requestsTo('the server of the data set', server.requests, SECRETS)]);
    const engine = fakeEngine('docker', [
      ...(given.answers?.(world) ?? []),
      { match: '^info', stdout: '["name=seccomp"]' },
      { match: '^image inspect', stdout: JSON.stringify({ Id: 'sha256:1', RepoDigests: [] }) },
      { match: '^run', writes: RESULT },
    ]);
    world.evidence.push(() =>
      engine.calls().flatMap(({ args, env, envFile, stdin }) => [
        { place: 'arguments of the engine', data: args.join(' ') },
        { place: 'environment for the engine', data: JSON.stringify(env) },
        { place: 'environment of the container', data: envFile?.text ?? '', allowed: ['variable'] },
        { place: 'standard input of the engine', data: stdin, allowed: ['registry password'] },
      ]),
    );
    return world.run(
      {
        action: 'train-model',
        inputs: {
          ...{ image: 'registry.example/lab/diatoms:1', 'registry-username': 'ada', 'registry-password': registry },
          ...{ dataset: `http://${user}:${password}@127.0.0.1:${server.port}/set.zip?token=${token}`, gpus: 'none' },
          ...{ env: `TOKEN=${variable}`, 'owncloud-url': cloud.url, 'owncloud-folder': 'sets' },
          ...{ 'owncloud-username': 'ada', 'owncloud-password': world.password },
          ...given.inputs?.(world),
        },
        env: { ...given.env, PATH: process.env['PATH'] },
      },
      given.end,
    );
  };
}

const given = (inputs: Texts) => () => inputs;
const answer =
  (match: string, stderr: string, exitCode = 1) =>
  (): readonly Answer[] => [{ match, stderr, exitCode }];
const status =
  (code: number, headers: Texts = {}) =>
  (): Serve =>
  (request, response) =>
    void response.writeHead(code, headers).end(`You asked for ${request.url} with ${request.headers.authorization}`);

export const TRAIN_MODEL: readonly Case[] = [
  ['a training', 'green', train()],
  ['a training with its data set in ownCloud', 'green', train({ inputs: given({ dataset: 'sets/set.zip' }) })],
  ['a training that is kept for publishing', 'green', train({ inputs: given({ 'keep-unpublished': 'true' }) })],
  [
    'a training with Apptainer that is refused',
    /root|Apptainer|apptainer/,
    train({ inputs: given({ engine: 'apptainer' }) }),
  ],
  ['a registry that refuses', /sign in|denied/i, train({ answers: answer('^login', 'Error response: unauthorized') })],
  ['an image that can’t be fetched', /image/, train({ answers: answer('^pull', 'manifest unknown') })],
  ['a training that fails', /exit code 3/, train({ answers: answer('^run', 'Traceback: boom', 3) })],
  [
    'a container that can’t be started',
    /start the container/,
    train({ answers: answer('^run', 'no such device', 125) }),
  ],
  ['a training without a model', /model\.pth/, train({ answers: () => [{ match: '^run' }] })],
  ['an engine that is away', /docker/i, train({ answers: answer('^info', 'Cannot connect to the Docker daemon') })],
  ...[400, 401, 403, 404].map(
    (code): Case => [`a ${code} for the data set`, new RegExp(String(code)), train({ serve: status(code) })],
  ),
  ['a page instead of a data set', /zip/, train({ serve: status(200, { 'content-type': 'text/html' }) })],
  [
    'a redirect of the data set to another origin',
    /::error::/,
    train({ serve: (world) => status(302, { location: `${world.elsewhere}/set.zip` })() }),
  ],
  ['another sum than the data set’s', /sha256/i, train({ inputs: given({ 'dataset-sha256': 'a'.repeat(64) }) })],
  ['a data set in ownCloud that is not there', /::error::/, train({ inputs: given({ dataset: 'sets/none.zip' }) })],
  ...[401, 403, 507].map(
    (code): Case => [
      `a ${code} of ownCloud`,
      /::error::/,
      train({ inputs: given({ dataset: 'sets/set.zip' }), hook: () => quoting(code, /PROPFIND/) }),
    ],
  ),
  [
    'a redirect of ownCloud',
    /::error::/,
    train({ inputs: given({ dataset: 'sets/set.zip' }), hook: (world) => redirecting(world, 'GET') }),
  ],
  [
    'a result that ownCloud does not take',
    { warning: /::warning::/ },
    train({ inputs: given({ 'keep-unpublished': 'true' }), hook: () => quoting(403, /PUT|MKCOL/) }),
  ],
  [
    'a name that no variable can have',
    /Input env, line 1/,
    train({ inputs: (world) => ({ env: `1=${world.canaries.make('variable')}` }) }),
  ],
  [
    'a variable without a name',
    /Input env, line 1/,
    train({ inputs: (world) => ({ env: world.canaries.make('variable') }) }),
  ],
  [
    'a password of a registry without its user',
    /registry-username/,
    train({ inputs: given({ 'registry-username': '' }) }),
  ],
  ['an address as an image', /image/, train({ inputs: given({ image: '-x' }) })],
  [
    'settings with a password in them',
    /settings/,
    train({
      inputs: (world) => ({
        settings: JSON.stringify({ 'registry-password': world.canaries.make('registry password') }),
      }),
    }),
  ],
  [
    'a comparison with what is not there',
    'green',
    train({ inputs: given({ 'compare-with': 'models/diatoms/production' }) }),
  ],
  [
    'a decision',
    'green',
    train({
      inputs: given({
        decide: 'true',
        dataset: 'sets/set.zip',
        'compare-with': 'models/diatoms/production',
        'data-identity': 'a'.repeat(64),
      }),
    }),
  ],
  [
    'a disk without room for outputs',
    'green',
    train({ env: { GITHUB_OUTPUT: '/dev/full', GITHUB_STEP_SUMMARY: '/dev/full' } }),
  ],
  [
    'a cancelled training',
    /cancel/i,
    train({
      answers: () => [{ match: '^run', untilStopped: true }],
      end: { signal: 'SIGINT', at: /::stop-commands::[\s\S]+::stop-commands::/ },
    }),
  ],
  [
    'a killed training',
    /./,
    train({
      answers: () => [{ match: '^run', untilStopped: true }],
      end: { signal: 'SIGKILL', at: /::stop-commands::[\s\S]+::stop-commands::/ },
    }),
  ],
];
