import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { firstToBeHad } from './choices.ts';
import { type CloudServer, statusOf, timeOf } from './cloud-servers.ts';
import { CloudError } from './cloud-tool.ts';
import type { Driver, ServerState, StartRequest } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { shellQuote } from './host.ts';
import { type OpenStack, openOpenStack } from './openstack-cli.ts';
import type { Credential, OpenStackSettings } from './openstack-inputs.ts';
import { inSecretFile } from './secret-file.ts';
import { REMOVE_MINUTES, userData } from './user-data.ts';

/** What stands on every server that is made here, beside its name (Nova’s metadata). */
const PROPERTIES = { REPOSITORY: 'diatom:repository', DEADLINE: 'diatom:deadline', SINCE: 'diatom:since' } as const;

/** Nova’s limit is 65,535 letters of base64 (compute API, `user_data`). */
const MAX_USER_DATA = 49_149;

/** How often a server that is being built is looked at, and how long: then it is taken as one that takes its time. */
const BUILD_POLL_MS = 3_000;
const BUILD_MS = 10 * 60_000;

/** How many lines of a console help somebody who reads a failed run. */
const CONSOLE_LINES = 40;

/** What Nova says when there is no room for a server, or the project may have no more: elsewhere there may be some. */
const NO_ROOM = /no valid host|not enough hosts|exhausted all hosts|quota/i;

/** What Nova calls a server’s state (compute API, “Server status”), where it is not as good as running. */
const STATES: Readonly<Record<string, ServerState>> = {
  BUILD: 'waiting',
  DELETED: 'gone',
  SOFT_DELETED: 'gone',
  UNKNOWN: 'unknown',
};

const LISTED = z.array(
  z.object({
    ID: z.string(),
    Name: z.string(),
    Status: z.string(),
    'Task State': z.nullish(z.string()),
    Properties: z.nullish(z.record(z.string(), z.string())),
  }),
);

const MADE = z.object({
  id: z.string(),
  status: z.string(),
  fault: z.nullish(z.object({ message: z.optional(z.string()) })),
});

/** What is asked of OpenStack, and where a server comes from. */
interface Tools {
  readonly openstack: OpenStack;
  readonly settings: OpenStackSettings;
  readonly context: DriverContext;
}

/**
 * GPU servers of an OpenStack cloud, made for one run each and deleted: one that is only off keeps its GPU. A server
 * carries the name, and its properties say whose it is, so that a stop and a list need nothing else.
 */
export function openOpenstack(settings: OpenStackSettings, context: DriverContext): Driver {
  const openstack = openOpenStack(settings, context);
  const tools = { openstack, settings, context };
  const named = async (name: string) => (await find(openstack, name)).filter((server) => server.name === name);
  return {
    description: `an OpenStack server at ${settings.authUrl}${settings.region === '' ? '' : `, in ${settings.region}`}`,
    makesRunner: true,
    isForOne: true,
    deadMansSwitch: settings.deletion && 'the server deletes itself (counted from its boot, in its user data)',
    byHand: 'open the cloud’s dashboard, project, Compute, Instances, and delete the one with this name',
    whereToLook: 'openstack-auth-url, openstack-region, and the project of openstack-credential-id',
    start: (request) => start(request, tools),
    status: async (name) =>
      statusOf(await named(name), ({ id }) =>
        openstack('console log show', ['--lines', String(CONSOLE_LINES), id]).then((text) => text.trim()),
      ),
    async stop(name) {
      const there = (await named(name)).filter(({ state }) => state !== 'gone');
      await Promise.all(there.map(({ id }) => remove(openstack, id)));
    },
    list: async () =>
      (await find(openstack, 'diatom-')).filter(
        ({ repository, state }) => repository === context.repository && state !== 'gone',
      ),
    close: async () => {},
  };
}

/** The servers whose name begins so. Names have no letter that Nova would take for more than itself. */
async function find(openstack: OpenStack, beginning: string) {
  const columns = ['ID', 'Name', 'Status', 'Task State', 'Properties'].flatMap((column) => ['--column', column]);
  const options = ['--long', '--no-name-lookup', '--name', `^${beginning}`, '--format', 'json', ...columns];
  const answer = LISTED.parse(JSON.parse(await openstack('server list', options)));
  return answer.map((server): CloudServer & { readonly repository: string | undefined } => {
    const { ID: id, Name: name, Status: word, Properties: properties, 'Task State': task } = server;
    return {
      ...{ id, name },
      state: task === 'deleting' ? 'stopping' : (STATES[word] ?? 'running'),
      detail: `${id} is ${task === 'deleting' ? 'being deleted' : word}`,
      since: timeOf(properties?.[PROPERTIES.SINCE]),
      isOff: word === 'SHUTOFF',
      deadline: timeOf(properties?.[PROPERTIES.DEADLINE]),
      repository: properties?.[PROPERTIES.REPOSITORY],
    };
  });
}

function isGone(error: unknown): boolean {
  return error instanceof CloudError && /no server (found|with)|could not be found/i.test(error.said);
}

