import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { throwIfCancelled } from '../errors.ts';
import { firstToBeHad } from './choices.ts';
import { statusOf } from './cloud-servers.ts';
import { CloudError } from './cloud-tool.ts';
import type { Driver, StartRequest } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Gcloud, openGcloud } from './gce-cli.ts';
import { type GceSettings, isGiven } from './gce-inputs.ts';
import { description, findInstances, type Search } from './gce-instances.ts';
import type { Market } from './market.ts';
import { inSecretFile } from './secret-file.ts';
import { REMOVE_MINUTES, userData } from './user-data.ts';

/** What one value of an instance’s metadata may have (Compute Engine, “Set custom metadata”, 256 KB). */
const MAX_METADATA = 262_144;

/** How long an instance runs at the least before Compute Engine ends it, in seconds (“Limit the run time of a VM”). */
const LEAST_SECONDS = 30;

/** How often an instance that is being made is looked at, and how long: then it is taken as one that takes its time. */
const POLL_MS = 3_000;
const MAKE_MS = 10 * 60_000;

/** How many lines of a console help somebody who reads a failed run. */
const CONSOLE_LINES = 40;

/**
 * What is said when a zone has no room for this machine or does not offer it, or the project may have no more: elsewhere
 * there may be some. Where `gcloud` knows a code, it comes after the sentence.
 */
const NOT_HERE =
  /does not have enough resources|resource_pool_exhausted\w*|quota '?[\w-]*'? ?exceeded|quota_?exceeded|(machine|accelerator)Types\/[\w-]+'?\.? *(The referenced resource )?(was not found|does not exist)|(machine|accelerator) type .{1,100}does not exist/i;

const OPERATION = z.object({
  name: z.string(),
  status: z.string(),
  error: z.nullish(z.object({ errors: z.array(z.object({ code: z.string(), message: z.nullish(z.string()) })) })),
});

interface Tools {
  readonly gcloud: Gcloud;
  readonly settings: GceSettings;
  readonly context: DriverContext;
}

/**
 * GPU servers of Google Compute Engine, made for one run each and deleted: one that is only off keeps its disk. A server
 * carries the name, and its description says whose it is, so that a stop and a list need nothing else.
 */
export function openGce(settings: GceSettings, context: DriverContext): Driver {
  const gcloud = openGcloud(settings, context);
  const tools = { gcloud, settings, context };
  const named = async (name: string): Promise<Search> => {
    const { servers, failure } = await findInstances(gcloud, settings.zones);
    return { servers: servers.filter((server) => server.name === name), failure };
  };
  return {
    description: `an instance of Compute Engine in the project ${settings.project}`,
    makesRunner: true,
    isForOne: true,
    deadMansSwitch: 'Compute Engine deletes the instance (--max-run-duration, counted from its boot)',
    byHand:
      'open the Google Cloud console, the project, Compute Engine, VM instances, and delete the one with this name',
    whereToLook: 'gce-project',
    start: (request) => start(request, tools),
    async status(name) {
      const { servers, failure } = await named(name);
      if (servers.length === 0 && failure !== undefined) throw failure;
      return statusOf(servers, async ({ zone }) => {
        const { answer } = await gcloud('instances get-serial-port-output', [name, '--zone', zone]);
        return answer.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_LINES).join('\n');
      });
    },
    async stop(name) {
      const { servers, failure } = await named(name);
      await Promise.all(servers.map(({ zone }) => remove(gcloud, name, zone)));
      if (failure !== undefined) throw failure;
    },
    async list() {
      const { servers, failure } = await findInstances(gcloud, settings.zones);
      if (servers.length === 0 && failure !== undefined) throw failure;
      if (failure !== undefined) context.onWarning(`Nobody can say what runs there. ${failure.message}`);
      return servers.filter(({ repository }) => repository === context.repository);
    },
    close: async () => {},
  };
}

