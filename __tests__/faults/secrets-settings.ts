import type { ActionResult } from '../../scripts/run-action.ts';
import type { Case, World } from './secrets-world.ts';

/** Settings in which somebody has written what belongs into a secret. The file itself is in the repository. */
function settings(text: (world: World) => string, inputs: Readonly<Record<string, string>> = {}) {
  return (world: World): Promise<ActionResult> =>
    world.run({ action: 'settings', inputs: { settings: text(world), ...inputs } });
}

/** A list that anybody could download with. */
const list = ({ canaries }: World) => `
data:
  files:
    - file_url: https://cloud.example.org/s/${canaries.make('link')}/download?token=${canaries.make('token')}
      downloaded_file_name: a.zip
      exploded_folder_name: a
      species_label: a
`;

export const SETTINGS: readonly Case[] = [
  [
    'a password',
    /a secret belongs here/,
    settings((world) => `owncloud:\n  url: https://x.example\n  password: ${world.password.replace('&"<', '')}`),
  ],
  ['a password of the models', /secret/, settings((world) => `publish:\n  password: ${world.canaries.make('other')}`)],
  [
    'a password in an unknown key',
    /unknown|no key|password/i,
    settings((world) => `owncloud:\n  pasword: ${world.canaries.make('other')}`),
  ],
  [
    'a password in the address',
    /url: holds a password/,
    settings((world) => `owncloud:\n  url: https://ada:${world.canaries.make('other')}@x.example`),
  ],
  ['a link in a public repository', /public/, settings(list, { public: 'true' })],
  [
    'a link in a list with a fault',
    /entry 1/,
    settings((world) => list(world).replace('species_label: a', 'speciess: a')),
  ],
  [
    'a link instead of a list',
    /data\.files/,
    settings(({ canaries }) => `data:\n  files: https://cloud.example.org/s/${canaries.make('link')}`),
  ],
  [
    'a token under the GPU server',
    /secret/,
    settings(({ canaries }) => `gpu-server:\n  runner-token: ${canaries.make('token')}`),
  ],
  [
    'a text that is not YAML',
    /::error::/,
    settings(({ canaries }) => `owncloud: { password: "${canaries.make('other')}`),
  ],
];
