import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { requireCommand } from './commands.ts';
import { startServer } from './loopback-server.ts';

/** What somebody asked the cloud. */
export interface OpenStackRequest {
  readonly method: string;
  /** With its query, as the catalogue of services begins it: `/compute/v2.1/servers/detail?name=…`. */
  readonly path: string;
  readonly body: unknown;
}

export interface OpenStackServer {
  readonly id: string;
  readonly name: string;
  readonly flavor: string;
  readonly zone: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly userData: string;
  /** What Nova was asked for, as it was. */
  readonly asked: Readonly<Record<string, unknown>>;
  status: 'BUILD' | 'ACTIVE' | 'SHUTOFF' | 'ERROR';
  /** It is being deleted, which takes a look or two. */
  isDeleting: boolean;
  looks: number;
}

export interface OpenStackCloud {
  /** Inputs of the driver. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly requests: readonly OpenStackRequest[];
  /** Those that are not gone. */
  readonly servers: Map<string, OpenStackServer>;
  /** Flavors, or `flavor in zone`, that no host has room for. */
  readonly full: Set<string>;
  /** Refuses what the rule says, until the next `reset`: with a status and a message, or by breaking the connection. */
  refuse(
    rule: (request: OpenStackRequest) => { readonly status: number; readonly message: string } | 'cut' | undefined,
  ): void;
  /** Is called when a server was made, or deleted, before the answer to that. */
  onServer(watch: (server: OpenStackServer, what: 'made' | 'deleted') => Promise<void> | void): void;
  reset(): void;
  close(): Promise<void>;
}

type Rule = Parameters<OpenStackCloud['refuse']>[0];
type Watch = Parameters<OpenStackCloud['onServer']>[0];

const [REGION, PROJECT] = ['Lab', 'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0'];
const DELETE_RULE = { service: 'compute', method: 'DELETE', path: '/**/servers/*' };
/** The two application credentials, and what their access rules allow; `undefined` for everything. */
const CREDENTIALS = [
  { id: 'c0ffee00c0ffee00c0ffee00c0ffee00', secret: 'all-the-secret', rules: undefined },
  { id: 'dead0000dead0000dead0000dead0000', secret: 'delete-only-secret', rules: [DELETE_RULE] },
] as const;
const FLAVORS = ['gpu.a100', 'gpu.t4'];
const IMAGE = { status: 'active', id: '11111111-1111-4111-8111-111111111111', name: 'Ubuntu 22.04 GPU' };
const NETWORK = { id: '22222222-2222-4222-8222-222222222222', name: 'lab-net' };
const GROUP = { id: '33333333-3333-4333-8333-333333333333', name: 'closed' };

const signIn = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.tuple([z.literal('application_credential')]),
      application_credential: z.object({ id: z.string(), secret: z.string() }),
    }),
  }),
});
const creation = z.object({
  server: z.looseObject({
    name: z.string(),
    flavorRef: z.string(),
    user_data: z.base64().max(65_535),
    metadata: z.record(z.string().regex(/^[a-zA-Z0-9-_:. ]{1,255}$/), z.string().max(255)),
    availability_zone: z.string().optional(),
  }),
});

/**
 * A stand-in for a cloud of OpenStack, written by its API reference (Identity v3, Compute v2.1, Image v2, Network v2.0): no
 * code of OpenStack is in it, so it proves what the real `openstack` program asks and how we read its answers, and not how a
 * cloud behaves beyond that. Access rules are matched as keystonemiddleware does.
 */
