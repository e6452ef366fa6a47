import { DiatomError } from '../errors.ts';
import { formatHours, money, trimmed } from '../model/gpu-hours.ts';
import { info } from '../runner/log.ts';
import type { Price } from './driver.ts';
import type { Inputs } from './inputs.ts';
import type { ModeContext } from './mode-context.ts';

/** What the server of a start costs. */
export interface AgreedPrice {
  /** An hour of the dearest that it may take; `undefined` when nobody knows. */
  readonly perHour: number | undefined;
  /** What the cloud must not ask for more an hour; `undefined` when it is not asked. */
  readonly mostPerHour: number | undefined;
}

/** 12 × 1.10 is a little more than 13.20 to a computer. */
export const ROUNDING = 1e-9;

/** What AWS says its prices in. */
const CLOUD_CURRENCY = 'USD';

/**
 * Finds out what the server may cost, before anything is made. Nobody is asked when nothing depends on it.
 *
 * @throws DiatomError `INPUT` when it may cost more than `max-price`, or nobody can say what it costs and that or
 *   `monthly-budget` is set
 */
export async function agreePrice({ driver, inputs }: Pick<ModeContext, 'driver' | 'inputs'>): Promise<AgreedPrice> {
  const { pricePerHour, monthlyBudget, currency, maxMinutes } = inputs;
  if (inputs.maxPrice === undefined && monthlyBudget === undefined)
    return { perHour: pricePerHour, mostPerHour: undefined };
  const hours = maxMinutes / 60;
  const maxPrice = inputs.maxPrice ?? Number.POSITIVE_INFINITY;
  const input = inputs.maxPrice === undefined ? 'monthly-budget' : 'max-price';
  const limit = Number.isFinite(maxPrice) ? `${input} (${money(maxPrice, inputs)})` : input;
  if (pricePerHour !== undefined) {
    if (hours * pricePerHour <= maxPrice + ROUNDING) return { perHour: pricePerHour, mostPerHour: undefined };
    throw new DiatomError(
      'INPUT',
      `The server may cost ${sum(hours, pricePerHour, inputs)}, which is more than ${limit} allows: set lifetime-hours to ${trimmed(Math.floor((maxPrice / pricePerHour) * 100) / 100)} or less, take a cheaper server, or raise max-price.`,
    );
  }
  if (!driver.prices || currency !== CLOUD_CURRENCY) {
    throw new DiatomError(
      'INPUT',
      driver.prices
        ? `Input ${input} is in ${currency}, and Amazon says its prices in ${CLOUD_CURRENCY}: set currency to ${CLOUD_CURRENCY}, or price-per-hour.`
        : `Input ${input} is set, and nobody can say what an hour of this server costs: set price-per-hour.`,
    );
  }
  const mostPerHour = maxPrice / hours + ROUNDING;
  const prices = await driver.prices();
  const fitting = prices.flatMap(({ perHour }) => (perHour !== undefined && perHour <= mostPerHour ? [perHour] : []));
  const others = prices.filter(({ perHour }) => perHour === undefined || perHour > mostPerHour);
  const list = others.map((price) => `\n- ${wording(price, hours, inputs)}`).join('');
  if (fitting.length > 0) {
    if (list !== '') info(`Too dear for ${limit}, or without a price, and not asked for:${list}`);
    return { perHour: Math.max(...fitting), mostPerHour };
  }
  throw new DiatomError(
    'INPUT',
    list === ''
      ? `Input ${input} is set, and nobody can say what an hour of this server costs: set price-per-hour.`
      : `Nothing that the server may be fits into ${limit}. It may cost:${list}\nSet a shorter lifetime-hours, allow other servers, or raise max-price; where the price is not known, set price-per-hour.`,
  );
}

function wording({ what, perHour }: Price, hours: number, inputs: Pick<Inputs, 'currency'>): string {
  return `${what}: ${perHour === undefined ? 'its price is not known' : sum(hours, perHour, inputs)}`;
}

/** “6 h × 1.10 USD = 6.60 USD”. */
export function sum(hours: number, perHour: number, inputs: Pick<Inputs, 'currency'>): string {
  return `${formatHours(hours)} × ${money(perHour, inputs)} = ${money(hours * perHour, inputs)}`;
}