/** One that is gone meanwhile is fine. */
async function remove(openstack: OpenStack, id: string): Promise<void> {
  try {
    await openstack('server delete', [id], { finish: true });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Nothing is made when there is one under this name; GitHub, which gives a name to one runner, keeps two from it at once. */
async function start({ name, repository, maxMinutes, runner }: StartRequest, tools: Tools): Promise<void> {
  const { openstack, settings, context } = tools;
  if (runner === undefined) throw new Error('A server that is made for a run has to be told which runner to start.');
  if ((await find(openstack, name)).some((server) => server.name === name && server.state !== 'gone')) return;
  const cloud = { name: 'OpenStack', maxBytes: MAX_USER_DATA, remove: await removal(tools) };
  const text = userData(runner, maxMinutes, cloud);
  const properties = {
    [PROPERTIES.REPOSITORY]: repository,
    [PROPERTIES.DEADLINE]: new Date(Date.now() + maxMinutes * 60_000).toISOString(),
    [PROPERTIES.SINCE]: new Date().toISOString(),
  };
  const zones = settings.zones.length === 0 ? [undefined] : settings.zones;
  const choices = settings.flavors.flatMap((flavor) => zones.map((zone) => ({ flavor, zone })));
  await inSecretFile(context.temporary, text, (file) =>
    firstToBeHad(choices, context.signal, {
      async make({ flavor, zone }) {
        const args = [
          ...['--flavor', flavor, '--image', settings.image, '--user-data', file],
          ...Object.entries(properties).flatMap(([key, value]) => ['--property', `${key}=${value}`]),
          ...(zone === undefined ? [] : ['--availability-zone', zone]),
          ...(settings.network === '' ? [] : ['--network', settings.network]),
          ...settings.securityGroups.flatMap((group) => ['--security-group', group]),
          ...(settings.keyName === '' ? [] : ['--key-name', settings.keyName]),
          ...(settings.diskGb === undefined
            ? []
            : ['--boot-from-volume', String(settings.diskGb), '--delete-on-termination']),
        ];
        const secrets = [runner.jitConfig, text, settings.deletion?.secret ?? ''];
        const made = await openstack('server create', [...args, '--format', 'json', name], { secrets, finish: true });
        await whenBuilt(MADE.parse(JSON.parse(made)).id, tools);
      },
      refusalOf: (error) =>
        error instanceof CloudError ? NO_ROOM.exec(error.said)?.[0].replace('quota', 'quota used up') : undefined,
      wording: ({ flavor, zone }) => `${flavor}${zone === undefined ? '' : ` in ${zone}`}`,
      none: (refusals) =>
        `OpenStack has no server to give:\n${refusals}\nTry again later, or allow more in openstack-flavors and openstack-zones. A used-up quota is a limit of your project, which the cloud’s support may raise.`,
    }),
  );
}

/**
 * Nova takes a request before it has looked for room. A server that it finds none for is deleted, so that the next may be
 * tried. One look that fails says nothing, but that a server is gone again ends the start.
 */
async function whenBuilt(id: string, { openstack, context }: Tools): Promise<void> {
  const until = Date.now() + BUILD_MS;
  while (Date.now() < until) {
    throwIfCancelled(context.signal);
    const shown = await openstack('server show', ['--format', 'json', id]).catch((error: unknown) => {
      if (!(error instanceof CloudError) || isGone(error)) throw error;
      return undefined;
    });
    const { status, fault } = shown === undefined ? UNSEEN : MADE.parse(JSON.parse(shown));
    if (status === 'ERROR') {
      await remove(openstack, id);
      const why = fault?.message ?? 'it does not say why';
      throw new CloudError(`OpenStack could not build the server ${id}: ${why}`, why);
    }
    if (status !== 'BUILD') return;
    await sleep(BUILD_POLL_MS, undefined, { signal: context.signal }).catch(() => throwIfCancelled(context.signal));
  }
}

const UNSEEN: Pick<z.infer<typeof MADE>, 'status' | 'fault'> = { status: 'BUILD', fault: undefined };

const CATALOG = z.object({
  endpoints: z.array(z.object({ interface: z.string(), region: z.string(), url: z.string() })),
});

/** What a server runs to delete itself. Its own id is in its cloud-init, its token is made when it is needed. */
async function removal({ openstack, settings }: Tools): Promise<string> {
  const { authUrl, region, deletion } = settings;
  if (deletion === undefined) return '';
  const { endpoints } = CATALOG.parse(JSON.parse(await openstack('catalog show', ['--format', 'json', 'compute'])));
  const compute = endpoints.find((one) => one.interface === 'public' && (region === '' || one.region === region));
  if (compute !== undefined) return removeText(authUrl, compute.url.replace(/\/+$/, ''), deletion);
  throw new DiatomError('SERVER', `The catalogue of OpenStack at ${authUrl} has no public “compute” in this region.`);
}

/** `sh` text: what is secret goes through pipes. It tries again and again, as OpenStack may be down for a while. */
function removeText(authUrl: string, compute: string, { id, secret }: Credential): string {
  const identity = { methods: ['application_credential'], application_credential: { id, secret } };
  return `end=$(($(date +%s) + ${REMOVE_MINUTES * 60}))
while [ "$(date +%s)" -lt "$end" ]; do
  token=$(printf %s ${shellQuote(JSON.stringify({ auth: { identity } }))} |
    curl -sS -m 30 -o /dev/null -D - -H 'Content-Type: application/json' -d @- ${shellQuote(`${authUrl}/auth/tokens`)} |
    tr -d '\\r' | sed -n 's/^[Xx]-[Ss]ubject-[Tt]oken: *//p')
  printf 'header = "X-Auth-Token: %s"\\n' "$token" |
    curl -fsS -m 30 -K - -X DELETE ${shellQuote(compute)}"/servers/$(cat /var/lib/cloud/data/instance-id)" && break
  sleep 20
done
`;
}
