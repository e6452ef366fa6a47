import * as z from 'zod/mini';
import { type CloudServer, timeOf } from './cloud-servers.ts';
import { CloudError } from './cloud-tool.ts';
import type { ServerState } from './driver.ts';
import type { Gcloud } from './gce-cli.ts';

/** What Compute Engine calls a state (“Instance life cycle”), where it does not cost as one that runs: a disk does. */
const STATES: Readonly<Record<string, ServerState>> = {
  PENDING: 'waiting',
  PROVISIONING: 'waiting',
  STAGING: 'waiting',
  PENDING_STOP: 'stopping',
  STOPPING: 'stopping',
  DEPROVISIONING: 'stopping',
};

const LISTED = z.array(
  z.object({
    name: z.string(),
    zone: z.string(),
    status: z.string(),
    creationTimestamp: z.nullish(z.string()),
    description: z.nullish(z.string()),
  }),
);

/** What an instance is described by, for whoever finds it: labels take neither a slash nor a capital letter. */
const DESCRIPTION = z.object({ repository: z.string(), deadline: z.string() });

/** What `findInstances` reads there. */
export function description(owner: z.infer<typeof DESCRIPTION>): string {
  return JSON.stringify(owner);
}

export interface GceServer extends CloudServer {
  readonly zone: string;
  readonly repository: string | undefined;
}

/** What can be seen; and what Google says about places that can’t. */
export interface Search {
  readonly servers: readonly GceServer[];
  readonly failure: CloudError | undefined;
}

/**
 * Every instance of ours, in whatever zone. Where Google can’t see into all zones, those that the settings name decide:
 * each is then asked for by itself.
 */
export async function findInstances(gcloud: Gcloud, zones: readonly string[]): Promise<Search> {
  const all = await list(gcloud, []);
  if (all.failure === undefined) return all;
  const asked = await Promise.allSettled(zones.map((zone) => list(gcloud, ['--zones', zone])));
  const found = new Map(all.servers.map((server) => [server.id, server]));
  const failures: CloudError[] = [];
  for (const result of asked) {
    if (result.status === 'fulfilled') {
      for (const server of result.value.servers) found.set(server.id, server);
      if (result.value.failure) failures.push(result.value.failure);
    } else if (result.reason instanceof CloudError) failures.push(result.reason);
    else throw result.reason;
  }
  const failure = zones.length === 0 ? all.failure : failures[0];
  return { servers: [...found.values()], failure };
}

/** Without a filter of its own, which would warn of an empty list as well. */
async function list(gcloud: Gcloud, scope: readonly string[]): Promise<Search> {
  const format = `json(${Object.keys(LISTED.def.element.shape).join(',')})`;
  const { answer, warnings } = await gcloud('instances list', [...scope, '--format', format]);
  const servers = LISTED.parse(JSON.parse(answer))
    .filter(({ name }) => name.startsWith('diatom-'))
    .map(({ name, zone: address, status, creationTimestamp, description }) => {
      const zone = address.replace(/.*\//, '');
      const described = describedBy(description ?? '');
      return {
        ...{ id: `${name} in ${zone}`, name, zone, state: STATES[status] ?? 'running' },
        detail: `${name} in ${zone} is ${status}`,
        since: timeOf(creationTimestamp ?? ''),
        isOff: status === 'TERMINATED',
        deadline: timeOf(described?.deadline),
        repository: described?.repository,
      };
    });
  // For `gcloud` no failure: what it was refused, or a zone that does not answer, leaves its list shorter, even empty.
  const [, missing] = /Some requests did not succeed[.:]?([\s\S]*)/.exec(warnings) ?? [];
  return { servers, failure: missing === undefined ? undefined : gcloud.refusal('instances list', missing) };
}

function describedBy(text: string): z.infer<typeof DESCRIPTION> | undefined {
  try {
    return DESCRIPTION.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
