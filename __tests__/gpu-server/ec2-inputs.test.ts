import { describe, expect, test } from 'vitest';
import { type Ec2Settings, ec2Inputs } from '../../src/gpu-server/ec2-inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { setInputs } from '../helpers/runner.ts';

const GOOD = {
  mode: 'start',
  'ec2-mode': 'ephemeral',
  'ec2-market': 'on-demand',
  'ec2-regions': 'eu-central-1, eu-west-1',
  'ec2-ami': 'ami-0a, eu-west-1:ami-0b',
  'ec2-instance-types': 'g6.xlarge, g5.xlarge',
};

function read(inputs: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}): Ec2Settings {
  setInputs({ ...GOOD, ...inputs });
  return ec2Inputs(env);
}

describe('regions', () => {
  test('are a list, the first of which is where things lie whose region is not said', () => {
    const { regions, ephemeral, existing } = read({
      'ec2-subnets': 'subnet-0a, eu-west-1:subnet-0b, eu-west-1c',
      'ec2-security-groups': 'sg-1,eu-west-1:sg-2\nsg-3',
    });
    expect(regions).toEqual(['eu-central-1', 'eu-west-1']);
    expect([...ephemeral.images]).toEqual([
      ['eu-central-1', 'ami-0a'],
      ['eu-west-1', 'ami-0b'],
    ]);
    expect(ephemeral.placements.get('eu-west-1')).toEqual(['subnet-0b', 'eu-west-1c']);
    expect(ephemeral.securityGroups.get('eu-central-1')).toEqual(['sg-1', 'sg-3']);
    expect(existing.region).toBe('eu-central-1');
  });

  test('are that of the credentials when none is given', () => {
    expect(read({ 'ec2-regions': '', 'ec2-ami': 'ami-0a' }, { AWS_REGION: 'us-gov-west-1' }).regions).toEqual([
      'us-gov-west-1',
    ]);
  });

  test('share a public parameter for the image, which has the same name everywhere', () => {
    const parameter = 'resolve:ssm:/aws/service/deeplearning/ami/x86_64/x/latest/ami-id';
    expect([...read({ 'ec2-ami': parameter }).ephemeral.images.values()]).toEqual([parameter, parameter]);
  });
});

test('a launch template has a version, the default one if none is said', () => {
  const template = (text: string) => read({ 'ec2-launch-template': text }).ephemeral.launchTemplate;
  expect(template('gpu-runner')).toEqual({ nameOrId: 'gpu-runner', version: '$Default' });
  expect(template('gpu-runner:$Latest')).toEqual({ nameOrId: 'gpu-runner', version: '$Latest' });
  expect(template('gpu-runner:12')).toEqual({ nameOrId: 'gpu-runner', version: '12' });
});

test('the name of a GPU stands for the instance types that have it, the smallest first', () => {
  const types = (gpu: string) => read({ gpu, 'ec2-instance-types': '' }).ephemeral.instanceTypes;
  expect(types('L4')).toEqual(['g6.xlarge', 'g6.2xlarge', 'g6.4xlarge']);
  expect(types('NVIDIA l40s')).toEqual(['g6e.xlarge', 'g6e.2xlarge', 'g6e.4xlarge']);
  expect(types('A100')).toEqual(['p4d.24xlarge', 'p4de.24xlarge']);
  expect(types('A100, at least 80 GB')).toEqual(['p4de.24xlarge']);
  expect(types('any').slice(0, 4)).toEqual(['g4dn.xlarge', 'g4dn.2xlarge', 'g4dn.4xlarge', 'g6.xlarge']);
  expect(types('any, at least 80GB')).toEqual(['p5.4xlarge', 'g7e.2xlarge', 'g7e.4xlarge', 'g7e.8xlarge']);
});

test('spot-then-on-demand are two markets, the cheaper first', () => {
  expect(read({ 'ec2-market': 'spot-then-on-demand' }).ephemeral.markets).toEqual(['spot', 'on-demand']);
});

test('an instance may be named with its region', () => {
  const { existing } = read({ 'ec2-mode': 'existing', 'ec2-instance-id': 'eu-west-1:i-0123' });
  expect(existing).toMatchObject({ region: 'eu-west-1', instanceId: 'i-0123' });
});

