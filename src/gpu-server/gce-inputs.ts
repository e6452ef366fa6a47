import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { booleanInput, invalidInput, oneOfInput, textInput, wholeNumberInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';
import { typesFor } from '../schema/gpus.ts';
import { checked, missing } from './cloud-inputs.ts';
import { MARKETS, type Market } from './market.ts';

export interface GceSettings {
  readonly project: string;
  /** A file of Google’s for `gcloud`, which signs in by it: a secret. `undefined`: whoever is signed in there. */
  readonly credentials: string | undefined;
  /** Tried in this order. */
  readonly zones: readonly string[];
  /** Tried in this order; with `+` and the accelerator that is added to it. */
  readonly machineTypes: readonly string[];
  /** Tried in this order. */
  readonly markets: readonly [Market, ...Market[]];
  /** Arguments of `gcloud` that name the image. */
  readonly image: readonly string[];
  /** `undefined`: as the image says. */
  readonly diskGb: number | undefined;
  /** `''`: the one called `default`. */
  readonly network: string;
  readonly subnet: string;
  readonly hasExternalIp: boolean;
  /** As whom a server deletes itself; `''` when it can’t. */
  readonly deleteAccount: string;
}

/** Machines that Google gives as spot only (“Accelerator-optimized machine family”, A3 High with less than 8 GPUs). */
const SPOT_ONLY = /^a3-highgpu-[124]g$/;

/** Whether Google gives this machine in this market. */
export function isGiven(machineType: string, market: Market): boolean {
  return market === 'spot' || !SPOT_ONLY.test(machineType);
}

/**
 * Reads and checks the inputs of the driver for Compute Engine. Only a start (input `mode`) has to be told what to start.
 *
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function gceInputs(env: NodeJS.ProcessEnv = process.env): GceSettings {
  const settings: GceSettings = {
    project: checked('gce-project'),
    credentials: credentialsInput(env),
    zones: list('gce-zones'),
    machineTypes: machineTypesInput(),
    markets: MARKETS[oneOfInput('gce-market', GPU_SERVER['gce-market'].words)],
    image: imageInput(),
    diskGb: wholeNumberInput('gce-disk-gb', GPU_SERVER['gce-disk-gb']),
    network: checked('gce-network'),
    subnet: checked('gce-subnet'),
    hasExternalIp: booleanInput('gce-external-ip'),
    deleteAccount: checked('gce-delete-account'),
  };
  if (settings.project === '') throw missing('gce', 'gce-project', 'the id of the project in which servers are made');
  if (textInput('mode') === 'start') checkStart(settings);
  return settings;
}

function checkStart({ zones, machineTypes, markets, image }: GceSettings): void {
  if (zones.length === 0) throw missing('gce', 'gce-zones', 'the zones where the server may be, the best first');
  if (image.length === 0) throw missing('gce', 'gce-image', 'the image that the server boots, with the GPU’s driver');
  if (machineTypes.length === 0)
    throw missing('gce', 'gpu', 'which GPU, such as L4; or name types in gce-machine-types');
  if (machineTypes.some((type) => markets.some((market) => isGiven(type, market)))) return;
  throw invalidInput(
    'gce-market',
    markets.join(', '),
    `spot or spot-then-on-demand with ${machineTypes.join(', ')}, which Google gives as no plain on-demand machine`,
  );
}

function list(name: keyof typeof GPU_SERVER): readonly string[] {
  return checked(name)
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
}

function machineTypesInput(): readonly string[] {
  const gpu = checked('gpu');
  return gpu === '' ? list('gce-machine-types') : typesFor(gpu, 'gce').map(({ type }) => type);
}

function imageInput(): readonly string[] {
  const image = checked('gce-image');
  const [, project, family, name = ''] =
    /^(?:projects\/([^/]+)\/global\/images\/)?(family\/)?([^/]+)$/.exec(image) ?? [];
  if (name === '') return [];
  return [
    ...(family === undefined ? ['--image', name] : ['--image-family', name]),
    ...(project === undefined ? [] : ['--image-project', project]),
  ];
}

const KEY = z.object({ type: z.literal('service_account'), client_email: z.string(), private_key: z.string() });

/** A key of a service account as it is; or what lets `gcloud` fetch GitHub’s word for this job, and change it for a token. */
function credentialsInput(env: NodeJS.ProcessEnv): string | undefined {
  const [provider, key] = [checked('gce-workload-identity-provider'), textInput('gce-key')];
  if (provider !== '') return identityFile(provider, checked('gce-service-account'), env);
  if (key === '') return undefined;
  try {
    KEY.parse(JSON.parse(key));
    return key;
  } catch {
    // Without its cause: what is wrong with it may quote it.
    throw new DiatomError(
      'INPUT',
      'Input gce-key is no key of a service account: put the whole JSON file that Google gave you into the secret GCE_KEY, on one line (jq -c . key.json).',
    );
  }
}

/** Google’s form of it: https://google.aip.dev/auth/4117; the audience is the one that a provider accepts by itself. */
function identityFile(provider: string, account: string, env: NodeJS.ProcessEnv): string {
  const [url, token] = [env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '', env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? ''];
  if (url === '' || token === '') {
    throw new DiatomError(
      'INPUT',
      'Input gce-workload-identity-provider is set, and GitHub does not introduce this job to anybody: the job, and the one that calls its workflow, need the permission “id-token: write”.',
    );
  }
  const audience = encodeURIComponent(`https://iam.googleapis.com/${provider}`);
  return JSON.stringify({
    type: 'external_account',
    audience: `//iam.googleapis.com/${provider}`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: {
      url: `${url}&audience=${audience}`,
      headers: { Authorization: `Bearer ${token}` },
      format: { type: 'json', subject_token_field_name: 'value' },
    },
    ...(account === ''
      ? {}
      : {
          service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
        }),
  });
}