/** One that is gone meanwhile is fine. */
async function remove(gcloud: Gcloud, name: string, zone: string): Promise<void> {
  try {
    await gcloud('instances delete', [name, '--zone', zone], { finish: true });
  } catch (error) {
    if (!(error instanceof CloudError && /instances\/[^']*' was not found/.test(error.said))) throw error;
  }
}

/** One way to get an instance. */
interface Choice {
  readonly market: Market;
  readonly machineType: string;
  readonly zone: string;
}

/** Nothing is made when there is one under this name; GitHub, which gives a name to one runner, keeps two from it at once. */
async function start(request: StartRequest, tools: Tools): Promise<void> {
  const { gcloud, settings, context } = tools;
  const { name, maxMinutes, runner } = request;
  if (runner === undefined) throw new Error('A server that is made for a run has to be told which runner to start.');
  const { servers, failure } = await findInstances(gcloud, settings.zones);
  if (failure !== undefined) throw failure;
  if (servers.some((server) => server.name === name)) return;
  const remove = settings.deleteAccount === '' ? '' : REMOVE_TEXT;
  const text = userData(runner, maxMinutes, { name: 'Compute Engine', maxBytes: MAX_METADATA, remove });
  const choices = settings.markets.flatMap((market) =>
    settings.machineTypes
      .filter((machineType) => isGiven(machineType, market))
      .flatMap((machineType) => settings.zones.map((zone): Choice => ({ market, machineType, zone }))),
  );
  await inSecretFile(context.temporary, text, (file) =>
    firstToBeHad(choices, context.signal, {
      make: (choice) => make(choice, file, request, [runner.jitConfig, text], tools),
      refusalOf: (error) =>
        error instanceof CloudError
          ? NOT_HERE.exec(error.said)?.[0].replace(/^(machine|accelerator).*/i, 'not offered there')
          : undefined,
      wording: ({ market, machineType, zone }) => `${machineType}, ${market}, in ${zone}`,
      none: (refusals) =>
        `Compute Engine has no server to give:\n${refusals}\nTry again later, or allow more in gce-machine-types (or gpu), gce-zones and gce-market. A quota is a limit of your project, which Google raises on request (console, IAM & Admin, Quotas: “GPUs (all regions)” and that of the GPU in the region).`,
    }),
  );
}

/** @param file with what the instance runs at each boot (“Use startup scripts on Linux VMs”), as root */
async function make(
  choice: Choice,
  file: string,
  request: StartRequest,
  secrets: readonly string[],
  { gcloud, settings, context }: Tools,
): Promise<void> {
  const args = [...createArguments(choice, request, settings), '--metadata-from-file', `startup-script=${file}`];
  try {
    const { answer } = await gcloud('instances create', [request.name, ...args], { secrets, finish: true });
    await whenMade(z.tuple([OPERATION]).parse(JSON.parse(answer))[0], request.name, choice, { gcloud, context });
  } catch (error) {
    // Of a repeated request the first has made it.
    if (!(error instanceof CloudError && /instances\/[^']*' already exists/.test(error.said))) throw error;
  }
}

/** Of a machine with a GPU only the end is an answer to maintenance; started again it would have nothing to do. */
function createArguments({ market, machineType, zone }: Choice, request: StartRequest, settings: GceSettings) {
  const [machine = '', accelerator] = machineType.split('+');
  const { repository, maxMinutes } = request;
  const deadline = new Date(Date.now() + maxMinutes * 60_000).toISOString();
  const seconds = Math.max(LEAST_SECONDS, Math.ceil(maxMinutes * 60));
  return [
    ...['--zone', zone, '--machine-type', machine, ...settings.image, '--async', '--format', 'json'],
    ...(accelerator === undefined ? [] : ['--accelerator', `type=${accelerator},count=1`]),
    ...['--provisioning-model', market === 'spot' ? 'SPOT' : 'STANDARD'],
    ...['--max-run-duration', `${seconds}s`, '--instance-termination-action', 'DELETE'],
    ...['--maintenance-policy', 'TERMINATE', '--no-restart-on-failure'],
    ...['--description', description({ repository, deadline })],
    ...(settings.deleteAccount === ''
      ? ['--no-service-account', '--no-scopes']
      : ['--service-account', settings.deleteAccount, '--scopes', 'https://www.googleapis.com/auth/compute']),
    // What it takes by itself, newer machine types do not have.
    ...['--boot-disk-type', 'pd-balanced'],
    ...(settings.diskGb === undefined ? [] : ['--boot-disk-size', `${settings.diskGb}GB`]),
    ...(settings.network === '' ? [] : ['--network', settings.network]),
    ...(settings.subnet === '' ? [] : ['--subnet', settings.subnet]),
    ...(settings.hasExternalIp ? [] : ['--no-address']),
  ];
}

/**
 * Compute Engine takes a request before it has looked for room. One look that fails says nothing.
 */
async function whenMade(
  made: z.infer<typeof OPERATION>,
  name: string,
  { zone }: Choice,
  { gcloud, context: { signal } }: Pick<Tools, 'gcloud' | 'context'>,
): Promise<void> {
  const until = Date.now() + MAKE_MS;
  let operation = made;
  while (operation.status !== 'DONE' && Date.now() < until) {
    await sleep(POLL_MS, undefined, { signal }).catch(() => throwIfCancelled(signal));
    const args = [made.name, '--zone', zone, '--format', 'json(name,status,error)'];
    operation = await gcloud('operations describe', args).then(
      ({ answer }) => OPERATION.parse(JSON.parse(answer)),
      (error: unknown) => {
        if (!(error instanceof CloudError)) throw error;
        return operation;
      },
    );
  }
  const errors = operation.error?.errors ?? [];
  if (errors.length === 0) return;
  const why = errors.map(({ code, message }) => `${message ?? ''} (${code})`.trim()).join(' ');
  throw gcloud.refusal(`instances create ${name} in ${zone}`, `ERROR: ${why}`);
}

/**
 * What a server runs to delete itself: `sh` text, in which what is secret goes through pipes. Its zone, its name and its token
 * come from its metadata. It tries again and again, as Google may be down for a while.
 */
const REMOVE_TEXT = `metadata() { curl -fsS -m 30 -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/instance/$1"; }
end=$(($(date +%s) + ${REMOVE_MINUTES * 60}))
while [ "$(date +%s)" -lt "$end" ]; do
  token=$(metadata service-accounts/default/token | sed -n 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p')
  printf 'header = "Authorization: Bearer %s"\\n' "$token" |
    curl -fsS -m 30 -o /dev/null -K - -X DELETE \\
      "https://compute.googleapis.com/compute/v1/$(metadata zone)/instances/$(metadata name)" && break
  sleep 20
done
`;
