import { describe, expect, test } from 'vitest';
import { type OpenStackSettings, openstackInputs } from '../../src/gpu-server/openstack-inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { setInputs } from '../helpers/runner.ts';

const GOOD = {
  mode: 'start',
  'openstack-auth-url': 'https://keystone.example.org:5000/v3/',
  'openstack-credential-id': '0123456789abcdef0123456789abcdef',
  'openstack-credential-secret': 'very-secret',
  'openstack-image': 'Ubuntu 22.04 GPU',
  'openstack-flavors': 'gpu a100, gpu.t4',
};

function read(inputs: Readonly<Record<string, string>> = {}): OpenStackSettings {
  setInputs({ ...GOOD, ...inputs });
  return openstackInputs();
}

test('are read, with names that have spaces', () => {
  const settings = read({ 'openstack-delete-id': 'dead', 'openstack-delete-secret': 'only-deletes' });
  expect(settings).toMatchObject({
    authUrl: 'https://keystone.example.org:5000/v3',
    credential: { id: '0123456789abcdef0123456789abcdef', secret: 'very-secret' },
    deletion: { id: 'dead', secret: 'only-deletes' },
    flavors: ['gpu a100', 'gpu.t4'],
    zones: [],
    diskGb: undefined,
  });
});

test('a stop needs neither image nor flavor, nor what a server deletes itself with', () => {
  expect(read({ mode: 'stop', 'openstack-image': '', 'openstack-flavors': '' }).deletion).toBeUndefined();
});

describe('are refused', () => {
  test.each([
    ['openstack-auth-url', '', /Input openstack-auth-url is missing/],
    ['openstack-auth-url', 'https://keystone.example.org:5000', /ends in \/v3/],
    ['openstack-auth-url', 'https://me:secret@keystone.example.org/v3', /ends in \/v3/],
    ['openstack-credential-id', '', /Input openstack-credential-id is missing/],
    ['openstack-credential-secret', '', /Input openstack-credential-secret is missing.*from a secret/],
    ['openstack-delete-id', 'dead', /Input openstack-delete-secret is missing/],
    ['openstack-image', '', /Input openstack-image is missing/],
    ['openstack-flavors', ' , ', /Input openstack-flavors is missing/],
    ['openstack-disk-gb', '0', /openstack-disk-gb is “0”/],
    ['openstack-image', '--os-cloud=other', /openstack-image is “--os-cloud=other”/],
    ['openstack-flavors', 'gpu.t4, -h', /openstack-flavors/],
  ])('%s “%s”', async (name, value, message) => {
    expect((await failureOf(() => read({ [name]: value }))).message).toMatch(message);
  });
});
