import * as z from 'zod/mini';
import { timeOf } from './cloud-servers.ts';
import type { ServerState } from './driver.ts';
import type { Aws } from './ec2-aws.ts';

/**
 * What stands on everything that belongs to a run. `REPOSITORY` is what makes an instance ours at the moment; `MODE`
 * says whether its end is to be terminated or to be stopped, so that no instance of somebody's is ever terminated.
 */
export const TAGS = {
  NAME: 'diatom:name',
  REPOSITORY: 'diatom:repository',
  DEADLINE: 'diatom:deadline',
  MODE: 'diatom:mode',
  /** In USD an hour, as AWS said at its start. */
  PRICE: 'diatom:price',
} as const;

/** An instance as EC2 describes it, as far as it matters here. */
export interface Instance {
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly isSpot: boolean;
  /** EC2's word: pending, running, shutting-down, terminated, stopping, stopped. */
  readonly ec2State: string;
  /** Why it is in that state, as EC2 says; `''` when it doesn't. */
  readonly reason: string;
  /** When it was started last. */
  readonly launched: Date;
  readonly tags: ReadonlyMap<string, string>;
}

/** What the CLI picks out of a description, which has thousands of letters for each instance. */
const QUERY = `Reservations[].Instances[].{${[
  'id: InstanceId',
  'type: InstanceType',
  'lifecycle: InstanceLifecycle',
  'launched: LaunchTime',
  'zone: Placement.AvailabilityZone',
  'state: State.Name',
  'reason: StateReason.Message',
  'tags: Tags',
].join(', ')}}`;

const ANSWER = z.array(
  z.object({
    id: z.string(),
    type: z.string(),
    lifecycle: z.nullable(z.string()),
    launched: z.iso.datetime({ offset: true }),
    zone: z.string(),
    state: z.string(),
    reason: z.nullable(z.string()),
    tags: z.nullable(z.array(z.object({ Key: z.string(), Value: z.string() }))),
  }),
);

/** The instances of one region that one tag, or one id, selects; also those that have ended within the last hour or so. */
export async function findInstances(
  aws: Aws,
  region: string,
  by: { readonly tag: string; readonly value: string } | { readonly id: string },
): Promise<readonly Instance[]> {
  const selection =
    'id' in by
      ? ['--instance-ids', by.id]
      : ['--filters', JSON.stringify([{ Name: `tag:${by.tag}`, Values: [literally(by.value)] }])];
  const answer = ANSWER.parse(await aws('ec2 describe-instances', region, [...selection, '--query', QUERY]));
  return answer.map(({ id, type, lifecycle, launched, zone, state, reason, tags }) => ({
    id,
    region,
    zone,
    type,
    isSpot: lifecycle === 'spot',
    ec2State: state,
    reason: reason ?? '',
    launched: new Date(launched),
    tags: new Map((tags ?? []).map(({ Key, Value }) => [Key, Value])),
  }));
}

/** One that was made for a run, and that EC2 does not find at the moment. */
export function unlisted(id: string, region: string, name: string): Instance {
  return {
    ...{
      id,
      region,
      zone: region,
      type: 'new',
      isSpot: false,
      ec2State: 'not listed',
      reason: '',
      launched: new Date(),
    },
    tags: new Map([
      [TAGS.NAME, name],
      [TAGS.MODE, 'ephemeral'],
    ]),
  };
}

/** Filters know wildcards (EC2 user guide, “List and filter your resources”). */
function literally(value: string): string {
  return value.replaceAll(/[\\*?]/g, '\\$&');
}

/** Whether it was made for one run, and ends by being terminated. */
export function isEphemeral({ tags }: Instance): boolean {
  return tags.get(TAGS.MODE) === 'ephemeral';
}

export function priceOf({ tags }: Instance): number | undefined {
  return Number(tags.get(TAGS.PRICE)) || undefined;
}

export function deadlineOf({ tags }: Instance): Date | undefined {
  return timeOf(tags.get(TAGS.DEADLINE));
}

/**
 * Whether a run's mark on it still counts: not when somebody has started it by hand after that run's time was up, or
 * when its stop has taken the mark away.
 */
export function isClaimed(instance: Instance): boolean {
  if (!instance.tags.has(TAGS.NAME) || !instance.tags.has(TAGS.REPOSITORY)) return false;
  const deadline = deadlineOf(instance);
  return isEphemeral(instance) || deadline === undefined || instance.launched < deadline;
}

/** EC2 charges from pending to the end of running (EC2 user guide, “Instance lifecycle”). */
export function stateOf(instance: Instance): ServerState {
  switch (instance.ec2State) {
    case 'pending':
      return 'waiting';
    case 'running':
      return 'running';
    case 'shutting-down':
    case 'stopping':
      return 'stopping';
    case 'terminated':
      return 'gone';
    case 'stopped':
      // One that is made for a run should not be there any more: its disk costs money.
      return isEphemeral(instance) ? 'running' : 'gone';
    default:
      return 'unknown';
  }
}

export function describe({ id, type, zone, isSpot, ec2State, reason }: Instance): string {
  return `${id} (${type}${isSpot ? ', spot' : ''}) in ${zone} is ${ec2State}${reason === '' ? '' : `: ${reason}${NO_KEY.test(reason) ? ABOUT_KEY : ''}`}`;
}

/**
 * What EC2 says about an instance that ended at once because its disk could not be decrypted (EC2 user guide, “Instance
 * terminates immediately”). The launch itself was accepted.
 */
const NO_KEY = /^Client\.(InvalidKMSKey|InternalError)/i;

const ABOUT_KEY =
  '. Most likely its disk is encrypted with a key (AWS KMS) that is switched off, or that the role of this run may not use: give the role the permissions under “An encrypted disk” in docs/gpu-server-ec2.md, and let the key’s own policy allow it, too';