test('a stop, a status and a reap need regions only', () => {
  for (const mode of ['stop', 'status', 'reap']) {
    expect(read({ mode, 'ec2-ami': '', 'ec2-instance-types': '' }).regions).toHaveLength(2);
    expect(read({ mode, 'ec2-mode': 'existing' }).existing.instanceId).toBe('');
  }
});

describe('refused, with the input, the value and what is allowed', () => {
  test.each([
    [{ 'ec2-regions': 'frankfurt' }, 'Input ec2-regions is “frankfurt”, allowed is regions such as'],
    [{ 'ec2-regions': '' }, 'Input ec2-regions is missing'],
    [{ 'ec2-mode': 'new' }, 'Input ec2-mode is “new”, allowed is ephemeral or existing'],
    [{ 'ec2-market': 'cheap' }, 'Input ec2-market is “cheap”'],
    [{ 'ec2-ami': 'ubuntu' }, 'Input ec2-ami is “ubuntu”, allowed is AMIs'],
    [{ 'ec2-ami': 'ami-0a, ami-0b' }, 'Input ec2-ami is “ami-0b”, allowed is one AMI for each region'],
    [{ 'ec2-ami': 'ami-0a' }, 'Input ec2-ami names none for eu-west-1'],
    [{ 'ec2-ami': 'us-east-1:ami-0a' }, 'only what is in ec2-regions (eu-central-1, eu-west-1)'],
    [{ 'ec2-instance-types': 'big' }, 'Input ec2-instance-types is “big”'],
    [{ 'ec2-instance-types': '' }, 'Input gpu is missing: which GPU, such as L4; or name types in ec2-instance-types'],
    [
      { gpu: 'L5', 'ec2-instance-types': '' },
      'Input gpu is “L5”, allowed is any or T4 (16 GB) or L4 (24 GB) or A10G (24 GB)',
    ],
    [{ gpu: 'L4, at least 48 GB', 'ec2-instance-types': '' }, 'Input gpu is “L4, at least 48 GB”'],
    [{ 'ec2-subnets': 'vpc-1' }, 'Input ec2-subnets is “vpc-1”, allowed is subnets (subnet-…) or zones'],
    [{ 'ec2-subnets': 'us-east-1a' }, 'Input ec2-subnets is “us-east-1a”, allowed is only what is in ec2-regions'],
    [{ 'ec2-security-groups': 'sg-1' }, 'Input ec2-security-groups names none for eu-west-1'],
    [{ 'ec2-security-groups': 'open' }, 'Input ec2-security-groups is “open”'],
    [{ 'ec2-launch-template': 'lt-0a' }, 'with several regions a name'],
    [{ 'ec2-launch-template': 'a b' }, 'Input ec2-launch-template is “a b”'],
    [{ 'ec2-launch-template': 'gpu', 'ec2-ami': '', 'ec2-disk-gb': '100' }, 'Input ec2-disk-gb needs ec2-ami'],
    [{ 'ec2-disk-gb': '0' }, 'Input ec2-disk-gb is “0”, allowed is a whole number from 1 to 65536'],
    [{ 'ec2-tags': 'diatom:name=x' }, 'Input ec2-tags is “diatom:name=x”'],
    [{ 'ec2-tags': 'x' }, 'Input ec2-tags is “x”, allowed is one name=value a line'],
    [{ 'ec2-instance-profile': 'a;b' }, 'Input ec2-instance-profile is “a;b”'],
    [{ 'ec2-mode': 'existing' }, 'Input ec2-instance-id is missing'],
    [{ 'ec2-mode': 'existing', 'ec2-instance-id': 'gpu' }, 'Input ec2-instance-id is “gpu”'],
    [{ 'ec2-scheduler-role': 'stops' }, 'Input ec2-scheduler-role is “stops”, allowed is the ARN of a role'],
  ])('%j', async (inputs, message) => {
    const failure = await failureOf(() => read(inputs));
    expect(failure.code).toBe('INPUT');
    expect(failure.message).toContain(message);
  });
});
