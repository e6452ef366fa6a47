import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { firstToBeHad } from './choices.ts';
import type { StartRequest } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Aws, AwsError } from './ec2-aws.ts';
import type { Ec2Settings, EphemeralSettings } from './ec2-inputs.ts';
import { findInstances, type Instance, isEphemeral, stateOf, TAGS } from './ec2-instances.ts';
import type { Market } from './market.ts';
import { inSecretFile } from './secret-file.ts';
import { userData } from './user-data.ts';

/** One way to get an instance. */
export interface Choice {
  readonly market: Market;
  readonly region: string;
  /** `undefined`: as the launch template says. */
  readonly type: string | undefined;
  /** A subnet's id or a zone's name; `undefined`: EC2 chooses. */
  readonly placement: string | undefined;
}

/**
 * All ways that the settings allow, the preferred first: a cheaper market before a dearer one, the first region before
 * the others, where the data may have to stay; there each type, the better first, in each place.
 */
export function choices({ regions, ephemeral }: Ec2Settings): readonly Choice[] {
  const { markets, instanceTypes, placements } = ephemeral;
  const types = instanceTypes.length === 0 ? [undefined] : instanceTypes;
  return markets.flatMap((market) =>
    regions.flatMap((region) =>
      types.flatMap((type) =>
        (placements.get(region) ?? [undefined]).map((placement) => ({ market, region, type, placement })),
      ),
    ),
  );
}

/** A choice, and what it costs in USD an hour; `undefined` when nobody asked, or AWS said nothing. */
export type PricedChoice = Choice & { readonly perHour?: number | undefined };

/**
 * Refusals that only say “not this one, not now” (EC2 API reference, “Error codes”): another type, zone, market or region
 * may still do. Everything else would be refused there as well, or would hide a mistake.
 */
const NOT_HERE = new Set([
  'InsufficientInstanceCapacity',
  'InsufficientHostCapacity',
  'InsufficientCapacity',
  'InsufficientReservedInstanceCapacity',
  'InsufficientFreeAddressesInSubnet',
  'InstanceLimitExceeded',
  'MaxSpotInstanceCountExceeded',
  'SpotMaxPriceTooLow',
  'Unsupported',
  'UnsupportedOperation',
  'VcpuLimitExceeded',
]);

/** Switching it off terminates it. Its size: EC2 user guide, “Instance user data”. */
export const CLOUD = { name: 'EC2', maxBytes: 16_384, remove: '' };

const LAUNCHED = z.object({ Instances: z.tuple([z.object({ InstanceId: z.string() })]) });

/**
 * Makes an instance that ends with its runner. Nothing is made when there is one under this name.
 *
 * @returns where it is, as EC2 may not list it for a while; `undefined` for one that was there
 *
 * @throws DiatomError `SERVER` when EC2 has none to give, or refuses; `CANCELLED`, and then there may be one
 */
export async function startEphemeral(
  settings: Ec2Settings,
  allowed: readonly PricedChoice[],
  { name, repository, maxMinutes, runner }: StartRequest,
  { aws, context }: { readonly aws: Aws; readonly context: DriverContext },
): Promise<{ readonly id: string; readonly region: string } | undefined> {
  if (runner === undefined) throw new Error('A server that is made for a run has to be told which runner to start.');
  const found = await sameName(aws, settings.regions, name);
  if (found.some((instance) => isEphemeral(instance) && stateOf(instance) !== 'gone')) return undefined;

  const text = userData(runner, maxMinutes, CLOUD);
  const tags = new Map([
    ['Name', name],
    ...settings.ephemeral.tags,
    [TAGS.NAME, name],
    [TAGS.REPOSITORY, repository],
    [TAGS.DEADLINE, new Date(Date.now() + maxMinutes * 60_000).toISOString()],
    [TAGS.MODE, 'ephemeral'],
  ]);
  return inSecretFile(context.temporary, text, (file) =>
    firstToBeHad<PricedChoice, { readonly id: string; readonly region: string }>(allowed, context.signal, {
      async make({ perHour, ...choice }) {
        const args = await launchArguments(settings.ephemeral, choice, aws);
        const token = clientToken(name, choice, found);
        const priced = perHour === undefined ? tags : new Map([...tags, [TAGS.PRICE, String(perHour)]]);
        const answer = await aws(
          'ec2 run-instances',
          choice.region,
          [...args, '--client-token', token, '--user-data', `file://${file}`, ...tagArguments(priced, choice.market)],
          { secrets: [runner.jitConfig, text], finish: true },
        );
        throwIfCancelled(context.signal);
        return { id: LAUNCHED.parse(answer).Instances[0].InstanceId, region: choice.region };
      },
      refusalOf: (error) => (error instanceof AwsError && NOT_HERE.has(error.awsCode) ? error.awsCode : undefined),
      wording,
      none: (refusals) =>
        `EC2 has no instance to give:\n${refusals}\nTry again later, or allow more in ec2-instance-types, ec2-subnets, ec2-regions or ec2-market. VcpuLimitExceeded, InstanceLimitExceeded and MaxSpotInstanceCountExceeded are limits of your account, which AWS raises on request (Service Quotas, “Running On-Demand G and VT instances”, “All G and VT Spot Instance Requests”).`,
    }),
  );
}

