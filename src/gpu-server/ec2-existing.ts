import { setTimeout as sleep } from 'node:timers/promises';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { isOfSameAttempt, runOf } from '../model/server-name.ts';
import { ServerTaken, type StartRequest } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Aws, AwsError } from './ec2-aws.ts';
import type { ExistingSettings } from './ec2-inputs.ts';
import { describe, findInstances, type Instance, isClaimed, TAGS } from './ec2-instances.ts';

/** An instance needs up to some minutes to stop; with a stop that hangs, EC2 forces it after about ten. */
const STOP_LIMIT_MS = 15 * 60_000;
const POLL_MS = 5_000;

/** The mode of an instance which EventBridge Scheduler stops at its deadline. */
const SCHEDULED = 'existing, scheduled';

export function isScheduled({ tags }: Instance): boolean {
  return tags.get(TAGS.MODE) === SCHEDULED;
}

/**
 * Starts an instance that has a runner of its own, and marks it as this run's. EC2 has no lock: two starts within one
 * second can take it both, of which all but the last to write its mark find out, and say so.
 *
 * @throws ServerTaken when it runs for another run, or another training of this one
 * @throws DiatomError `SERVER` when it can't be started; `CANCELLED`
 */
export async function startExisting(
  { region, instanceId, schedulerRole }: ExistingSettings,
  { name, repository, maxMinutes }: StartRequest,
  { aws, context }: { readonly aws: Aws; readonly context: DriverContext },
): Promise<void> {
  const find = () => findOne(aws, region, instanceId);
  const before = await settled(find, context);
  if (isClaimed(before) && isInUse(before, name)) throw inUse(before);
  const deadline = new Date(Date.now() + maxMinutes * 60_000);
  // What ends it comes first, then the mark by which a stop finds it, then what costs money.
  if (schedulerRole !== '') await scheduleStop({ region, instanceId, schedulerRole, name, deadline }, aws);
  const tags = {
    [TAGS.NAME]: name,
    [TAGS.REPOSITORY]: repository,
    [TAGS.DEADLINE]: deadline.toISOString(),
    [TAGS.MODE]: schedulerRole === '' ? 'existing' : SCHEDULED,
  };
  await aws(
    'ec2 create-tags',
    region,
    ['--resources', instanceId, '--tags', JSON.stringify(Object.entries(tags).map(([Key, Value]) => ({ Key, Value })))],
    { finish: true },
  );
  // An earlier attempt's limit would end this one.
  const earlier = before.tags.get(TAGS.NAME);
  if (earlier !== undefined && earlier !== name && isScheduled(before)) {
    await cancelSchedule(aws, region, earlier);
  }
  if (before.ec2State === 'running' && before.tags.get(TAGS.NAME) !== name) {
    context.onWarning(`${describe(before)} already: this run uses it, and stops it at the end.`);
  }
  throwIfCancelled(context.signal);
  try {
    await aws('ec2 start-instances', region, ['--instance-ids', instanceId], { finish: true });
  } catch (error) {
    await releaseClaim(aws, { ...before, tags: new Map(Object.entries(tags)) });
    if (!(error instanceof AwsError && /^Insufficient|LimitExceeded$/.test(error.awsCode))) throw error;
    throw new DiatomError(
      'SERVER',
      `EC2 can’t start ${instanceId} in ${before.zone} at the moment (${error.awsCode}): another time it may have room there. With ec2-mode “ephemeral” several types and zones can be tried.`,
      { cause: error },
    );
  }
  throwIfCancelled(context.signal);
  const after = await find();
  if (after.tags.get(TAGS.NAME) === name) return;
  // It would stop the instance of the one that has it.
  if (schedulerRole !== '') await cancelSchedule(aws, region, name);
  throw inUse(after);
}

async function findOne(aws: Aws, region: string, id: string): Promise<Instance> {
  const [instance] = await findInstances(aws, region, { id });
  if (instance !== undefined && !['shutting-down', 'terminated'].includes(instance.ec2State)) return instance;
  throw new DiatomError('SERVER', `There is no instance ${id} in ${region} any more (input ec2-instance-id).`);
}

/** An instance on its way out can't be started before it is out. */
async function settled(find: () => Promise<Instance>, { signal }: DriverContext): Promise<Instance> {
  const end = Date.now() + STOP_LIMIT_MS;
  for (;;) {
    const instance = await find();
    if (instance.ec2State !== 'stopping') return instance;
    if (Date.now() > end) {
      throw new DiatomError('SERVER', `${describe(instance)} for more than 15 minutes: look at it in the AWS console.`);
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => throwIfCancelled(signal));
  }
}

/**
 * Whether another training has the instance. What an earlier attempt of the run has marked is nobody's; and what is off
 * belongs to another run no longer, but to a training of this attempt that is just starting it.
 */
function isInUse({ tags, ec2State }: Instance, name: string): boolean {
  const owner = tags.get(TAGS.NAME) ?? '';
  if (isOfSameAttempt(owner, name)) return true;
  const run = runOf(owner);
  return ec2State !== 'stopped' && (run === undefined || run.runId !== runOf(name)?.runId);
}

function inUse({ id, region, tags }: Instance): ServerTaken {
  return new ServerTaken(
    `${id} in ${region} runs for ${tags.get(TAGS.NAME)} of ${tags.get(TAGS.REPOSITORY)}: wait until that run is over, or put the runs that share the instance into one concurrency group (trainings of one run: “max-parallel: 1” of their matrix). If that run is over already, “mode: reap” in its repository stops the instance.`,
  );
}

/**
 * Takes the mark of a run off an instance that stays, so that nobody stops it who finds it running later. The name is
 * left: by it the end is confirmed.
 */
export async function releaseClaim(aws: Aws, instance: Instance): Promise<void> {
  const { id, region, tags } = instance;
  await aws('ec2 delete-tags', region, [
    '--resources',
    id,
    '--tags',
    JSON.stringify([{ Key: TAGS.REPOSITORY }, { Key: TAGS.DEADLINE }]),
  ]);
  const name = tags.get(TAGS.NAME);
  if (isScheduled(instance) && name !== undefined) await cancelSchedule(aws, region, name);
}

interface ScheduledStop {
  readonly region: string;
  readonly instanceId: string;
  readonly schedulerRole: string;
  readonly name: string;
  readonly deadline: Date;
}

/** EventBridge Scheduler stops the instance at the deadline, whatever has become of the run by then, and forgets it. */
async function scheduleStop(
  { region, instanceId, schedulerRole, name, deadline }: ScheduledStop,
  aws: Aws,
): Promise<void> {
  const [, partition = 'aws'] = schedulerRole.split(':');
  const target = {
    Arn: `arn:${partition}:scheduler:::aws-sdk:ec2:stopInstances`,
    RoleArn: schedulerRole,
    Input: JSON.stringify({ InstanceIds: [instanceId] }),
  };
  await cancelSchedule(aws, region, name);
  await aws(
    'scheduler create-schedule',
    region,
    [
      ...['--name', name, '--schedule-expression', `at(${deadline.toISOString().slice(0, 19)})`],
      ...['--flexible-time-window', 'Mode=OFF', '--action-after-completion', 'DELETE'],
      ...['--target', JSON.stringify(target)],
    ],
    { finish: true },
  );
}

async function cancelSchedule(aws: Aws, region: string, name: string): Promise<void> {
  try {
    await aws('scheduler delete-schedule', region, ['--name', name]);
  } catch (error) {
    if (!(error instanceof AwsError && error.awsCode === 'ResourceNotFoundException')) throw error;
  }
}
