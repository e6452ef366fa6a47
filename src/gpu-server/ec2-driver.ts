import * as z from 'zod/mini';
import { DiatomError, messageOf } from '../errors.ts';
import { mostAlive } from './cloud-servers.ts';
import type { Driver, ListedServer, ServerStatus } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Aws, AwsError, openAws } from './ec2-aws.ts';
import { choices, type PricedChoice, startEphemeral, wording } from './ec2-ephemeral.ts';
import { isScheduled, releaseClaim, startExisting } from './ec2-existing.ts';
import type { Ec2Settings } from './ec2-inputs.ts';
import {
  deadlineOf,
  describe,
  findInstances,
  type Instance,
  isClaimed,
  isEphemeral,
  priceOf,
  stateOf,
  TAGS,
  unlisted,
} from './ec2-instances.ts';
import { pricesOf } from './ec2-prices.ts';

/**
 * GPU servers that are EC2 instances, through the `aws` program.
 *
 * A stop, a status and a list find instances by their tags in all regions of the settings, and need nothing else. What a
 * tag says about an instance, `ephemeral` or not, decides whether a stop terminates or stops it.
 */
export function openEc2(settings: Ec2Settings, context: DriverContext): Driver {
  const aws = openAws(context);
  const known: Known = new Map();
  const { regions, mode, existing } = settings;
  let allowed: readonly PricedChoice[] = choices(settings);
  return {
    description:
      mode === 'existing' && existing.instanceId !== ''
        ? `the EC2 instance ${existing.instanceId} in ${existing.region}`
        : `an EC2 instance in ${regions.join(' or ')}`,
    makesRunner: mode === 'ephemeral',
    isForOne: mode === 'ephemeral',
    deadMansSwitch: deadMansSwitch(settings),
    byHand: 'open the EC2 console, and terminate (or stop) the instance with this name in each of the regions',
    whereToLook:
      'ec2-regions, and the AWS account that the job signs in to (role-to-assume of aws-actions/configure-aws-credentials)',
    async prices() {
      if (mode === 'existing') return [];
      const prices = await pricesOf(allowed, aws);
      allowed = allowed.map((choice, index) => ({ ...choice, perHour: prices[index] }));
      return allowed.map((choice) => ({ what: wording(choice), perHour: choice.perHour }));
    },
    async start(request) {
      const tools = { aws, context };
      if (mode === 'existing') return startExisting(existing, request, tools);
      const { mostPerHour } = request;
      const affordable = allowed.filter(
        ({ perHour = Number.POSITIVE_INFINITY }) => mostPerHour === undefined || perHour <= mostPerHour,
      );
      const made = await startEphemeral(settings, affordable, request, tools);
      if (made) known.set(made.id, { ...made, name: request.name, since: Date.now() });
    },
    status: (name) => status(name, regions, aws, known),
    stop: (name) => stop(name, regions, aws, known),
    list: () => list(regions, aws, context),
    close: async () => {},
  };
}

function deadMansSwitch({ mode, existing }: Ec2Settings): string | undefined {
  if (mode === 'ephemeral') {
    return 'the instance shuts itself down, which terminates it (counted from its boot, in its user data)';
  }
  return existing.schedulerRole === '' ? undefined : 'EventBridge Scheduler stops the instance';
}

/** Instances that this process has made or seen, by id: EC2 may not list them for a while (“eventual consistency”). */
type Known = Map<
  string,
  { readonly id: string; readonly region: string; readonly name: string; readonly since: number }
>;

/** For how long an id that EC2 does not find is believed anyway, in milliseconds. */
const UNLISTED_MS = 5 * 60_000;

interface Search {
  readonly instances: readonly Instance[];
  /** The regions that can't be asked: nobody knows what is there. */
  readonly failures: readonly AwsError[];
}

async function search(regions: readonly string[], aws: Aws, tag: string, value: string): Promise<Search> {
  return inEveryRegion(regions, (region) => findInstances(aws, region, { tag, value }));
}

/** The instances of a name in one region: by the tag, and by id those that were there already. */
async function named(name: string, region: string, aws: Aws, known: Known): Promise<readonly Instance[]> {
  const instances = [...(await findInstances(aws, region, { tag: TAGS.NAME, value: name }))];
  for (const { id } of instances) if (!known.has(id)) known.set(id, { id, region, name, since: Date.now() });
  for (const { id, since, ...at } of known.values()) {
    if (at.name !== name || at.region !== region || instances.some((instance) => instance.id === id)) continue;
    instances.push(...(await byId(id, region, aws, Date.now() < since + UNLISTED_MS ? name : undefined)));
  }
  return instances;
}

/** @param believed whose it is, as long as it is believed to be there although EC2 does not find it */
async function byId(id: string, region: string, aws: Aws, believed: string | undefined): Promise<readonly Instance[]> {
  try {
    return await findInstances(aws, region, { id });
  } catch (error) {
    if (!(error instanceof AwsError && error.awsCode === 'InvalidInstanceID.NotFound')) throw error;
    return believed === undefined ? [] : [unlisted(id, region, believed)];
  }
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

async function status(name: string, regions: readonly string[], aws: Aws, known: Known): Promise<ServerStatus> {
  const { instances, failures } = await inEveryRegion(regions, (region) => named(name, region, aws, known));
  const states = instances.map(stateOf);
  if (failures.length > 0) states.push('unknown');
  const state = mostAlive(states);
  const instance = instances.find((candidate) => stateOf(candidate) === state) ?? instances[0];
  return {
    state,
    detail: [...instances.map(describe), ...failures.map(messageOf)].join('; '),
    lastLines: () => (instance === undefined ? Promise.resolve('') : consoleTail(instance, aws)),
    // Of one that has ended EC2 does not say when: a moment ago, if it is still listed and was made for this run.
    runningSince:
      instance === undefined || (state === 'gone' && !isEphemeral(instance)) ? undefined : instance.launched,
    pricePerHour: instance && priceOf(instance),
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

async function stop(name: string, regions: readonly string[], aws: Aws, known: Known): Promise<void> {
  const { failures } = await inEveryRegion(regions, async (region) => {
    const instances = await named(name, region, aws, known);
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
    .filter((instance) => isClaimed(instance) && (stateOf(instance) !== 'gone' || isScheduled(instance)))
    .map((instance) => ({
      name: instance.tags.get(TAGS.NAME) ?? '',
      state: stateOf(instance),
      detail: describe(instance),
      deadline: deadlineOf(instance),
    }));
}
