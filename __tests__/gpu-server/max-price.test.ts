import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Price } from '../../src/gpu-server/driver.ts';
import { openEc2 } from '../../src/gpu-server/ec2-driver.ts';
import { ec2Inputs } from '../../src/gpu-server/ec2-inputs.ts';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import { openLocal } from '../../src/gpu-server/local-driver.ts';
import { agreePrice } from '../../src/gpu-server/max-price.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const RUN = { GITHUB_REPOSITORY: 'example/diatoms', GITHUB_RUN_ID: '7', GITHUB_RUN_ATTEMPT: '1' };

/** A start of 12 hours, with a driver that says these prices; `undefined` for one that knows none. */
function agree(inputs: Readonly<Record<string, string>>, prices?: readonly Price[]) {
  setInputs({ mode: 'start', driver: 'slurm', ...inputs });
  const driver = { ...openLocal(), ...(prices && { prices: async () => prices }) };
  return agreePrice({ inputs: readInputs(RUN), driver });
}

describe('max-price', () => {
  test('lets pass what costs no more, by price-per-hour, of which nobody is asked', async () => {
    const asked = async () => {
      throw new Error('asked');
    };
    setInputs({ mode: 'start', driver: 'slurm', 'price-per-hour': '1.10', 'max-price': '13.20' });
    const agreed = await agreePrice({ inputs: readInputs(RUN), driver: { ...openLocal(), prices: asked } });
    expect(agreed).toEqual({ perHour: 1.1, mostPerHour: undefined });
  });

  test('left out, nobody is asked for a price, and any is fine', async () => {
    expect(await agree({}, [{ what: 'gold', perHour: 1e6 }])).toEqual({ perHour: undefined, mostPerHour: undefined });
  });

  test('refuses what may cost more, with both figures and how long it may live', async () => {
    const { code, message } = await failureOf(agree({ 'price-per-hour': '1.10', 'max-price': '10' }));
    expect(code).toBe('INPUT');
    expect(message).toBe(
      'The server may cost 12 h × 1.10 EUR = 13.20 EUR, which is more than max-price (10.00 EUR) allows: set lifetime-hours to 9.09 or less, take a cheaper server, or raise max-price.',
    );
    expect(await agree({ 'price-per-hour': '1.10', 'max-price': '10', 'lifetime-hours': '9.09' })).toMatchObject({});
  });

  test('refuses where nobody knows the price, and says so', async () => {
    const said = 'nobody can say what an hour of this server costs: set price-per-hour';
    expect((await failureOf(agree({ 'max-price': '10' }))).message).toContain(said);
    expect((await failureOf(agree({ 'max-price': '10', currency: 'USD' }, []))).message).toContain(said);
    expect((await failureOf(agree({ 'max-price': '10', currency: 'EUR' }, []))).message).toContain(
      'max-price is in EUR, and Amazon',
    );
  });

  test('of several kinds of servers, leaves out the dear ones and those without a price', async () => {
    const output = captureOutput();
    const prices = [
      { what: 'small', perHour: 0.5 },
      { what: 'medium', perHour: 0.75 },
      { what: 'large', perHour: 2 },
      { what: 'new', perHour: undefined },
    ];
    const agreed = await agree({ 'max-price': '10', currency: 'USD' }, prices);
    expect(agreed).toEqual({ perHour: 0.75, mostPerHour: expect.closeTo(10 / 12) });
    expect(output.text()).toContain('- large: 12 h × 2.00 USD = 24.00 USD');
    expect(output.text()).toContain('- new: its price is not known');
    const { message } = await failureOf(agree({ 'max-price': '1', currency: 'USD' }, prices));
    expect(message).toContain('fits into max-price (1.00 USD). It may cost:\n- small: 12 h × 0.50 USD = 6.00 USD');
  });
});

/** What AWS says about one type, as in the CLI’s own example of `pricing get-products`, with the price of an hour. */
function product(...usd: readonly string[]): string {
  const rate = (price: string, unit: string) => ({
    priceDimensions: { 'SKU.TERM.RATE': { unit, endRange: 'Inf', appliesTo: [], pricePerUnit: { USD: price } } },
    sku: 'SKU',
  });
  const OnDemand = Object.fromEntries(usd.map((price, index) => [`SKU.TERM${index}`, rate(price, 'Hrs')]));
  return JSON.stringify({
    product: { productFamily: 'Compute Instance', sku: 'SKU' },
    terms: { OnDemand: { ...OnDemand, UPFRONT: rate('9999.0000000000', 'Quantity') }, Reserved: {} },
  });
}

