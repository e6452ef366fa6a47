import { describe, expect, test } from 'vitest';
import { type GceSettings, gceInputs } from '../../src/gpu-server/gce-inputs.ts';
import { GPU_TYPES } from '../../src/schema/gpus.ts';
import { failureOf } from '../helpers/failure.ts';
import { setInputs } from '../helpers/runner.ts';

const PROVIDER = 'projects/123456789012/locations/global/workloadIdentityPools/github/providers/diatoms';
const GITHUB = {
  ACTIONS_ID_TOKEN_REQUEST_URL: 'https://pipelines.example.org/token?api-version=2.0',
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
};
const GOOD = {
  mode: 'start',
  'gce-project': 'lab-diatoms',
  'gce-zones': 'europe-west4-a, us-central1-ai1a',
  'gce-machine-types': 'g2-standard-4, n1-standard-4+nvidia-tesla-t4',
  'gce-image': 'family/diatoms-gpu',
  'gce-market': 'on-demand',
  'gce-external-ip': 'true',
};

function read(inputs: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = GITHUB): GceSettings {
  setInputs({ ...GOOD, ...inputs });
  return gceInputs(env);
}

test('are read, in the order in which they are tried', () => {
  expect(read({ 'gce-market': 'spot-then-on-demand' })).toEqual({
    ...{ project: 'lab-diatoms', credentials: undefined, zones: ['europe-west4-a', 'us-central1-ai1a'] },
    ...{ machineTypes: ['g2-standard-4', 'n1-standard-4+nvidia-tesla-t4'], markets: ['spot', 'on-demand'] },
    ...{ image: ['--image-family', 'diatoms-gpu'], diskGb: undefined, network: '', subnet: '' },
    ...{ hasExternalIp: true, deleteAccount: '' },
  });
});

test.each([
  ['diatoms-gpu', ['--image', 'diatoms-gpu']],
  ['projects/lab-images/global/images/gpu-7', ['--image', 'gpu-7', '--image-project', 'lab-images']],
  [
    'projects/example.org:lab-images/global/images/family/gpu',
    ['--image-family', 'gpu', '--image-project', 'example.org:lab-images'],
  ],
])('the image “%s” is named to gcloud by %j', (image, args) => {
  expect(read({ 'gce-image': image }).image).toEqual(args);
});

test('the name of a GPU stands for the machine types that have it, the smallest first', () => {
  const types = (gpu: string) => read({ gpu, 'gce-machine-types': '', 'gce-market': 'spot' }).machineTypes;
  expect(types('T4')[0]).toBe('n1-standard-4+nvidia-tesla-t4');
  expect(types('L4')).toEqual(['g2-standard-4', 'g2-standard-8', 'g2-standard-12']);
  expect(types('A100')).toEqual(['a2-highgpu-1g', 'a2-ultragpu-1g']);
  expect(types('A100, at least 80 GB')).toEqual(['a2-ultragpu-1g']);
  expect(types('any, at least 80 GB')).toEqual(['a2-ultragpu-1g', 'a3-highgpu-1g']);
});

test('machines with fewer GPUs, and then with less memory on each, come first', () => {
  const order = GPU_TYPES.gce.map(({ count, gb }) => count * 1000 + gb);
  expect(order).toEqual([...order].sort((one, two) => one - two));
});

test('a machine that Google gives as spot only is refused where no spot is allowed, and left out where others will do', async () => {
  const none = { 'gce-machine-types': '' };
  const { message } = await failureOf(() => read({ ...none, gpu: 'H100' }));
  expect(message).toMatch(/gce-market is “on-demand”.*a3-highgpu-1g, which Google gives as no plain on-demand machine/);
  expect(read({ ...none, gpu: 'H100', 'gce-market': 'spot-then-on-demand' }).machineTypes).toEqual(['a3-highgpu-1g']);
  expect(read({ ...none, gpu: 'any, at least 80 GB' }).machineTypes).toContain('a2-ultragpu-1g');
});

test('a stop needs the project alone', () => {
  const rest = { 'gce-zones': '', 'gce-machine-types': '', 'gce-image': '' };
  expect(read({ ...rest, mode: 'stop' })).toMatchObject({ project: 'lab-diatoms', zones: [] });
});

describe('who signs in', () => {
  test('is the job itself, by what GitHub says about it: for the service account, if there is one', () => {
    const file = JSON.parse(read({ 'gce-workload-identity-provider': PROVIDER }).credentials ?? '');
    expect(file).toEqual({
      ...{ type: 'external_account', audience: `//iam.googleapis.com/${PROVIDER}` },
      ...{
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: 'https://sts.googleapis.com/v1/token',
      },
      credential_source: {
        url: `${GITHUB.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent(`https://iam.googleapis.com/${PROVIDER}`)}`,
        headers: { Authorization: 'Bearer request-token' },
        format: { type: 'json', subject_token_field_name: 'value' },
      },
    });
    const account = 'gpu@lab-diatoms.iam.gserviceaccount.com';
    const other = read({ 'gce-workload-identity-provider': PROVIDER, 'gce-service-account': account });
    expect(JSON.parse(other.credentials ?? '').service_account_impersonation_url).toBe(
      `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
    );
  });

  test('can’t be the job where GitHub may not introduce it', async () => {
    const { message } = await failureOf(() => read({ 'gce-workload-identity-provider': PROVIDER }, {}));
    expect(message).toContain('need the permission “id-token: write”');
  });

  test('is the service account whose key is given, as it is', () => {
    const key = JSON.stringify({ type: 'service_account', client_email: 'a@b.org', private_key: 'k' }, null, 2);
    expect(read({ 'gce-key': key }).credentials).toBe(key);
  });

  test.each(['no-json', '{}', '{"type":"external_account","private_key":"k"}'])(
    'is nobody with the key “%s”, which no message repeats',
    async (key) => {
      const error = await failureOf(() => read({ 'gce-key': key }));
      expect(error).toMatchObject({ code: 'INPUT', message: expect.stringContaining('Input gce-key is no key') });
      expect(error.message).not.toContain(key);
    },
  );
});

describe('are refused', () => {
  test.each([
    ['gce-project', '', /Input gce-project is missing/],
    ['gce-project', '123456789012', /the id of a project/],
    ['gce-zones', '', /Input gce-zones is missing/],
    ['gce-zones', 'europe-west4', /zones such as europe-west4-a/],
    ['gce-zones', 'europe-west4-a, --project=other', /gce-zones/],
    ['gce-machine-types', '', /Input gpu is missing.*gce-machine-types/],
    ['gce-machine-types', 'nvidia', /machine types such as/],
    ['gce-image', '', /Input gce-image is missing/],
    ['gce-image', '--help', /Input gce-image is “--help”/],
    ['gce-image', 'projects/lab/global/images/', /Input gce-image/],
    ['gce-disk-gb', '5', /gce-disk-gb is “5”/],
    ['gce-market', 'cheap', /gce-market is “cheap”/],
    ['gce-external-ip', 'no', /gce-external-ip is “no”/],
    ['gce-network', '-x', /gce-network is “-x”/],
    ['gce-delete-account', 'me', /the address of a service account/],
    ['gce-workload-identity-provider', 'github', /a name such as projects\/123456789/],
  ])('%s “%s”', async (name, value, message) => {
    expect((await failureOf(() => read({ [name]: value }))).message).toMatch(message);
  });
});
