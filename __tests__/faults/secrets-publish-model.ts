import { join } from 'node:path';
import type { ActionResult } from '../../scripts/run-action.ts';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { CLASSES, metrics } from '../helpers/model.ts';
import { type Case, type End, quoting, redirecting, type World, writeFiles } from './secrets-world.ts';

type Texts = Readonly<Record<string, string>>;

interface Given {
  readonly inputs?: (world: World) => Texts;
  readonly hook?: (world: World) => Hook;
  readonly end?: End;
  readonly env?: Texts;
}

function publish(given: Given = {}): (world: World) => Promise<ActionResult> {
  return async (world) => {
    const cloud = await world.owncloud(given.hook?.(world));
    const other = world.canaries.make('other password');
    const token = world.canaries.make('github token');
    writeFiles(join(world.workspace, 'model'), {
      'model.pth': 'weights '.repeat(1_000),
      'classes.json': JSON.stringify(CLASSES),
      'metrics.json': JSON.stringify(metrics()),
      'training-images.csv': 'sha256,group\n',
    });
    const inputs = { 'model-dir': 'model', 'model-name': 'diatoms', 'owncloud-url': cloud.url, 'github-token': token };
    const accounts = { 'owncloud-username': 'ada', 'owncloud-password': world.password };
    const extra = given.inputs?.(world) ?? {};
    // The account that trains is another: its password is no good for the one that publishes.
    const both =
      'models-username' in extra ? { 'models-password': world.password, 'owncloud-password': other } : undefined;
    return world.run(
      { action: 'publish-model', inputs: { ...inputs, ...accounts, ...both, ...extra }, env: given.env ?? {} },
      given.end,
    );
  };
}

const given = (inputs: Texts) => () => inputs;
const TWO: Texts = { 'models-username': 'ada' };

export const PUBLISH_MODEL: readonly Case[] = [
  ['a publication', 'green', publish()],
  ['a publication with an account of its own', 'green', publish({ inputs: given(TWO) })],
  ['a check', 'green', publish({ inputs: given({ check: 'true' }) })],
  [
    'a check with two accounts, one of them wrong',
    /Production: .*401/,
    publish({ inputs: given({ ...TWO, check: 'true' }) }),
  ],
  ['a dry run', 'green', publish({ inputs: given({ 'dry-run': 'true' }) })],
  ['a gate that fails', /macro_f1/, publish({ inputs: given({ gate: 'macro_f1 >= 1' }) })],
  [
    'a roll-back of what is not there',
    /no model/,
    publish({ inputs: given({ 'model-dir': '', 'roll-back-to': 'v1' }) }),
  ],
  [
    'a model that is not there',
    /has to be a folder that exists/,
    publish({ inputs: given({ 'model-dir': 'nowhere' }) }),
  ],
  [
    'an artifact that is not there',
    /artifact/,
    publish({ inputs: given({ 'model-dir': '', 'artifact-name': 'none' }) }),
  ],
  [
    'a wrong password',
    /models-username|sign/i,
    publish({ inputs: (world) => ({ ...TWO, 'models-password': world.canaries.make('other password') }) }),
  ],
  [
    'a password without its name',
    /models-username/,
    publish({ inputs: (world) => ({ 'models-password': world.password }) }),
  ],
  [
    'settings with the password in them',
    /models-password is a secret/,
    publish({
      inputs: (world) => ({ settings: JSON.stringify({ 'models-password': world.password }) }),
    }),
  ],
  ...(['PROPFIND', 'MKCOL', 'PUT', 'MOVE', 'COPY'] as const).flatMap((method): Case[] => [
    ...[401, 403, 409, 507].map(
      (code): Case => [
        `a ${code} for ${method}`,
        /::(error|warning)::/,
        publish({ hook: () => quoting(code, new RegExp(`^${method}$`)) }),
      ],
    ),
    [`a redirect for ${method}`, /::error::/, publish({ hook: (world) => redirecting(world, method) })],
  ]),
  [
    'a disk without room for outputs',
    'green',
    publish({ env: { GITHUB_OUTPUT: '/dev/full', GITHUB_STEP_SUMMARY: '/dev/full' } }),
  ],
  ['a cancelled publication', /cancel/i, publish({ end: { signal: 'SIGINT', at: /Signed in/ } })],
  ['a killed publication', /./, publish({ end: { signal: 'SIGKILL', at: /Signed in/ } })],
];
