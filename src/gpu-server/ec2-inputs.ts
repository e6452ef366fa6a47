import { DiatomError } from '../errors.ts';
import { checkedInput, invalidInput, oneOfInput, textInput, wholeNumberInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';
import { typesFor } from '../schema/gpus.ts';
import { MARKETS, type Market } from './market.ts';

export interface Ec2Settings {
  /** Where a server may be. The first comes first in a start; a stop looks into all of them. */
  readonly regions: readonly [string, ...string[]];
  /** What a start does: make a server for this run alone, or start one that is there. */
  readonly mode: 'ephemeral' | 'existing';
  readonly ephemeral: EphemeralSettings;
  readonly existing: ExistingSettings;
}

/** What a server is made of. Ids differ between regions. */
export interface EphemeralSettings {
  /** In every region under the same name; an id only where there is one region. */
  readonly launchTemplate: { readonly nameOrId: string; readonly version: string } | undefined;
  /** Region → AMI: an id, or `resolve:ssm:<parameter>`. */
  readonly images: ReadonlyMap<string, string>;
  /** Tried in this order; empty: what the launch template says. */
  readonly instanceTypes: readonly string[];
  /** Region → subnets’ ids or zones’ names, tried in this order; none: EC2 chooses. */
  readonly placements: ReadonlyMap<string, readonly string[]>;
  /** Region → ids. */
  readonly securityGroups: ReadonlyMap<string, readonly string[]>;
  /** Name or ARN; `''` for none. */
  readonly instanceProfile: string;
  /** Tried in this order. */
  readonly markets: readonly [Market, ...Market[]];
  /** Size of the root disk; `undefined`: as the AMI says. */
  readonly diskGb: number | undefined;
  /** `''` for none. */
  readonly keyName: string;
  readonly tags: ReadonlyMap<string, string>;
}

export interface ExistingSettings {
  readonly region: string;
  /** `''` when it is not given, as for a stop, which needs none. */
  readonly instanceId: string;
  /** ARN of the role with which EventBridge Scheduler stops the instance at its deadline; `''` for no such limit. */
  readonly schedulerRole: string;
}

const REGION = /^[a-z]{2}(-[a-z]+)+-\d+$/;

/**
 * Reads and checks the inputs of the EC2 driver. Only a start (input `mode`) has to be told what to start.
 *
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function ec2Inputs(env: NodeJS.ProcessEnv = process.env): Ec2Settings {
  const regions = regionsInput(env);
  const settings: Ec2Settings = {
    regions,
    mode: oneOfInput('ec2-mode', GPU_SERVER['ec2-mode'].words),
    ephemeral: ephemeralInputs(regions),
    existing: existingInputs(regions),
  };
  if (textInput('mode') === 'start') checkStart(settings);
  return settings;
}

function regionsInput(env: NodeJS.ProcessEnv): readonly [string, ...string[]] {
  const given = list('ec2-regions');
  for (const region of given) {
    if (!REGION.test(region)) throw invalidInput('ec2-regions', region, 'regions such as eu-central-1, eu-west-1');
  }
  const [first = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || '', ...others] = given;
  if (first !== '') return [first, ...others];
  throw new DiatomError(
    'INPUT',
    'Input ec2-regions is missing, and aws-actions/configure-aws-credentials has set no region: name the regions where the server may be, such as eu-central-1.',
  );
}

function ephemeralInputs(regions: readonly [string, ...string[]]): EphemeralSettings {
  return {
    launchTemplate: launchTemplateInput(regions),
    images: imagesInput(regions),
    instanceTypes: instanceTypesInput(),
    placements: regional('ec2-subnets', regions, /^subnet-[0-9a-f]+$/, 'subnets (subnet-…) or zones (eu-central-1a)'),
    securityGroups: regional('ec2-security-groups', regions, /^sg-[0-9a-f]+$/, 'ids of security groups (sg-…)'),
    instanceProfile: checkedInput('ec2-instance-profile', GPU_SERVER['ec2-instance-profile']),
    markets: MARKETS[oneOfInput('ec2-market', GPU_SERVER['ec2-market'].words)],
    diskGb: wholeNumberInput('ec2-disk-gb', GPU_SERVER['ec2-disk-gb']),
    keyName: textInput('ec2-key-name'),
    tags: tagsInput(),
  };
}

function launchTemplateInput(regions: readonly string[]): EphemeralSettings['launchTemplate'] {
  const text = textInput('ec2-launch-template');
  if (text === '') return undefined;
  const [, nameOrId, version = '$Default'] = /^([\w.()/-]{3,128})(?::(\d+|\$Latest|\$Default))?$/.exec(text) ?? [];
  const isId = nameOrId?.startsWith('lt-');
  if (nameOrId !== undefined && (!isId || regions.length === 1)) return { nameOrId, version };
  throw invalidInput(
    'ec2-launch-template',
    text,
    isId
      ? 'with several regions a name, under which each region has a template: an id is that of one region'
      : 'a template’s name or id, and its version if you like: gpu-runner, gpu-runner:3, gpu-runner:$Latest',
  );
}

function imagesInput(regions: readonly [string, ...string[]]): ReadonlyMap<string, string> {
  const allowed = 'AMIs (ami-…, for a further region eu-west-1:ami-…) or resolve:ssm:<name of a parameter>';
  const images = regional('ec2-ami', regions, /^(ami-[0-9a-f]+|resolve:ssm:[\w./-]+)$/, allowed);
  const first = new Map<string, string>();
  for (const [region, values] of images) {
    if (values[1] !== undefined) throw invalidInput('ec2-ami', values[1], 'one AMI for each region');
    if (values[0] !== undefined) first.set(region, values[0]);
  }
  // AWS publishes such a parameter under the same name in every region.
  const common = first.get(regions[0]);
  if (common?.startsWith('resolve:')) for (const region of regions) first.set(region, first.get(region) ?? common);
  return first;
}

function instanceTypesInput(): readonly string[] {
  const gpu = checkedInput('gpu', GPU_SERVER.gpu);
  if (gpu !== '') return typesFor(gpu, 'ec2').map(({ type }) => type);
  const types = list('ec2-instance-types');
  const wrong = types.find((type) => !/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(type));
  if (wrong === undefined) return types;
  throw invalidInput('ec2-instance-types', wrong, 'types such as g6.xlarge, g5.xlarge');
}

function tagsInput(): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const line of textInput('ec2-tags').split(/[\r\n]+/)) {
    if (line.trim() === '') continue;
    const [, name = '', value = ''] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === '' || /^(aws|diatom):/i.test(name) || name.length > 128 || value.length > 256) {
      throw invalidInput('ec2-tags', line, 'one name=value a line, the name not beginning with aws: or diatom:');
    }
    tags.set(name, value);
  }
  return tags;
}

function existingInputs(regions: readonly [string, ...string[]]): ExistingSettings {
  const allowed = 'the id of an instance (i-…, or eu-west-1:i-… when it is not in the first of the regions)';
  const [entry] = regional('ec2-instance-id', regions, /^i-[0-9a-f]+$/, allowed);
  return {
    region: entry?.[0] ?? regions[0],
    instanceId: entry?.[1][0] ?? '',
    schedulerRole: checkedInput('ec2-scheduler-role', GPU_SERVER['ec2-scheduler-role']),
  };
}

/** What only a start needs. */
function checkStart({ mode, regions, ephemeral, existing }: Ec2Settings): void {
  if (mode === 'existing') {
    if (existing.instanceId !== '') return;
    throw new DiatomError('INPUT', 'Input ec2-instance-id is missing: the instance to start (ec2-mode is existing).');
  }
  const { launchTemplate, images, instanceTypes, securityGroups, diskGb } = ephemeral;
  if (launchTemplate === undefined && instanceTypes.length === 0) {
    throw new DiatomError(
      'INPUT',
      'Input gpu is missing: which GPU, such as L4; or name types in ec2-instance-types, the best first, such as g6.xlarge, g5.xlarge (or an ec2-launch-template).',
    );
  }
  for (const region of regions) {
    if (launchTemplate === undefined && !images.has(region)) {
      throw new DiatomError(
        'INPUT',
        `Input ec2-ami names none for ${region}: add ${region}:ami-… (or name an ec2-launch-template).`,
      );
    }
    if (diskGb !== undefined && !images.has(region)) {
      throw new DiatomError(
        'INPUT',
        'Input ec2-disk-gb needs ec2-ami: with a launch template, set the size of the disk there.',
      );
    }
    // The default group of a VPC may be open; nobody who names groups wants it.
    if (securityGroups.size > 0 && !securityGroups.has(region)) {
      throw new DiatomError('INPUT', `Input ec2-security-groups names none for ${region}: add ${region}:sg-….`);
    }
  }
}

/** A list whose entries belong to a region: to the one they name (`eu-west-1:…`, the zone `eu-west-1a`), else to the first. */
function regional(
  name: string,
  regions: readonly [string, ...string[]],
  pattern: RegExp,
  allowed: string,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const entry of list(name)) {
    const zoneRegion = name === 'ec2-subnets' ? /^([a-z]{2}(?:-[a-z]+)+-\d+)[a-z]$/.exec(entry)?.[1] : undefined;
    const [, named, rest = entry] = /^([a-z]{2}(?:-[a-z]+)+-\d+):(.+)$/.exec(entry) ?? [];
    if (zoneRegion === undefined && !pattern.test(rest)) throw invalidInput(name, entry, allowed);
    const region = zoneRegion ?? named ?? regions[0];
    if (!regions.includes(region))
      throw invalidInput(name, entry, `only what is in ec2-regions (${regions.join(', ')})`);
    found.set(region, [...(found.get(region) ?? []), rest]);
  }
  return found;
}

function list(name: string): readonly string[] {
  return textInput(name)
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
}