/** The EC2 driver, with a stand-in for the AWS CLI that writes down what it is asked. */
function ec2(inputs: Readonly<Record<string, string>>, list: Readonly<Record<string, readonly string[]>> = {}) {
  const programs = temporaryFolder();
  const spot = [
    ['eu-central-1a', '0.300000'],
    ['eu-central-1b', '0.400000'],
  ].map(([zone, price]) => ({ zone, price }));
  writeFileSync(join(programs, 'spot'), JSON.stringify(spot));
  for (const [type, products] of Object.entries(list)) writeFileSync(join(programs, type), JSON.stringify(products));
  const script = `#!/bin/sh
echo "$*" >>${programs}/called
case "$1 $2" in
  'ec2 describe-spot-price-history') cat ${programs}/spot ;;
  'pricing get-products') cat ${programs}/"$(echo "$*" | sed 's/.*instanceType","Value":"\\([^"]*\\)".*/\\1/')" ;;
  'ec2 describe-instances') echo '[]' ;;
  'ec2 run-instances') echo '{"Instances": [{"InstanceId": "i-0a"}]}' ;;
esac
`;
  writeFileSync(join(programs, 'aws'), script);
  chmodSync(join(programs, 'aws'), 0o755);
  setEnvironment({ PATH: `${programs}${delimiter}${process.env['PATH']}` });
  setInputs({ mode: 'start', 'ec2-regions': 'eu-central-1', 'ec2-ami': 'ami-0a', ...inputs });
  const driver = openEc2(ec2Inputs({}), {
    signal: new AbortController().signal,
    env: process.env,
    temporary: temporaryFolder(),
    repository: 'example/diatoms',
    limits: { answerMs: 30_000, stopMs: 30_000, startMs: 30_000 },
    onWarning: () => {},
  });
  return { driver, called: () => readFileSync(join(programs, 'called'), 'utf8').trim().split('\n') };
}

const REQUEST = {
  name: 'diatom-7-1',
  repository: 'example/diatoms',
  maxMinutes: 60,
  runner: { jitConfig: 'JIT', software: { directory: '/opt/runner' }, pickUpMinutes: 5 },
};

describe('what Amazon says', () => {
  test('of spot instances counts for the zone, and the dearest where EC2 chooses one', async () => {
    const { driver, called } = ec2({ gpu: 'H100', 'ec2-market': 'spot', 'ec2-subnets': 'eu-central-1a, subnet-0a' });
    expect(await driver.prices?.()).toEqual([
      { what: 'p5.4xlarge, spot, in eu-central-1a', perHour: 0.3 },
      { what: 'p5.4xlarge, spot, in subnet-0a (eu-central-1)', perHour: 0.4 },
    ]);
    expect(called()).toHaveLength(1);
    expect(called()[0]).toMatch(/--instance-types p5.4xlarge --product-descriptions Linux\/UNIX --start-time 20/);
  });

  test('of an hour on demand counts, and nothing else that is in its list', async () => {
    const { driver, called } = ec2(
      { gpu: 'T4' },
      {
        'g4dn.xlarge': [product('0.6580000000', '0.0000000000')],
        'g4dn.2xlarge': [],
        'g4dn.4xlarge': [product('1.5')],
      },
    );
    expect((await driver.prices?.())?.map(({ perHour }) => perHour)).toEqual([0.658, undefined, 1.5]);
    expect(called()[0]).toMatch(/--service-code AmazonEC2 .*"regionCode","Value":"eu-central-1".* --region us-east-1/);
  });

  test('decides which types a start asks for, and is written on the instance', async () => {
    const list = { 'g4dn.xlarge': [], 'g4dn.2xlarge': [product('0.9')], 'g4dn.4xlarge': [product('1.5')] };
    const { driver, called } = ec2({ gpu: 'T4' }, list);
    await driver.prices?.();
    await driver.start({ ...REQUEST, mostPerHour: 1 });
    const launches = called().filter((line) => line.startsWith('ec2 run-instances'));
    expect(launches).toHaveLength(1);
    expect(launches[0]).toContain('--instance-type g4dn.2xlarge');
    expect(launches[0]).toContain('{"Key":"diatom:price","Value":"0.9"}');
  });

  test('is not asked of a start without max-price', async () => {
    const { driver, called } = ec2({ gpu: 'T4' });
    await driver.start(REQUEST);
    expect(called().map((line) => line.split(' --')[0])).toEqual(['ec2 describe-instances', 'ec2 run-instances']);
    expect(called()[1]).not.toContain('diatom:price');
  });
});