export async function startOpenStack(): Promise<OpenStackCloud> {
  requireCommand('openstack', 'in a Python environment on the PATH “pip install python-openstackclient”');
  const requests: OpenStackRequest[] = [];
  const servers = new Map<string, OpenStackServer>();
  const full = new Set<string>();
  const tokens = new Map<string, (typeof CREDENTIALS)[number]>();
  let rules: Rule[] = [];
  let watches: Watch[] = [];

  const door = await startServer(async (request, response) => {
    const body = await bodyOf(request);
    const asked = { method: request.method ?? '', path: request.url ?? '', body };
    requests.push(asked);
    const refusal = rules.map((rule) => rule(asked)).find((answer) => answer !== undefined);
    if (refusal === 'cut') return void request.socket.destroy();
    if (refusal !== undefined) return fault(response, refusal.status, refusal.message);
    await answer(asked, request, response);
  });
  const { origin } = door;

  async function answer({ method, path, body }: OpenStackRequest, request: IncomingMessage, response: ServerResponse) {
    const url = new URL(path, origin);
    const [, service = '', ...rest] = url.pathname.replace(/\/$/, '').split('/');
    const isVersion = rest.length === 0 || (rest.length === 1 && service !== 'v3');
    if (method === 'GET' && (service === 'v3' ? rest.length === 0 : isVersion)) return versions(service, response);
    if (service === 'v3' && method === 'POST' && rest.join('/') === 'auth/tokens') return authenticate(body, response);
    const credential = tokens.get(String(request.headers['x-auth-token']));
    if (!credential) return fault(response, 401, 'The request you have made requires authentication.');
    const isAllowed = (rule: typeof DELETE_RULE) =>
      rule.service === service && rule.method === method && matches(url.pathname, rule.path);
    if (credential.rules && !credential.rules.some(isAllowed)) {
      return fault(response, 401, 'The request you have made requires authentication.');
    }
    const [, kind = '', id = ''] = rest;
    const where = `${service} ${kind}`;
    if (where === 'compute flavors')
      return found(
        response,
        'flavor',
        FLAVORS.map((name) => ({ id: name, name, ram: 1, vcpus: 1, disk: 1 })),
        id,
        url,
      );
    if (where === 'image images') return found(response, 'image', [IMAGE], id, url);
    if (where === 'network networks') return found(response, 'network', [NETWORK], id, url);
    if (where === 'network security-groups') return found(response, 'security_group', [GROUP], id, url);
    if (where === 'compute servers') return compute(method, id, rest[3] ?? '', url, body, response);
    fault(response, 404, `The stand-in has no ${method} ${path}`);
  }

  function versions(service: string, response: ServerResponse): void {
    const id = { v3: 'v3.14', compute: 'v2.1', image: 'v2.9', network: 'v2.0' }[service];
    if (id === undefined) return void fault(response, 404, 'There is no such service.');
    const [major = ''] = id.split('.');
    const path = service === 'v3' ? '/v3/' : `/${service}/${service === 'image' ? major : id}/`;
    const micro = service === 'compute' ? { version: '2.96', min_version: '2.1' } : {};
    const version = { id, status: 'CURRENT', links: [{ rel: 'self', href: `${origin}${path}` }], ...micro };
    reply(response, 200, { version, versions: [version] });
  }

  function authenticate(body: unknown, response: ServerResponse): void {
    const given = signIn.safeParse(body).data?.auth.identity.application_credential;
    const credential = CREDENTIALS.find(({ id, secret }) => id === given?.id && secret === given.secret);
    if (!credential) return void fault(response, 401, 'The request you have made requires authentication.');
    const token = randomUUID().replaceAll('-', '');
    tokens.set(token, credential);
    const catalog = (
      [
        ['identity', 'keystone', '/v3'],
        ['compute', 'nova', '/compute/v2.1'],
        ['image', 'glance', '/image'],
        ['network', 'neutron', '/network'],
      ] as const
    ).map(([type, name, path]) => ({
      ...{ type, name, id: randomUUID() },
      endpoints: [
        { id: randomUUID(), interface: 'public', region: REGION, region_id: REGION, url: `${origin}${path}` },
      ],
    }));
    const now = Date.now();
    response.setHeader('X-Subject-Token', token);
    reply(response, 201, {
      token: {
        methods: ['application_credential'],
        user: { id: 'u', name: 'lab', domain: { id: 'default', name: 'Default' } },
        project: { id: PROJECT, name: 'diatoms', domain: { id: 'default', name: 'Default' } },
        roles: [{ id: 'm', name: 'member' }],
        audit_ids: [randomUUID()],
        issued_at: new Date(now).toISOString(),
        expires_at: new Date(now + 3_600_000).toISOString(),
        application_credential: { id: credential.id, restricted: true, access_rules: credential.rules },
        catalog,
      },
    });
  }

  async function compute(
    method: string,
    id: string,
    action: string,
    url: URL,
    body: unknown,
    response: ServerResponse,
  ): Promise<void> {
    if (method === 'POST' && id === '') return create(body, response);
    if (method === 'GET' && (id === '' || id === 'detail')) {
      for (const server of servers.values()) look(server);
      const name = new RegExp(url.searchParams.get('name') ?? '');
      const all = [...servers.values()].filter((server) => name.test(server.name));
      return reply(response, 200, {
        servers: all.map((server) => (id === '' ? { id: server.id, name: server.name } : shown(server))),
      });
    }
    const server = servers.get(id);
    if (!server) return fault(response, 404, `Instance ${id} could not be found.`);
    if (method === 'GET') {
      look(server);
      return reply(response, 200, { server: shown(server) });
    }
    if (method === 'DELETE') {
      for (const watch of watches) await watch(server, 'deleted');
      server.isDeleting = true;
      server.looks = 0;
      return void response.writeHead(204).end();
    }
    if (action === 'action') return reply(response, 200, { output: `login: of ${server.name}\n` });
    fault(response, 404, 'There is no such action.');
  }

  async function create(body: unknown, response: ServerResponse): Promise<void> {
    const { success, data, error } = creation.safeParse(body);
    if (!success) return fault(response, 400, `Invalid input: ${error.message}`);
    const { name, flavorRef, user_data, metadata, availability_zone: zone } = data.server;
    const server: OpenStackServer = {
      ...{ id: randomUUID(), name, flavor: flavorRef, zone, metadata, asked: data.server },
      ...{ userData: Buffer.from(user_data, 'base64').toString(), status: 'BUILD', isDeleting: false, looks: 0 },
    };
    servers.set(server.id, server);
    if (!isFull(server)) for (const watch of watches) await watch(server, 'made');
    reply(response, 202, {
      server: { id: server.id, links: [], adminPass: 'never-shown', security_groups: [{ name: 'default' }] },
    });
  }

  const isFull = ({ flavor, zone }: OpenStackServer) => full.has(flavor) || full.has(`${flavor} in ${zone}`);

  /** Time goes on from look to look. */
  function look(server: OpenStackServer): void {
    server.looks++;
    if (server.isDeleting && server.looks > 1) servers.delete(server.id);
    if (server.status === 'BUILD' && server.looks > 1) server.status = isFull(server) ? 'ERROR' : 'ACTIVE';
  }

  function shown({ id, name, status, flavor, zone, metadata, isDeleting }: OpenStackServer) {
    return {
      ...{
        id,
        name,
        status,
        metadata,
        tenant_id: PROJECT,
        user_id: 'u',
        links: [],
        addresses: {},
        image: { id: IMAGE.id },
      },
      flavor: { id: flavor, links: [] },
      created: new Date().toISOString(),
      updated: new Date().toISOString(),
      'OS-EXT-AZ:availability_zone': zone ?? 'nova',
      'OS-EXT-STS:task_state': isDeleting ? 'deleting' : status === 'BUILD' ? 'spawning' : null,
      'OS-EXT-STS:vm_state': status.toLowerCase(),
      'OS-EXT-STS:power_state': status === 'ACTIVE' ? 1 : 0,
      'os-extended-volumes:volumes_attached': [],
      ...(status === 'ERROR'
        ? {
            fault: {
              code: 500,
              created: new Date().toISOString(),
              message: 'No valid host was found. There are not enough hosts available.',
            },
          }
        : {}),
    };
  }

  const [all, deletion] = CREDENTIALS;
  return {
    inputs: {
      driver: 'openstack',
      'openstack-auth-url': `${origin}/v3`,
      'openstack-credential-id': all.id,
      'openstack-credential-secret': all.secret,
      'openstack-delete-id': deletion.id,
      'openstack-delete-secret': deletion.secret,
      'openstack-image': IMAGE.name,
      'openstack-flavors': 'gpu.a100, gpu.t4',
      'openstack-network': NETWORK.name,
      'openstack-security-groups': GROUP.name,
    },
    requests,
    servers,
    full,
    refuse: (rule) => void rules.push(rule),
    onServer: (watch) => void watches.push(watch),
    reset: () => {
      [rules, watches] = [[], []];
      for (const known of [servers, full]) known.clear();
    },
    close: door.close,
  };
}

/** By its id in the path, or by its name in the query; as a list without either. */
function found(
  response: ServerResponse,
  kind: string,
  all: readonly { readonly id: string; readonly name: string }[],
  id: string,
  url: URL,
): void {
  if (id !== '' && id !== 'detail') {
    const one = all.find((known) => known.id === id);
    if (!one) return void fault(response, 404, `${kind} ${id} could not be found.`);
    return void reply(response, 200, kind === 'image' ? one : { [kind]: one });
  }
  const name = url.searchParams.get('name');
  const wanted = url.searchParams.get('id');
  reply(response, 200, {
    [`${kind}s`]: all.filter((one) => (name === null || one.name === name) && (wanted === null || one.id === wanted)),
  });
}

/** `*` is a part of a path, `**` any number of them (keystonemiddleware, `_path_matches`). */
function matches(path: string, pattern: string): boolean {
  const text = pattern.replaceAll(/\*\*|\*/g, (stars) => (stars === '*' ? '[^/]+' : '.*'));
  return new RegExp(`^${text}$`).test(path);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  return text === '' ? undefined : JSON.parse(text);
}

function reply(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}

function fault(response: ServerResponse, status: number, message: string): void {
  reply(response, status, { error: { code: status, message, title: 'Refused' } });
}
