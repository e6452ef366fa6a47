import { createVerify, generateKeyPairSync, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { requireCommand } from './commands.ts';
import { bootMachine, type Machine } from './ec2-machine.ts';
import { startServer } from './loopback-server.ts';

/** What somebody asked the cloud. */
export interface GceRequest {
  readonly method: string;
  /** Below `projects/<project>`, without its query: `/zones/europe-west4-a/instances`. */
  readonly path: string;
  readonly body: unknown;
}

export interface GceInstance {
  readonly name: string;
  readonly zone: string;
  readonly market: 'SPOT' | 'STANDARD';
  /** With `+` and the accelerator, if it has one. */
  readonly machineType: string;
  readonly description: string;
  readonly script: string;
  /** What Compute Engine was asked for, as it was. */
  readonly asked: Creation;
  status: 'PROVISIONING' | 'RUNNING' | 'STOPPING' | 'TERMINATED';
}

type Creation = z.infer<typeof creation>;
type Rule = (request: GceRequest) => { readonly status: number; readonly message: string } | 'cut' | undefined;
type Watch = (instance: GceInstance, what: 'made' | 'deleted') => Promise<void> | void;

export interface GceCloud {
  /** Inputs of the driver. */
  readonly inputs: Readonly<Record<string, string>>;
  /** What leads `gcloud` here. */
  readonly env: Readonly<Record<string, string>>;
  readonly requests: GceRequest[];
  /** Those that are not gone. */
  readonly instances: Map<string, GceInstance>;
  /** Machine types, `type in zone`, or `SPOT`, that there is no room for. */
  readonly full: Set<string>;
  /** Zones that lists can’t see into. */
  readonly unreachable: Set<string>;
  /** Refuses what the rule says, until the next `reset`: with a status and a message, or by breaking the connection. */
  refuse(rule: Rule): void;
  /** A token of the account that makes and deletes servers, for who signs in elsewhere. */
  makeToken(): string;
  /** Is called when an instance was made, or deleted, before the answer to that. */
  onInstance(watch: Watch): void;
  /** A machine for each instance that is made, until it is deleted. One that switches itself off stays, as `TERMINATED`. */
  bootInstances(): void;
  reset(): Promise<void>;
  close(): Promise<void>;
}

const [PROJECT, NUMBER] = ['lab-diatoms', '123456789012'];
const ACCOUNT = `gpu@${PROJECT}.iam.gserviceaccount.com`;
const DELETE_ACCOUNT = `delete@${PROJECT}.iam.gserviceaccount.com`;
export const ZONES = ['europe-west4-a', 'europe-west4-b', 'us-central1-a'] as const;
const MACHINE_TYPES = ['g2-standard-4', 'n1-standard-4'];
const ACCELERATORS = ['nvidia-tesla-t4'];

const creation = z.looseObject({
  name: z.string().regex(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/),
  machineType: z.string(),
  description: z.string().max(2048),
  guestAccelerators: z.array(z.object({ acceleratorType: z.string(), acceleratorCount: z.literal(1) })).optional(),
  metadata: z.object({ items: z.array(z.object({ key: z.string(), value: z.string().max(262_144) })) }),
  scheduling: z.looseObject({
    provisioningModel: z.enum(['SPOT', 'STANDARD']),
    instanceTerminationAction: z.literal('DELETE'),
    maxRunDuration: z.object({
      seconds: z.coerce
        .number()
        .min(30)
        .max(120 * 86_400),
    }),
    // With a GPU, it can’t be moved to another host.
    onHostMaintenance: z.literal('TERMINATE'),
  }),
  // Without one it is “pd-standard”, which G2 and A3 machines do not take.
  disks: z.tuple([
    z.looseObject({ initializeParams: z.looseObject({ diskType: z.string().regex(/\/pd-balanced$/) }) }),
  ]),
  serviceAccounts: z.array(z.object({ email: z.string(), scopes: z.array(z.string()) })).optional(),
});

/** What goes on in a zone: at its end, an instance is there, gone, or refused. */
interface Operation {
  readonly name: string;
  readonly type: 'insert' | 'delete';
  readonly instance: GceInstance;
  looks: number;
  isDone: boolean;
  errors: readonly { readonly code: string; readonly message: string }[];
}

/**
 * A stand-in for Google Compute Engine, written by the reference of its API (v1: instances, zones, zoneOperations) and of its
 * metadata server: no code of Google’s is in it, so it proves what the real `gcloud` asks and how we read its answers, and not
 * how a cloud behaves beyond that.
 */
export async function startGce(): Promise<GceCloud> {
  requireCommand('gcloud', 'the Google Cloud CLI, from https://cloud.google.com/sdk/docs/install');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const requests: GceRequest[] = [];
  const instances = new Map<string, GceInstance>();
  const operations = new Map<string, Operation>();
  const [full, unreachable] = [new Set<string>(), new Set<string>()];
  const tokens = new Map<string, string>();
  const timers = new Set<NodeJS.Timeout>();
  const machines = new Map<string, Machine>();
  let [rules, watches]: [Rule[], Watch[]] = [[], []];

  const door = await startServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    const { pathname } = new URL(request.url ?? '', 'http://cloud');
    if (pathname === '/token') return void signIn(new URLSearchParams(text).get('assertion') ?? '', response);
    const [, name = '', key = ''] = /^\/of\/([^/]+)\/computeMetadata\/v1\/instance\/(.+)$/.exec(pathname) ?? [];
    if (name !== '') return void metadata(name, key, request.headers['metadata-flavor'] === 'Google', response);
    const [, project = '', path = ''] = /^\/compute\/v1\/projects\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
    const asked = { method: request.method ?? '', path, body: text === '' ? undefined : JSON.parse(text) };
    requests.push(asked);
    const refusal = rules.map((rule) => rule(asked)).find((answer) => answer !== undefined);
    if (refusal === 'cut') return void request.socket.destroy();
    if (refusal !== undefined) return fault(response, refusal.status, refusal.message);
    const account = tokens.get((request.headers.authorization ?? '').replace('Bearer ', ''));
    if (account === undefined) return fault(response, 401, 'Request had invalid authentication credentials.');
    const mayOnlyDelete = account === DELETE_ACCOUNT && asked.method !== 'DELETE';
    if (mayOnlyDelete || ![PROJECT, NUMBER].includes(project)) {
      return fault(response, 403, `Required 'compute.instances.list' permission for 'projects/${project}'`);
    }
    await answer(asked, response);
  });
  const { origin } = door;
  const base = `${origin}/compute/v1/projects/${PROJECT}`;

  function signIn(assertion: string, response: ServerResponse): void {
    const [head = '', claims = '', signature = ''] = assertion.split('.');
    const isOurs = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url');
    if (!isOurs)
      return void reply(response, 400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
    giveToken(ACCOUNT, response);
  }

  function giveToken(account: string, response: ServerResponse): void {
    reply(response, 200, { access_token: newToken(account), expires_in: 3_600, token_type: 'Bearer' });
  }

  function newToken(account: string): string {
    const token = `ya29.${randomUUID()}`;
    tokens.set(token, account);
    return token;
  }

  /** What an instance is told about itself. */
  function metadata(name: string, key: string, isAsked: boolean, response: ServerResponse): void {
    const instance = instances.get(name);
    if (!instance || !isAsked) return void fault(response, 403, 'Missing Metadata-Flavor:Google header.');
    const account = instance.asked.serviceAccounts?.[0]?.email;
    if (key === 'service-accounts/default/token' && account !== undefined) return void giveToken(account, response);
    const text = { name, zone: `projects/${NUMBER}/zones/${instance.zone}` }[key];
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/text' }).end(text);
  }

  async function answer({ method, path, body }: GceRequest, response: ServerResponse): Promise<void> {
    if (method === 'GET' && path === '/aggregated/instances') return aggregated(response);
    const [, , zone = '', kind = '', name = '', action = ''] = path.split('/');
    if (!path.startsWith('/zones/') || !ZONES.some((known) => known === zone))
      return notFound(response, `zones/${zone}`);
    if (kind === '')
      return reply(response, 200, { kind: 'compute#zone', name: zone, status: 'UP', selfLink: `${base}${path}` });
    if (kind === 'operations') {
      const operation = operations.get(name);
      if (!operation) return notFound(response, path.slice(1));
      await look(operation, action === 'wait');
      return reply(response, 200, shownOperation(operation));
    }
    if (kind !== 'instances') return notFound(response, path.slice(1));
    if (method === 'GET' && name === '') {
      if (unreachable.has(zone)) return fault(response, 503, 'Backend Error');
      const items = [...instances.values()].filter((instance) => instance.zone === zone).map(shown);
      return reply(response, 200, { kind: 'compute#instanceList', items });
    }
    if (method === 'POST' && name === '') return create(zone, body, response);
    const instance = instances.get(name);
    if (instance?.zone !== zone) return notFound(response, path.slice(1));
    if (method === 'DELETE') return begin('delete', instance, response);
    if (action === 'serialPort')
      return reply(response, 200, { contents: `login: of ${name}\n`, start: '0', next: '9' });
    notFound(response, path.slice(1));
  }

  function aggregated(response: ServerResponse): void {
    const items = ZONES.map((zone) => {
      const there = [...instances.values()].filter((instance) => instance.zone === zone).map(shown);
      const warning = unreachable.has(zone)
        ? { code: 'UNREACHABLE', message: `The scope 'zones/${zone}' is unreachable.` }
        : { code: 'NO_RESULTS_ON_PAGE', message: `There are no results for scope 'zones/${zone}' on this page.` };
      return [`zones/${zone}`, there.length === 0 || unreachable.has(zone) ? { warning } : { instances: there }];
    });
    reply(response, 200, { kind: 'compute#instanceAggregatedList', items: Object.fromEntries(items) });
  }

  async function create(zone: string, body: unknown, response: ServerResponse): Promise<void> {
    const { success, data, error } = creation.safeParse(body);
    if (!success) return fault(response, 400, `Invalid value for field: ${error.message}`);
    for (const [field, address, known] of [
      ['machineType', data.machineType, MACHINE_TYPES],
      ['guestAccelerators[0].acceleratorType', data.guestAccelerators?.[0]?.acceleratorType, ACCELERATORS],
    ] as const) {
      if (address === undefined || known.includes(last(address))) continue;
      const message = `Invalid value for field 'resource.${field}': '${address}'. The referenced resource does not exist.`;
      return fault(response, 400, message);
    }
    const { name, description, metadata, scheduling } = data;
    if (instances.has(name)) {
      return fault(response, 409, `The resource 'projects/${PROJECT}/zones/${zone}/instances/${name}' already exists`);
    }
    const accelerator = data.guestAccelerators?.[0]?.acceleratorType;
    const instance: GceInstance = {
      ...{ name, zone, description, asked: data, market: scheduling.provisioningModel, status: 'PROVISIONING' },
      machineType: last(data.machineType) + (accelerator === undefined ? '' : `+${last(accelerator)}`),
      script: metadata.items.find(({ key }) => key === 'startup-script')?.value ?? '',
    };
    const { machineType, market } = instance;
    if (![machineType, `${machineType} in ${zone}`, market].some((what) => full.has(what))) {
      instances.set(name, instance);
      for (const watch of watches) await watch(instance, 'made');
    }
    await begin('insert', instance, response);
  }

  async function begin(type: Operation['type'], instance: GceInstance, response: ServerResponse): Promise<void> {
    if (type === 'delete') instance.status = 'STOPPING';
    const name = `operation-${randomUUID()}`;
    const operation: Operation = { name, type, instance, looks: 0, isDone: false, errors: [] };
    operations.set(name, operation);
    // Whether anybody looks or not.
    if (type === 'delete') timers.add(setTimeout(() => void look(operation, true), 2_000).unref());
    reply(response, 200, shownOperation(operation));
  }

  /** Time goes on from look to look. */
  async function look(operation: Operation, isPatient: boolean): Promise<void> {
    operation.looks++;
    if (operation.isDone || (operation.looks < 2 && !isPatient)) return;
    operation.isDone = true;
    const { instance, type } = operation;
    if (type === 'delete') return end(instance);
    if (!instances.has(instance.name)) {
      const message = `The zone 'projects/${PROJECT}/zones/${instance.zone}' does not have enough resources available to fulfill the request.`;
      operation.errors = [{ code: 'ZONE_RESOURCE_POOL_EXHAUSTED', message }];
      return;
    }
    if (instance.status !== 'PROVISIONING') return;
    instance.status = 'RUNNING';
    // What is off by then is not deleted: its time of termination is gone.
    const timer = setTimeout(
      () => void (instance.status === 'RUNNING' && instances.get(instance.name) === instance && end(instance)),
      instance.asked.scheduling.maxRunDuration.seconds * 1_000,
    );
    timers.add(timer.unref());
  }

  async function end(instance: GceInstance): Promise<void> {
    instances.delete(instance.name);
    for (const watch of watches) await watch(instance, 'deleted');
  }

  function shown({ name, zone, status, description, machineType, asked }: GceInstance) {
    return {
      ...{ kind: 'compute#instance', id: '1', name, status, description, creationTimestamp: new Date().toISOString() },
      ...{ zone: `${base}/zones/${zone}`, machineType: `${base}/zones/${zone}/machineTypes/${machineType}` },
      ...{ selfLink: `${base}/zones/${zone}/instances/${name}`, metadata: asked.metadata },
    };
  }

  function shownOperation({ name, type, instance, isDone, errors }: Operation) {
    const zone = `${base}/zones/${instance.zone}`;
    return {
      ...{ kind: 'compute#operation', id: '2', name, zone, operationType: type, status: isDone ? 'DONE' : 'RUNNING' },
      ...{ selfLink: `${zone}/operations/${name}`, targetLink: `${zone}/instances/${instance.name}` },
      ...(errors.length === 0 ? {} : { error: { errors }, httpErrorStatusCode: 503 }),
    };
  }

  async function reset(): Promise<void> {
    for (const timer of timers) clearTimeout(timer);
    for (const machine of machines.values()) await machine.destroy();
    [rules, watches] = [[], []];
    for (const known of [instances, full, unreachable, timers, machines]) known.clear();
  }

  const key = {
    ...{ type: 'service_account', project_id: PROJECT, private_key_id: 'k1', client_id: '1', client_email: ACCOUNT },
    ...{ private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }), token_uri: `${origin}/token` },
  };
  return {
    inputs: {
      driver: 'gce',
      'gce-project': PROJECT,
      'gce-key': JSON.stringify(key),
      'gce-zones': ZONES.slice(0, 2).join(', '),
      'gce-machine-types': 'g2-standard-4, n1-standard-4+nvidia-tesla-t4',
      'gce-image': 'family/diatoms-gpu',
      'gce-delete-account': DELETE_ACCOUNT,
    },
    env: {
      CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${origin}/compute/v1/`,
      CLOUDSDK_AUTH_TOKEN_HOST: `${origin}/token`,
    },
    ...{ requests, instances, full, unreachable, reset },
    makeToken: () => newToken(ACCOUNT),
    refuse: (rule) => void rules.push(rule),
    onInstance: (watch) => void watches.push(watch),
    bootInstances() {
      watches.push(async (instance, what) => {
        const { name, script } = instance;
        if (what === 'deleted') return machines.get(name)?.destroy();
        // Google’s own addresses are not reached from here.
        const text = script
          .replaceAll('http://metadata.google.internal', `${origin}/of/${name}`)
          .replaceAll('https://compute.googleapis.com', origin);
        const onPowerOff = async () => {
          if (instance.status === 'RUNNING') instance.status = 'TERMINATED';
        };
        machines.set(name, bootMachine(text, { onPowerOff }));
      });
    },
    close: async () => {
      await reset();
      await door.close();
    },
  };
}

const last = (address: string) => address.replace(/.*\//, '');

function notFound(response: ServerResponse, what: string): void {
  fault(response, 404, `The resource 'projects/${PROJECT}/${what}' was not found`, 'notFound');
}

function reply(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}

function fault(response: ServerResponse, status: number, message: string, reason = 'badRequest'): void {
  reply(response, status, { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } });
}
