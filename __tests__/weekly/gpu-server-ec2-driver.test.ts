import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Driver, ServerTaken, type StartRequest } from '../../src/gpu-server/driver.ts';
import { AWS_OPERATIONS } from '../../src/gpu-server/ec2-aws.ts';
import { openEc2 } from '../../src/gpu-server/ec2-driver.ts';
import { type Ec2Settings, ec2Inputs } from '../../src/gpu-server/ec2-inputs.ts';
import { run } from '../helpers/commands.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { type Moto, type MotoInstance, startMoto } from '../helpers/moto.ts';
import { setInputs, temporaryFolder } from '../helpers/runner.ts';

const [FIRST, SECOND] = ['eu-central-1', 'eu-west-1'];
const REGIONS = `${FIRST}, ${SECOND}`;
const NAME = 'diatom-900-1';
const REPOSITORY = 'example/diatoms';
const SECRET = 'anVzdC1pbi10aW1lLWNvbmZpZ3VyYXRpb24';

let moto: Moto;

beforeAll(async () => {
  moto = await startMoto();
});

afterEach(() => moto.reset());

afterAll(() => moto?.close());

describe('a server that is made for a run', () => {
  test('is asked for with its limit, its tags and its user data, and ends when it shuts down', async () => {
    const { driver, temporary } = open({ 'ec2-market': 'spot', 'ec2-disk-gb': '200', 'ec2-tags': 'cost-center=algae' });
    await driver.start(request({ maxMinutes: 90 }));
    const [instance, ...others] = await moto.instances();
    expect(others).toEqual([]);
    const id = instance?.InstanceId ?? '';
    expect(instance).toMatchObject({
      region: FIRST,
      ImageId: moto.ami,
      InstanceType: 'g6.xlarge',
      InstanceLifecycle: 'spot',
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    });
    expect(await attribute(id, 'instanceInitiatedShutdownBehavior')).toBe('terminate');
    expect((await userDataOf(id)).split('\n')[1]).toMatch(/^shutdown -P \+90 /);
    expect(await userDataOf(id)).toContain(SECRET);

    const deadline = new Date(instance?.tag('diatom:deadline') ?? '').getTime();
    expect(deadline).toBeGreaterThan(Date.now() + 85 * 60_000);
    expect(deadline).toBeLessThanOrEqual(Date.now() + 90 * 60_000);
    const tags = {
      Name: NAME,
      'cost-center': 'algae',
      'diatom:name': NAME,
      'diatom:repository': REPOSITORY,
      'diatom:deadline': new Date(deadline).toISOString(),
      'diatom:mode': 'ephemeral',
    };
    expect(Object.fromEntries(instance?.Tags.map(({ Key, Value }) => [Key, Value]) ?? [])).toEqual(tags);
    const volume = await moto.ask(FIRST, 'ec2', 'describe-volumes', '--query', 'Volumes[0].[Size,VolumeType,Tags]');
    expect(volume).toEqual([
      200,
      'gp3',
      expect.arrayContaining(Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))),
    ]);
    expect(instance?.BlockDeviceMappings[0]).toMatchObject({
      DeviceName: '/dev/sda1',
      Ebs: { DeleteOnTermination: true },
    });
    const asked = launches()[0]?.parameters;
    expect(asked?.get('InstanceMarketOptions.SpotOptions.SpotInstanceType')).toBe('one-time');
    expect(asked?.get('TagSpecification.3.ResourceType')).toBe('spot-instances-request');
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('keeps the runner’s configuration in a file that only its owner can read, and out of every argument', async () => {
    const { driver, temporary } = open();
    let seen: { mode: string; processes: string; holds: boolean } | undefined;
    moto.onRequest(async ({ action }, when) => {
      if (action !== 'RunInstances' || when !== 'before') return;
      const file = join(temporary, readdirSync(temporary)[0] ?? '', 'user-data');
      const mode = (statSync(file).mode & 0o777).toString(8);
      const processes = await run('ps', ['-eww', '-o', 'args']);
      seen = { mode, processes, holds: readFileSync(file, 'utf8').includes(SECRET) };
    });
    await driver.start(request());
    expect(seen).toMatchObject({ mode: '600', holds: true });
    expect(seen?.processes).toContain('run-instances');
    expect(seen?.processes).not.toContain(SECRET);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('is found, not made again, by a second start', async () => {
    await open().driver.start(request());
    await open({
      'ec2-regions': `${SECOND}, ${FIRST}`,
      'ec2-ami': `${SECOND}:ami-0aaa, ${FIRST}:${moto.ami}`,
    }).driver.start(request());
    expect(await moto.instances()).toHaveLength(1);
  });

  test('is asked for under a token of its name and place, and under another one when the first has ended', async () => {
    const tokens: (string | undefined)[] = [];
    moto.onRequest(({ action, parameters }, when) => {
      if (action === 'RunInstances' && when === 'before') tokens.push(parameters.get('ClientToken'));
    });
    const { driver } = open();
    moto.refuse(({ action }) => (action === 'RunInstances' && tokens.length < 3 ? { code: 'AuthFailure' } : undefined));
    await failureOf(driver.start(request()));
    await failureOf(driver.start(request()));
    await driver.start(request());
    await driver.stop(NAME);
    await driver.start(request());
    expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(tokens.slice(1, 3)).toEqual([tokens[0], tokens[0]]);
    expect(tokens[3]).not.toBe(tokens[0]);
  });

  test('has a price on the spot market, which is written on it', async () => {
    const { driver } = open({ 'ec2-market': 'spot', 'ec2-subnets': `${FIRST}a` });
    const prices = await driver.prices?.();
    expect(prices).toEqual([{ what: `g6.xlarge, spot, in ${FIRST}a`, perHour: 0.00001 }]);
    await driver.start({ ...request(), mostPerHour: 0.1 });
    expect((await driver.status(NAME)).pricePerHour).toBe(0.00001);
    expect(
      await failureOf(open().driver.start({ ...request({ name: 'diatom-900-9' }), mostPerHour: 0.000001 })),
    ).toMatchObject({
      code: 'SERVER',
    });
  });

  test('is looked for in the order of markets, regions, types and places', async () => {
    const { driver } = open({
      'ec2-regions': REGIONS,
      'ec2-ami': `${moto.ami}, ${SECOND}:ami-0aaa`,
      'ec2-instance-types': 'g6.xlarge, g5.xlarge',
      'ec2-subnets': `${FIRST}a, subnet-0bbb`,
      'ec2-market': 'spot-then-on-demand',
    });
    const seen = launches().length;
    const codes = [
      'InsufficientInstanceCapacity',
      'SpotMaxPriceTooLow',
      'Unsupported',
      'MaxSpotInstanceCountExceeded',
      'VcpuLimitExceeded',
      'InsufficientFreeAddressesInSubnet',
    ];
    moto.refuse(({ action, parameters }) => {
      if (action !== 'RunInstances') return undefined;
      return {
        code:
          codes.shift() ??
          (parameters.has('InstanceMarketOptions.MarketType') ? 'InstanceLimitExceeded' : 'InsufficientHostCapacity'),
      };
    });
    const failure = await failureOf(driver.start(request()));
    const tried = launches()
      .slice(seen)
      .map(({ region, parameters }) =>
        [
          parameters.get('InstanceMarketOptions.MarketType') ?? 'on-demand',
          region,
          parameters.get('InstanceType'),
          parameters.get('SubnetId') ?? parameters.get('Placement.AvailabilityZone') ?? 'any',
        ].join(' '),
      );
    const inOneMarket = [
      `${FIRST} g6.xlarge ${FIRST}a`,
      `${FIRST} g6.xlarge subnet-0bbb`,
      `${FIRST} g5.xlarge ${FIRST}a`,
      `${FIRST} g5.xlarge subnet-0bbb`,
      `${SECOND} g6.xlarge any`,
      `${SECOND} g5.xlarge any`,
    ];
    expect(tried).toEqual(['spot', 'on-demand'].flatMap((market) => inOneMarket.map((place) => `${market} ${place}`)));
    expect(failure.message).toContain(`- g6.xlarge, spot, in ${FIRST}a: InsufficientInstanceCapacity`);
    expect(failure.message).toContain(`- g5.xlarge, on-demand, in ${SECOND}: InsufficientHostCapacity`);
    expect(await moto.instances()).toEqual([]);
  });

  test('comes from the first place that has one, also when the one before says so with status 500', async () => {
    moto.refuse(({ action, parameters }) =>
      action === 'RunInstances' && parameters.get('InstanceType') === 'p5.48xlarge'
        ? { code: 'InsufficientInstanceCapacity', status: 500 }
        : undefined,
    );
    await open({ 'ec2-instance-types': 'p5.48xlarge, g5.xlarge' }).driver.start(request());
    expect((await moto.instances()).map(({ InstanceType }) => InstanceType)).toEqual(['g5.xlarge']);
  });

  test.each([
    [
      'UnauthorizedOperation',
      'You are not authorized. Encoded authorization failure message: aaaabbbb',
      'docs/gpu-server-ec2.md',
    ],
    ['InvalidAMIID.NotFound', 'The image does not exist.', 'check the ec2-… inputs against this region'],
    ['RequestExpired', 'Request has expired.', 'configure-aws-credentials'],
    [
      'InvalidParameterValue',
      `The value ${SECRET} is not good.`,
      '(InvalidParameterValue): The value *** is not good.',
    ],
  ])('is given up at once on %s, in words that help and hold no secret', async (code, message, help) => {
    const seen = launches().length;
    moto.refuse(({ action }) => (action === 'RunInstances' ? { code, message } : undefined));
    const { driver, temporary } = open({ 'ec2-instance-types': 'g6.xlarge, g5.xlarge' });
    const failure = await failureOf(driver.start(request()));
    expect(launches().slice(seen)).toHaveLength(1);
    expect(failure.code).toBe('SERVER');
    expect(failure.message).toContain(help);
    expect(failure.message).not.toContain('aaaabbbb');
    expectNowhere(failure, SECRET);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('is not made while a region can’t be asked where it may already be', async () => {
    moto.refuse(({ region }) => (region === SECOND ? 'cut' : undefined));
    const { driver } = open({ 'ec2-regions': REGIONS, 'ec2-ami': `${moto.ami}, ${SECOND}:ami-0aaa` });
    const failure = await failureOf(driver.start(request()));
    expect(failure.message).toContain(`AWS can’t be reached in ${SECOND}`);
    expect(await moto.instances()).toEqual([]);
  });

  test('is what a launch template says, and what the inputs say beyond it', async () => {
    const data = { ImageId: moto.ami, InstanceType: 'g4dn.xlarge', InstanceInitiatedShutdownBehavior: 'stop' };
    await template('gpu-runner', data);
    await open({ 'ec2-launch-template': 'gpu-runner:$Latest', 'ec2-ami': '', 'ec2-instance-types': '' }).driver.start(
      request(),
    );
    const [instance] = await moto.instances();
    expect(instance).toMatchObject({ InstanceType: 'g4dn.xlarge', MetadataOptions: { HttpTokens: 'required' } });
    expect(await attribute(instance?.InstanceId ?? '', 'instanceInitiatedShutdownBehavior')).toBe('terminate');
  });

  test('has the image that a public parameter names, the groups, role and key that the inputs name', async () => {
    await moto.ask(FIRST, 'ssm', 'put-parameter', '--name', '/lab/ami', '--value', moto.ami, '--type', 'String');
    const group = z
      .object({ GroupId: z.string() })
      .parse(
        await moto.ask(FIRST, 'ec2', 'create-security-group', '--group-name', 'gpu', '--description', 'no way in'),
      );
    await open({
      'ec2-ami': 'resolve:ssm:/lab/ami',
      'ec2-security-groups': group.GroupId,
      'ec2-key-name': 'mine',
    }).driver.start(request());
    expect(await moto.instances()).toMatchObject([{ ImageId: moto.ami, SecurityGroups: [{ GroupId: group.GroupId }] }]);
    expect(launches().at(-1)?.parameters.get('KeyName')).toBe('mine');
    moto.refuse(({ action }) => (action === 'RunInstances' ? { code: 'VcpuLimitExceeded' } : undefined));
    await failureOf(open({ 'ec2-instance-profile': 'gpu-role' }).driver.start(request({ name: 'diatom-901-1' })));
    expect(launches().at(-1)?.parameters.get('IamInstanceProfile.Name')).toBe('gpu-role');
  });
});

describe('a stop', () => {
  test('ends what carries the name in every region, and nothing else; twice is fine', async () => {
    await open().driver.start(request());
    await open({ 'ec2-regions': SECOND }).driver.start(request());
    await open().driver.start(request({ name: 'diatom-900-10' }));
    const { driver } = open({ 'ec2-regions': REGIONS, 'ec2-ami': '', 'ec2-instance-types': '' }, 'stop');
    await driver.stop(NAME);
    await driver.stop(NAME);
    expect(states(await moto.instances())).toEqual({
      [NAME]: ['terminated', 'terminated'],
      'diatom-900-10': ['running'],
    });
    // Since when it ran stays known, for what it has cost.
    expect(await driver.status(NAME)).toMatchObject({ state: 'gone', runningSince: expect.any(Date) });
    await driver.stop('diatom-1-1');
  });

  test('of one training leaves the other of the same run', async () => {
    const [forest, lake] = [`${NAME}-forest`, `${NAME}-lake`];
    const { driver } = open();
    await Promise.all([NAME, forest, lake].map((name) => driver.start(request({ name }))));
    await driver.stop(forest);
    expect(states(await moto.instances())).toEqual({
      [NAME]: ['running'],
      [forest]: ['terminated'],
      [lake]: ['running'],
    });
    await driver.stop(NAME);
    expect((await driver.list()).map(({ name }) => name)).toEqual([lake]);
  });

  test('ends what it can reach when a region can’t be asked, and says what to do there', async () => {
    await open().driver.start(request());
    moto.refuse(({ region }) => (region === SECOND ? 'cut' : undefined));
    const { driver } = open({ 'ec2-regions': `${SECOND}, ${FIRST}` }, 'stop');
    const failure = await failureOf(driver.stop(NAME));
    expect(failure.message).toContain(`${NAME} may still run: AWS can’t be reached in ${SECOND}`);
    expect(failure.message).toContain('By hand: AWS console');
    expect(states(await moto.instances())).toEqual({ [NAME]: ['terminated'] });
  });

  test('takes back spot requests of that name', async () => {
    const specification = JSON.stringify({ ImageId: moto.ami, InstanceType: 'g6.xlarge' });
    for (const name of [NAME, 'diatom-901-1']) {
      const tags = [{ ResourceType: 'spot-instances-request', Tags: [{ Key: 'diatom:name', Value: name }] }];
      await moto.ask(
        FIRST,
        'ec2',
        'request-spot-instances',
        '--launch-specification',
        specification,
        '--tag-specifications',
        JSON.stringify(tags),
      );
    }
    await open({}, 'stop').driver.stop(NAME);
    const left = await moto.ask(
      FIRST,
      'ec2',
      'describe-spot-instance-requests',
      '--query',
      'SpotInstanceRequests[].Tags[0].Value',
    );
    expect(left).toEqual(['diatom-901-1']);
  });
});

describe('what is said about a server', () => {
  test('is its state, where it is, since when it costs, and what stands on its console', async () => {
    const { driver } = open();
    expect(await driver.status(NAME)).toMatchObject({ state: 'gone', detail: '' });
    await driver.start(request());
    const status = await driver.status(NAME);
    expect(status.state).toBe('running');
    expect(status.detail).toMatch(/^i-\w+ \(g6\.xlarge\) in eu-central-1\w is running$/);
    expect(status.runningSince?.getTime()).toBeGreaterThan(Date.now() - 120_000);
    expect(await status.lastLines()).toEqual(expect.any(String));
    expect(moto.requests.at(-1)?.action).toBe('GetConsoleOutput');
  });

  test('is “unknown”, not “gone”, when a region can’t be asked', async () => {
    moto.refuse(({ region }) => (region === SECOND ? 'cut' : undefined));
    const { driver, warnings } = open({ 'ec2-regions': REGIONS }, 'status');
    expect(await driver.status(NAME)).toMatchObject({ state: 'unknown' });
    expect((await driver.status(NAME)).detail).toContain(`AWS can’t be reached in ${SECOND}`);
    await open().driver.start(request());
    expect(await driver.status(NAME)).toMatchObject({ state: 'running' });
    expect(await driver.list()).toMatchObject([{ name: NAME, state: 'running' }]);
    expect(warnings.join()).toContain(`AWS can’t be reached in ${SECOND}`);
    moto.refuse(() => 'cut');
    expect((await failureOf(driver.list())).message).toContain('AWS can’t be reached');
  });

  test('without credentials says how to get some', async () => {
    const { driver } = open({}, 'status', { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
    expect((await driver.status(NAME)).detail).toContain('There are no credentials for AWS');
  });

  test('covers all servers of the repository, in all regions, and of nobody else', async () => {
    await open().driver.start(request({ maxMinutes: 60 }));
    await open({ 'ec2-regions': SECOND }).driver.start(request({ name: 'diatom-901-2' }));
    await open().driver.start(request({ name: 'diatom-902-1', repository: 'example/other' }));
    await open().driver.start(request({ name: 'diatom-903-1' }));
    const { driver } = open({ 'ec2-regions': REGIONS }, 'reap');
    await driver.stop('diatom-903-1');
    const servers = await driver.list();
    expect(servers.map(({ name }) => name).sort()).toEqual([NAME, 'diatom-901-2']);
    expect(servers.every(({ state, deadline }) => state === 'running' && deadline !== undefined)).toBe(true);
  });

  test('are many servers, too', async () => {
    const tags = Object.entries({ 'diatom:name': NAME, 'diatom:repository': REPOSITORY, 'diatom:mode': 'ephemeral' });
    const specification = [{ ResourceType: 'instance', Tags: tags.map(([Key, Value]) => ({ Key, Value })) }];
    const launch = ['run-instances', '--image-id', moto.ami, '--count', '100', '--query', 'length(Instances)'];
    await moto.ask(FIRST, 'ec2', ...launch, '--tag-specifications', JSON.stringify(specification));
    expect(await open({}, 'reap').driver.list()).toHaveLength(100);
  });

  test('a server that was stopped but not terminated counts as running, because its disk costs', async () => {
    const { driver } = open();
    await driver.start(request());
    await moto.ask(FIRST, 'ec2', 'stop-instances', '--instance-ids', (await moto.instances())[0]?.InstanceId ?? '');
    expect(await driver.list()).toMatchObject([{ name: NAME, state: 'running' }]);
    await driver.stop(NAME);
    expect(await driver.list()).toEqual([]);
  });
});

describe('an instance that is there for good', () => {
  const ROLE = 'arn:aws:iam::123456789012:role/stops-gpu';

  test('is started for a run, stopped by its name, and never terminated', async () => {
    const id = await madeByHand('stopped');
    const { driver, warnings } = existing(id);
    expect(driver.makesRunner).toBe(false);
    expect(driver.deadMansSwitch).toBeUndefined();
    expect(await driver.list()).toEqual([]);
    await driver.start(noRunner());
    expect(await driver.status(NAME)).toMatchObject({ state: 'running' });
    expect(await driver.list()).toMatchObject([{ name: NAME, state: 'running', deadline: expect.any(Date) }]);
    // A stop that is set up for servers that are made: the tag decides.
    const stopper = open({}, 'stop').driver;
    await stopper.stop(NAME);
    expect(await driver.status(NAME)).toMatchObject({ state: 'gone' });
    expect(await driver.list()).toEqual([]);
    expect((await moto.instances())[0]?.State.Name).toBe('stopped');
    await stopper.stop(NAME);
    expect(warnings).toEqual([]);
  });

  test('is left alone when it runs for another run, which is named', async () => {
    const id = await madeByHand('stopped');
    await existing(id).driver.start(noRunner());
    const failure = await failureOf(existing(id).driver.start(noRunner({ name: 'diatom-950-1' })));
    expect(failure.message).toContain(`${id} in ${FIRST} runs for ${NAME} of ${REPOSITORY}`);
    await existing(id).driver.stop('diatom-950-1');
    expect(await existing(id).driver.status(NAME)).toMatchObject({ state: 'running' });
  });

  test('is handed on to a later attempt of the same run', async () => {
    const id = await madeByHand('stopped');
    await existing(id).driver.start(noRunner());
    await existing(id).driver.start(noRunner({ name: 'diatom-900-2' }));
    expect(await existing(id).driver.list()).toMatchObject([{ name: 'diatom-900-2' }]);
  });

  test('is refused to another training of the same run, and to another job of the same name, which leave it alone', async () => {
    const id = await madeByHand('stopped');
    await existing(id).driver.start(noRunner({ name: `${NAME}-forest` }));
    for (const name of [`${NAME}-lake`, `${NAME}-forest`]) {
      const failure = await failureOf(existing(id).driver.start(noRunner({ name })));
      expect(failure).toBeInstanceOf(ServerTaken);
      expect(failure.message).toContain(`runs for ${NAME}-forest of ${REPOSITORY}`);
    }
    await existing(id).driver.stop(`${NAME}-lake`);
    expect(await existing(id).driver.list()).toMatchObject([{ name: `${NAME}-forest`, state: 'running' }]);
  });

  test('is used, with a warning, when somebody has started it already; a stop then leaves no mark on it', async () => {
    const id = await madeByHand('running');
    const { driver, warnings } = existing(id);
    await driver.start(noRunner());
    expect(warnings.join()).toContain(`${id} (g6.xlarge) in ${FIRST}a is running already`);
    await driver.stop(NAME);
    await moto.ask(FIRST, 'ec2', 'start-instances', '--instance-ids', id);
    expect(await driver.list()).toEqual([]);
    await driver.stop(NAME);
    expect((await moto.instances())[0]?.State.Name).toBe('running');
  });

  test('of which EC2 has no room is said so, and is free for the next run', async () => {
    const id = await madeByHand('stopped');
    moto.refuse(({ action }) => (action === 'StartInstances' ? { code: 'InsufficientInstanceCapacity' } : undefined));
    const { driver } = existing(id);
    const failure = await failureOf(driver.start(noRunner()));
    expect(failure.message).toContain(`EC2 can’t start ${id} in ${FIRST}a at the moment`);
    expect((await moto.instances())[0]?.tag('diatom:repository')).toBeUndefined();
  });

  test('that does not exist is said so', async () => {
    const failure = await failureOf(existing('i-0123456789abcdef0').driver.start(noRunner()));
    expect(failure.message).toMatch(/InvalidInstanceID.NotFound.*check the ec2-… inputs/);
  });

  test('is stopped at its deadline by EventBridge Scheduler when a role for that is given', async () => {
    const id = await madeByHand('stopped');
    const { driver } = existing(id, { 'ec2-scheduler-role': ROLE });
    expect(driver.deadMansSwitch).toBe('EventBridge Scheduler stops the instance');
    const order: string[] = [];
    moto.onRequest(({ action }, when) => void (when === 'after' && order.push(action)));
    await driver.start(noRunner({ maxMinutes: 30 }));
    expect(order.indexOf('CreateSchedule')).toBeLessThan(order.indexOf('StartInstances'));
    const schedule = z
      .object({
        ScheduleExpression: z.string(),
        Target: z.object({ Arn: z.string(), RoleArn: z.string(), Input: z.string() }),
      })
      .parse(await moto.ask(FIRST, 'scheduler', 'get-schedule', '--name', NAME));
    const deadline = (await moto.instances())[0]?.tag('diatom:deadline') ?? '';
    expect(schedule.ScheduleExpression).toBe(`at(${deadline.slice(0, 19)})`);
    expect(schedule.Target).toMatchObject({ Arn: 'arn:aws:scheduler:::aws-sdk:ec2:stopInstances', RoleArn: ROLE });
    expect(JSON.parse(schedule.Target.Input)).toEqual({ InstanceIds: [id] });
    // A later attempt takes it over: its deadline counts.
    await driver.start(noRunner({ name: 'diatom-900-2', maxMinutes: 60 }));
    expect(await moto.ask(FIRST, 'scheduler', 'list-schedules', '--query', 'Schedules[].Name')).toEqual([
      'diatom-900-2',
    ]);
    await open({}, 'stop').driver.stop('diatom-900-2');
    expect(await moto.ask(FIRST, 'scheduler', 'list-schedules', '--query', 'Schedules')).toEqual([]);
  });
});

test('nothing was asked of AWS that the policy does not allow, and everything that it allows', () => {
  const actions = new Set(Object.values(AWS_OPERATIONS).flat());
  const asked = new Set(moto.requests.map(({ service, action }) => `${service}:${action}`));
  actions.delete('iam:PassRole');
  // moto has no price list.
  actions.delete('pricing:GetProducts');
  // Nobody asks for these: EC2 does, of KMS, in the name of who launches.
  for (const action of actions) if (action.startsWith('kms:')) actions.delete(action);
  expect([...asked].sort()).toEqual([...actions].sort());
});

interface Opened {
  readonly driver: Driver;
  readonly temporary: string;
  readonly warnings: string[];
}

/** The driver as the action opens it, from its inputs. */
function open(
  inputs: Readonly<Record<string, string>> = {},
  mode = 'start',
  env: Readonly<Record<string, string | undefined>> = {},
): Opened {
  setInputs({
    mode,
    'ec2-mode': 'ephemeral',
    'ec2-market': 'on-demand',
    'ec2-regions': FIRST,
    'ec2-ami': moto.ami,
    'ec2-instance-types': 'g6.xlarge',
    ...inputs,
  });
  return openWith(ec2Inputs(), env);
}

function existing(id: string, inputs: Readonly<Record<string, string>> = {}): Opened {
  return open({ 'ec2-mode': 'existing', 'ec2-instance-id': id, ...inputs });
}

function openWith(settings: Ec2Settings, env: Readonly<Record<string, string | undefined>>): Opened {
  const [temporary, warnings] = [temporaryFolder(), []] as [string, string[]];
  const cancel = new AbortController();
  onTestFinished(() => cancel.abort());
  const driver = openEc2(settings, {
    signal: cancel.signal,
    env: { ...moto.env, ...env },
    limits: { answerMs: 60_000, stopMs: 60_000, startMs: 60_000 },
    temporary,
    repository: REPOSITORY,
    onWarning: (message) => void warnings.push(message),
  });
  return { driver, temporary, warnings };
}

function request(changes: Partial<StartRequest> = {}): StartRequest {
  const software = { directory: '/opt/actions-runner' };
  const runner = { jitConfig: SECRET, software, pickUpMinutes: 15 };
  return { name: NAME, repository: REPOSITORY, maxMinutes: 60, runner, ...changes };
}

function noRunner(changes: Partial<StartRequest> = {}): StartRequest {
  return { ...request(changes), runner: undefined };
}

function launches() {
  return moto.requests.filter(({ action }) => action === 'RunInstances');
}

function states(instances: readonly MotoInstance[]): Record<string, string[]> {
  const byName: Record<string, string[]> = {};
  for (const instance of instances) {
    const name = instance.tag('diatom:name') ?? '';
    byName[name] = [...(byName[name] ?? []), instance.State.Name];
  }
  return byName;
}

async function attribute(id: string, name: string): Promise<unknown> {
  const query = `${name[0]?.toUpperCase()}${name.slice(1)}.Value`;
  return moto.ask(
    FIRST,
    'ec2',
    'describe-instance-attribute',
    '--instance-id',
    id,
    '--attribute',
    name,
    '--query',
    query,
  );
}

async function userDataOf(id: string): Promise<string> {
  return Buffer.from(z.string().parse(await attribute(id, 'userData')), 'base64').toString();
}

async function template(name: string, data: object): Promise<void> {
  await moto.ask(
    FIRST,
    'ec2',
    'create-launch-template',
    '--launch-template-name',
    name,
    '--launch-template-data',
    JSON.stringify(data),
  );
}

async function madeByHand(state: 'running' | 'stopped'): Promise<string> {
  const id = z
    .string()
    .parse(
      await moto.ask(
        FIRST,
        'ec2',
        'run-instances',
        '--image-id',
        moto.ami,
        '--instance-type',
        'g6.xlarge',
        '--query',
        'Instances[0].InstanceId',
      ),
    );
  if (state === 'stopped') await moto.ask(FIRST, 'ec2', 'stop-instances', '--instance-ids', id);
  return id;
}