/** In one region that can't be asked, there may be a server of this name: two must never run. */
async function sameName(aws: Aws, regions: readonly string[], name: string): Promise<readonly Instance[]> {
  const found = await Promise.all(regions.map((region) => findInstances(aws, region, { tag: TAGS.NAME, value: name })));
  return found.flat();
}

/**
 * EC2 answers a repeated request under one token with the first one's instance, for as long as that is known. Those that have
 * ended are part of the token, so that their end does not stand in the way of a new one.
 */
function clientToken(name: string, choice: Choice, ended: readonly Instance[]): string {
  const identity = [name, choice, ended.map(({ id }) => id).sort()];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}

async function launchArguments(settings: EphemeralSettings, choice: Choice, aws: Aws): Promise<readonly string[]> {
  const { launchTemplate, images, securityGroups, instanceProfile, keyName, diskGb } = settings;
  const { market, region, type, placement } = choice;
  const image = await imageId(images.get(region), region, aws);
  const args = [
    ...['--count', '1', '--instance-initiated-shutdown-behavior', 'terminate'],
    // A container on the instance, one hop further away, gets neither the user data nor the instance's role.
    ...['--metadata-options', 'HttpEndpoint=enabled,HttpTokens=required,HttpPutResponseHopLimit=1'],
  ];
  if (launchTemplate !== undefined) {
    const { nameOrId, version } = launchTemplate;
    const key = nameOrId.startsWith('lt-') ? 'LaunchTemplateId' : 'LaunchTemplateName';
    args.push('--launch-template', JSON.stringify({ [key]: nameOrId, Version: version }));
  }
  if (image !== undefined) args.push('--image-id', image);
  if (type !== undefined) args.push('--instance-type', type);
  if (placement?.startsWith('subnet-')) args.push('--subnet-id', placement);
  else if (placement !== undefined) args.push('--placement', `AvailabilityZone=${placement}`);
  const groups = securityGroups.get(region);
  if (groups !== undefined) args.push('--security-group-ids', ...groups);
  if (instanceProfile !== '') {
    args.push('--iam-instance-profile', `${instanceProfile.startsWith('arn:') ? 'Arn' : 'Name'}=${instanceProfile}`);
  }
  if (keyName !== '') args.push('--key-name', keyName);
  if (market === 'spot') args.push('--instance-market-options', JSON.stringify(ONE_TIME_SPOT));
  if (diskGb !== undefined && image !== undefined) {
    const disk = { VolumeSize: diskGb, VolumeType: 'gp3', DeleteOnTermination: true };
    const mapping = { DeviceName: await rootDevice(image, region, aws), Ebs: disk };
    args.push('--block-device-mappings', JSON.stringify([mapping]));
  }
  return args;
}

/** A persistent request would bring up a new instance after each end. */
const ONE_TIME_SPOT = {
  MarketType: 'spot',
  SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
};

/** Tags that are there from the first moment, so that nothing can be made and not be found. */
function tagArguments(tags: ReadonlyMap<string, string>, market: Market): readonly string[] {
  const Tags = [...tags].map(([Key, Value]) => ({ Key, Value }));
  const types = ['instance', 'volume', ...(market === 'spot' ? ['spot-instances-request'] : [])];
  return ['--tag-specifications', JSON.stringify(types.map((ResourceType) => ({ ResourceType, Tags })))];
}

async function imageId(image: string | undefined, region: string, aws: Aws): Promise<string | undefined> {
  const parameter = image?.split('resolve:ssm:')[1];
  if (parameter === undefined) return image;
  const answer = await aws('ssm get-parameter', region, ['--name', parameter]);
  return z.object({ Parameter: z.object({ Value: z.string() }) }).parse(answer).Parameter.Value;
}

async function rootDevice(image: string, region: string, aws: Aws): Promise<string> {
  const answer = await aws('ec2 describe-images', region, ['--image-ids', image]);
  const { Images } = z.object({ Images: z.array(z.object({ RootDeviceName: z.string() })) }).parse(answer);
  if (Images[0] !== undefined) return Images[0].RootDeviceName;
  throw new DiatomError(
    'INPUT',
    `There is no AMI ${image} in ${region}, or this account may not use it (input ec2-ami).`,
  );
}

export function wording({ market, region, type, placement }: Choice): string {
  return `${type ?? 'the launch template’s type'}, ${market}, in ${placement ?? region}${placement?.startsWith('subnet-') ? ` (${region})` : ''}`;
}
