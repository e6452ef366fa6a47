import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { requireCommand, run } from './commands.ts';
import { freePort, startDaemon } from './daemon.ts';
import { startServer } from './loopback-server.ts';

/** What somebody asked AWS. */
export interface AwsRequest {
  /** `ec2`, `ssm`, `scheduler` */
  readonly service: string;
  readonly region: string;
  /** As IAM names it, without the service: `RunInstances`. */
  readonly action: string;
  /** Of the EC2 query protocol, `InstanceMarketOptions.MarketType` for example; empty for the other services. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** How AWS refuses: with an error code, by breaking the connection, or by saying that there is no such instance. */
export type Refusal = { readonly code: string; readonly status?: number; readonly message?: string } | 'cut' | 'none';

export interface Moto {
  /** The environment in which the `aws` program speaks with it, and with nobody else. */
  readonly env: Readonly<Record<string, string>>;
  /** All requests since the start that came from the driver, in order. */
  readonly requests: readonly AwsRequest[];
  /** Refuses what the rule says, until the next `reset`. */
  refuse(rule: (request: AwsRequest) => Refusal | undefined): void;
  /**
   * Is called before a request is carried out, and after that, with what moto has said, before it is answered. Each time
   * the request waits for it.
   */
  onRequest(watch: (request: AwsRequest, when: 'before' | 'after', answer: string) => Promise<void> | void): void;
  /** Asks moto itself, past all rules, with the `aws` program, in one region. */
  ask(region: string, ...args: readonly string[]): Promise<unknown>;
  instances(...regions: readonly string[]): Promise<readonly MotoInstance[]>;
  /** An image that there is in every region. */
  readonly ami: string;
  /** Forgets all instances, rules and watches. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export type MotoInstance = z.infer<typeof INSTANCE> & {
  readonly region: string;
  tag(name: string): string | undefined;
};

const TAGS = z.array(z.object({ Key: z.string(), Value: z.string() })).default([]);
const INSTANCE = z.object({
  InstanceId: z.string(),
  ImageId: z.string(),
  InstanceType: z.string(),
  InstanceLifecycle: z.string().optional(),
  State: z.object({ Name: z.string() }),
  SubnetId: z.string().optional(),
  Placement: z.object({ AvailabilityZone: z.string() }),
  SecurityGroups: z.array(z.object({ GroupId: z.string() })).default([]),
  MetadataOptions: z.object({ HttpTokens: z.string(), HttpPutResponseHopLimit: z.number() }),
  BlockDeviceMappings: z
    .array(
      z.object({ DeviceName: z.string(), Ebs: z.object({ VolumeId: z.string(), DeleteOnTermination: z.boolean() }) }),
    )
    .default([]),
  Tags: TAGS,
});
const INSTANCES = z.object({ Reservations: z.array(z.object({ Instances: z.array(INSTANCE) })) });

const NO_INSTANCES =
  '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId><reservationSet/></DescribeInstancesResponse>';

const REGIONS = ['eu-central-1', 'eu-west-1'];

/**
 * Starts moto (PyPI `moto[server]`), which stands in for AWS, behind a door of our own that sees every request, and
 * can refuse it as AWS would. moto itself never runs out of GPUs.
 */
export async function startMoto(): Promise<Moto> {
  requireCommand('aws', 'in a Python environment on the PATH “pip install awscli”');
  requireCommand('moto_server', 'in a Python environment on the PATH “pip install moto[server]”', ['--help']);
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const daemon = await startDaemon('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    url: `${origin}/moto-api/`,
  });
  const requests: AwsRequest[] = [];
  let rules: Parameters<Moto['refuse']>[0][] = [];
  let watches: Parameters<Moto['onRequest']>[0][] = [];
  const door = await startServer(async (request, response) => {
    const body = await bodyOf(request);
    const asked = whatIsAsked(request, body);
    requests.push(asked);
    for (const watch of watches) await watch(asked, 'before', '');
    const refusal = rules.map((rule) => rule(asked)).find((answer) => answer !== undefined);
    if (refusal === 'cut') return void request.socket.destroy();
    if (refusal === 'none') return void response.writeHead(200, { 'content-type': 'text/xml' }).end(NO_INSTANCES);
    if (refusal !== undefined) return refuse(response, refusal);
    const answer = await forward(`${origin}${request.url}`, request, body);
    for (const watch of watches) await watch(asked, 'after', answer.body.toString());
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  const env = {
    AWS_ENDPOINT_URL: door.origin,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
    // Nothing of the person who runs the tests.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
  const ask: Moto['ask'] = async (region, ...args) => {
    const options = ['--region', region, '--output', 'json'];
    const printed = await run('aws', [...args, ...options], {
      env: { ...process.env, ...env, AWS_ENDPOINT_URL: origin, AWS_PAGER: '' },
    });
    return printed.trim() === '' ? undefined : JSON.parse(printed);
  };
  return {
    env,
    requests,
    refuse: (rule) => void rules.push(rule),
    onRequest: (watch) => void watches.push(watch),
    ask,
    instances: async (...regions) => {
      const all = (regions.length === 0 ? REGIONS : regions).map(async (region) =>
        INSTANCES.parse(await ask(region, 'ec2', 'describe-instances')).Reservations.flatMap(({ Instances }) =>
          Instances.map((instance) => ({
            ...instance,
            region,
            tag: (name: string) => instance.Tags.find(({ Key }) => Key === name)?.Value,
          })),
        ),
      );
      return (await Promise.all(all)).flat();
    },
    ami: 'ami-12c6146b',
    reset: async () => {
      [rules, watches] = [[], []];
      await fetch(`${origin}/moto-api/reset`, { method: 'POST' });
    },
    close: async () => {
      await door.close();
      await daemon.stop();
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Region and service stand in the signature (AWS Signature Version 4), the action where the service’s protocol has it. */
function whatIsAsked({ headers, method = '', url = '' }: IncomingMessage, body: Buffer): AwsRequest {
  const [, region = '', service = ''] =
    /Credential=[^/]+\/\d+\/([^/]+)\/([^/]+)\//.exec(headers.authorization ?? '') ?? [];
  const parameters = new Map(service === 'ec2' ? new URLSearchParams(body.toString()) : []);
  const target = String(headers['x-amz-target'] ?? '').split('.')[1];
  const rest = `${method === 'POST' ? 'Create' : method === 'DELETE' ? 'Delete' : method}${url.includes('schedules') ? 'Schedule' : url}`;
  return { service, region, action: parameters.get('Action') ?? target ?? rest, parameters };
}

async function forward(url: string, { method = 'GET', headers }: IncomingMessage, body: Buffer) {
  const passed = new Headers();
  for (const name of ['authorization', 'content-type', 'x-amz-target', 'x-amz-date', 'x-amz-security-token']) {
    const value = headers[name];
    if (typeof value === 'string') passed.set(name, value);
  }
  const answer = await fetch(url, {
    method,
    headers: passed,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  const type = answer.headers.get('content-type') ?? 'text/xml';
  return { status: answer.status, headers: { 'content-type': type }, body: Buffer.from(await answer.arrayBuffer()) };
}

/** An error of the EC2 query protocol (EC2 API reference, “Error codes”). */
function refuse(
  response: ServerResponse,
  { code, status = 400, message = 'Not this time.' }: Exclude<Refusal, 'cut' | 'none'>,
): void {
  response
    .writeHead(status, { 'content-type': 'text/xml' })
    .end(
      `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>1</RequestID></Response>`,
    );
}
