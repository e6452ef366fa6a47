import * as z from 'zod/mini';
import { mapParallel } from '../parallel/map-parallel.ts';
import type { Aws } from './ec2-aws.ts';
import type { Choice } from './ec2-ephemeral.ts';

/** Each request is a program of its own. */
const AT_ONCE = 4;

/** The price list is served in few regions, for all of them. */
const PRICE_LIST_REGION = 'us-east-1';

const SPOT = z.array(z.object({ zone: z.string(), price: z.string() }));
const PRODUCTS = z.array(z.string());
const PRODUCT = z.object({
  terms: z.object({
    OnDemand: z.optional(
      z.record(
        z.string(),
        z.object({
          priceDimensions: z.record(
            z.string(),
            z.object({ unit: z.string(), pricePerUnit: z.object({ USD: z.optional(z.string()) }) }),
          ),
        }),
      ),
    ),
  }),
});

/** What AWS says that each choice costs, in USD an hour; `undefined` where it says nothing. */
export async function pricesOf(choices: readonly Choice[], aws: Aws): Promise<readonly (number | undefined)[]> {
  const asked = new Map<string, Promise<ReadonlyMap<string, number>>>();
  return mapParallel(choices, AT_ONCE, async ({ market, region, type, placement }) => {
    if (type === undefined) return undefined;
    const key = `${market} ${region} ${type}`;
    const zones = asked.get(key) ?? (market === 'spot' ? spotPrices(region, type, aws) : listPrice(region, type, aws));
    asked.set(key, zones);
    const prices = await zones;
    // Where EC2 chooses, or the zone of a subnet is not known, the dearest zone counts.
    return prices.get(placement ?? '') ?? (prices.size === 0 ? undefined : Math.max(...prices.values()));
  });
}

/** By zones: the prices that hold now. */
async function spotPrices(region: string, type: string, aws: Aws): Promise<ReadonlyMap<string, number>> {
  const answer = await aws('ec2 describe-spot-price-history', region, [
    ...['--instance-types', type, '--product-descriptions', 'Linux/UNIX'],
    // From now on: that is the last change before (EC2 API reference, “DescribeSpotPriceHistory”).
    ...['--start-time', new Date().toISOString()],
    ...['--query', 'SpotPriceHistory[].{zone: AvailabilityZone, price: SpotPrice}'],
  ]);
  return new Map(SPOT.parse(answer).map(({ zone, price }) => [zone, Number(price)]));
}

/** On demand, in all zones alike: of Linux without a licence, on a machine that others share. */
async function listPrice(region: string, type: string, aws: Aws): Promise<ReadonlyMap<string, number>> {
  const product = {
    instanceType: type,
    regionCode: region,
    operatingSystem: 'Linux',
    preInstalledSw: 'NA',
    tenancy: 'Shared',
    capacitystatus: 'Used',
  };
  const filters = Object.entries(product).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value }));
  const answer = await aws('pricing get-products', PRICE_LIST_REGION, [
    ...['--service-code', 'AmazonEC2', '--filters', JSON.stringify(filters), '--query', 'PriceList'],
  ]);
  const prices = PRODUCTS.parse(answer)
    .flatMap((text) => Object.values(PRODUCT.parse(JSON.parse(text)).terms.OnDemand ?? {}))
    .flatMap(({ priceDimensions }) => Object.values(priceDimensions))
    .flatMap(({ unit, pricePerUnit }) => (unit === 'Hrs' ? [Number(pricePerUnit.USD)] : []))
    // A product that is paid for otherwise, as a block of capacity is, stands there with 0.
    .filter((price) => price > 0);
  return new Map(prices.length === 0 ? [] : [['', Math.max(...prices)]]);
}
