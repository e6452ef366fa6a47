import { askCloud, type CallOptions, CloudError, hide, lastLine, type Remedies, refusal } from './cloud-tool.ts';
import type { DriverContext } from './driver-context.ts';
import type { OpenStackSettings } from './openstack-inputs.ts';

/** Runs one command of the CLI, such as `server list`, and returns what it printed. */
export type OpenStack = (command: string, args: readonly string[], options?: CallOptions) => Promise<string>;

/**
 * The `openstack` program (python-openstackclient), signed in by an application credential from its environment.
 *
 * A call throws CloudError with what to do about it, or DiatomError `CANCELLED`.
 */
export function openOpenStack(
  { authUrl, region, credential }: Pick<OpenStackSettings, 'authUrl' | 'region' | 'credential'>,
  { signal, limits }: Pick<DriverContext, 'signal' | 'limits'>,
): OpenStack {
  const env = {
    ...NOBODY,
    OS_AUTH_TYPE: 'v3applicationcredential',
    OS_AUTH_URL: authUrl,
    OS_APPLICATION_CREDENTIAL_ID: credential.id,
    OS_APPLICATION_CREDENTIAL_SECRET: credential.secret,
    OS_REGION_NAME: region,
    OS_IDENTITY_API_VERSION: '3',
    OS_INTERFACE: 'public',
  };
  return async (command, args, { secrets = [], finish = false } = {}) => {
    const { exitCode, stdout, stderr } = await askCloud(
      'openstack',
      [...command.split(' '), ...args],
      { env, signal, limitMs: limits.answerMs, finish },
      (why) => new CloudError(`${why} It was to ask OpenStack at ${authUrl} (${command}).`, ''),
    );
    if (exitCode === 0) return stdout;
    const said = hide(stderr, [...secrets, credential.secret]);
    throw refusal(`OpenStack at ${authUrl} refuses “${command}”`, said, lastLine(said), REMEDIES);
  };
}

/** Who else may be signed in on the runner: his project or cloud does not go with an application credential. */
const NOBODY = Object.fromEntries(
  ['CLOUD', 'USERNAME', 'PASSWORD', 'TOKEN', 'PROJECT_ID', 'PROJECT_NAME', 'USER_DOMAIN_NAME', 'PROJECT_DOMAIN_NAME']
    .flatMap((word) => [
      `OS_${word}`,
      ...(word.startsWith('PROJECT') ? [`OS_${word.replace('PROJECT', 'TENANT')}`] : []),
    ])
    .map((name) => [name, '']),
);

const REMEDIES: Remedies = [
  [
    /HTTP 401|requires authentication/,
    'The application credential is wrong, has expired or was deleted, or may do less than is asked here: check openstack-credential-id and the secret OPENSTACK_SECRET.',
  ],
  [
    /quota/i,
    'A limit of your project is reached: delete what it no longer needs, or ask the cloud’s support for more.',
  ],
  [
    /HTTP 403|: 403:/,
    'The application credential may not do that: give it the role “member” (docs/gpu-server-openstack.md).',
  ],
  [
    /^No \w+.* (found|exists)|\bNo .* with a name or ID|could not be found/im,
    'Check the openstack-… inputs against what is in this project and region.',
  ],
  [
    /Unable to establish connection|Failed to (discover|connect)|Could not find versioned identity endpoints|timed out/i,
    'It can’t be reached: check openstack-auth-url, openstack-region and the network of this runner.',
  ],
];
