import { textInput, wholeNumberInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';
import { checked, missing } from './cloud-inputs.ts';

/** An application credential (Keystone): its secret can't be read from anywhere again. */
export interface Credential {
  readonly id: string;
  readonly secret: string;
}

export interface OpenStackSettings {
  /** Address of Keystone's version 3, such as `https://keystone.example.org:5000/v3`. */
  readonly authUrl: string;
  /** `''` where the cloud has one only. */
  readonly region: string;
  readonly credential: Credential;
  /** With what a server deletes itself; `undefined` when it can't. */
  readonly deletion: Credential | undefined;
  /** Names or ids, as in all that follows; `''` for none. */
  readonly image: string;
  /** Tried in this order. */
  readonly flavors: readonly string[];
  /** Tried in this order; none: the cloud chooses. */
  readonly zones: readonly string[];
  readonly network: string;
  readonly securityGroups: readonly string[];
  readonly keyName: string;
  /** Size of a volume to boot from; `undefined` for the disk that the flavor has. */
  readonly diskGb: number | undefined;
}

/**
 * Reads and checks the inputs of the OpenStack driver. Only a start (input `mode`) has to be told what to start.
 *
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function openstackInputs(): OpenStackSettings {
  const settings: OpenStackSettings = {
    authUrl: checked('openstack-auth-url').replace(/\/+$/, ''),
    region: checked('openstack-region'),
    credential: credentialInput('openstack-credential'),
    deletion: textInput('openstack-delete-id') === '' ? undefined : credentialInput('openstack-delete'),
    image: checked('openstack-image'),
    flavors: list('openstack-flavors'),
    zones: list('openstack-zones'),
    network: checked('openstack-network'),
    securityGroups: list('openstack-security-groups'),
    keyName: checked('openstack-key-name'),
    diskGb: wholeNumberInput('openstack-disk-gb', GPU_SERVER['openstack-disk-gb']),
  };
  if (settings.authUrl === '')
    throw missing('openstack', 'openstack-auth-url', 'the address of your cloud’s Keystone, ending in /v3');
  if (textInput('mode') !== 'start') return settings;
  if (settings.image === '')
    throw missing('openstack', 'openstack-image', 'the image that the server boots, with the GPU’s driver');
  if (settings.flavors.length === 0)
    throw missing('openstack', 'openstack-flavors', 'the flavors that will do, the best first');
  return settings;
}

function credentialInput(name: 'openstack-credential' | 'openstack-delete'): Credential {
  const [id, secret] = [checked(`${name}-id`), textInput(`${name}-secret`)];
  if (id === '') throw missing('openstack', `${name}-id`, 'the id of an application credential');
  if (secret === '')
    throw missing('openstack', `${name}-secret`, 'the secret of that application credential, from a secret');
  return { id, secret };
}

/** Names may have spaces. */
function list(name: keyof typeof GPU_SERVER): readonly string[] {
  return checked(name)
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
