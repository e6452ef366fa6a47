import * as z from 'zod/mini';
import { DiatomError, messageOf } from '../errors.ts';
import type { Driver, ListedServer, ServerState, ServerStatus } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Aws, AwsError, openAws } from './ec2-aws.ts';
import { startEphemeral } from './ec2-ephemeral.ts';
import { releaseClaim, startExisting } from './ec2-existing.ts';
import type { Ec2Settings } from './ec2-inputs.ts';
import {
  deadlineOf,
  describe,
  findInstances,
  type Instance,
  isClaimed,
  isEphemeral,
  stateOf,
  TAGS,
} from './ec2-instances.ts';

/**
 * GPU servers that are EC2 instances, through the `aws` program.
 *
 * A stop, a status and a list find instances by their tags in all regions of the settings, and need nothing else. What a
 * tag says of an instance, `ephemeral` or not, decides whether a stop terminates or stops it.
 */
export function openEc2(settings: Ec2Settings, context: DriverContext): Driver {
  const aws = openAws(context);
  const { regions, mode, existing } = settings;
  return {
    description:
      mode === 'existing' && existing.instanceId !== ''
        ? `the EC2 instance ${existing.instanceId} in ${existing.region}`
        : `an EC2 instance in ${regions.join(' or ')}`,
    makesRunner: mode === 'ephemeral',
    isForOne: mode === 'ephemeral',
    deadMansSwitch: deadMansSwitch(settings),
    start: (request) => {
      const tools = { aws, context };
      return mode === 'ephemeral' ? startEphemeral(settings, request, tools) : startExisting(existing, request, tools);
    },
    status: (name) => status(name, regions, aws),
    stop: (name) => stop(name, regions, aws),
    list: () => list(regions, aws, context),
  };
}

function deadMansSwitch({ mode, existing }: Ec2Settings): string | undefined {
  if (mode === 'ephemeral') {
    return 'the instance shuts itself down, which terminates it (counted from its boot, in its user data)';
  }
  return existing.schedulerRole === '' ? undefined : 'EventBridge Scheduler stops the instance';
}

interface Search {
  readonly instances: readonly Instance[];
  /** The regions that can't be asked: nobody knows what is there. */
  readonly failures: readonly AwsError[];
}

async function search(regions: readonly string[], aws: Aws, tag: string, value: string): Promise<Search> {
  return inEveryRegion(regions, (region) => findInstances(aws, region, { tag, value }));
}

/** A region that fails does not keep the others from being dealt with. */
async function inEveryRegion(
  regions: readonly string[],
  act: (region: string) => Promise<readonly Instance[]>,
): Promise<Search> {
  const results = await Promise.allSettled(regions.map(act));
  const instances: Instance[] = [];
  const failures: AwsError[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') instances.push(...result.value);
    else if (result.reason instanceof AwsError) failures.push(result.reason);
    else throw result.reason;
  }
  return { instances, failures };
}

/** The most alive one counts, should there be several. */
const BY_LIVELINESS: readonly ServerState[] = ['running', 'waiting', 'unknown', 'stopping', 'gone'];

async function status(name: string, regions: readonly string[], aws: Aws): Promise<ServerStatus> {
  const { instances, failures } = await search(regions, aws, TAGS.NAME, name);
  const states = instances.map(stateOf);
  if (failures.length > 0) states.push('unknown');
  const state = BY_LIVELINESS.find((candidate) => states.includes(candidate)) ?? 'gone';
  const instance = instances.find((candidate) => stateOf(candidate) === state) ?? instances[0];
  return {
    state,
    detail: [...instances.map(describe), ...failures.map(messageOf)].join('; '),
    lastLines: () => (instance === undefined ? Promise.resolve('') : consoleTail(instance, aws)),
    runningSince: instance === undefined || state === 'gone' ? undefined : instance.launched,
  };
}

/** How many lines of a console help somebody who reads a failed run. */
const CONSOLE_LINES = 40;

/** The newest output where the hardware gives it at any time (Nitro), otherwise what EC2 has kept of it. */
async function consoleTail({ id, region }: Instance, aws: Aws): Promise<string> {
  const get = async (args: readonly string[]) => {
    const answer = await aws('ec2 get-console-output', region, ['--instance-id', id, ...args]);
    return z.object({ Output: z.optional(z.string()) }).parse(answer).Output ?? '';
  };
  try {
    const output = (await get(['--latest']).catch(() => '')) || (await get([]));
    return output.replaceAll('\r', '').trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n');
  } catch (error) {
    if (error instanceof AwsError) return messageOf(error);
    throw error;
  }
}

async function stop(name: string, regions: readonly string[], aws: Aws): Promise<void> {
  const { failures } = await inEveryRegion(regions, async (region) => {
    const instances = await findInstances(aws, region, { tag: TAGS.NAME, value: name });
    for (const instance of instances) await end(instance, aws);
    await cancelSpotRequests(name, region, aws);
    return instances;
  });
  if (failures.length === 0) return;
  throw new DiatomError(
    'SERVER',
    `${name} may still run: ${failures.map(messageOf).join(' ')} By hand: AWS console, EC2, Instances, search for “tag:${TAGS.NAME} = ${name}”, Instance state, Terminate.`,
    { cause: failures[0] },
  );
}

async function end(instance: Instance, aws: Aws): Promise<void> {
  const { id, region, ec2State } = instance;
  if (isEphemeral(instance)) {
    if (ec2State === 'terminated' || ec2State === 'shutting-down') return;
    await aws('ec2 terminate-instances', region, ['--instance-ids', id]);
    return;
  }
  if (!isClaimed(instance)) return;
  if (ec2State === 'running' || ec2State === 'pending') {
    await aws('ec2 stop-instances', region, ['--instance-ids', id]);
  }
  await releaseClaim(aws, instance);
}

async function cancelSpotRequests(name: string, region: string, aws: Aws): Promise<void> {
  const answer = await aws('ec2 describe-spot-instance-requests', region, [
    '--filters',
    JSON.stringify([
      { Name: `tag:${TAGS.NAME}`, Values: [name] },
      { Name: 'state', Values: ['open', 'active'] },
    ]),
    '--query',
    'SpotInstanceRequests[].SpotInstanceRequestId',
  ]);
  const ids = z.array(z.string()).parse(answer);
  if (ids.length > 0) await aws('ec2 cancel-spot-instance-requests', region, ['--spot-instance-request-ids', ...ids]);
}

async function list(
  regions: readonly string[],
  aws: Aws,
  { repository, onWarning }: DriverContext,
): Promise<readonly ListedServer[]> {
  const { instances, failures } = await search(regions, aws, TAGS.REPOSITORY, repository);
  const [failure] = failures;
  if (failure !== undefined && failures.length === regions.length) throw failure;
  for (const { message } of failures) onWarning(`Nobody can say what runs there. ${message}`);
  return instances
    .filter((instance) => isClaimed(instance) && stateOf(instance) !== 'gone')
    .map((instance) => ({
      name: instance.tags.get(TAGS.NAME) ?? '',
      state: stateOf(instance),
      detail: describe(instance),
      deadline: deadlineOf(instance),
    }));
}
