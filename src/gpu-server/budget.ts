import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { HOURS_FILE, longestHours, money, type ServerHours, spentInMonth } from '../model/gpu-hours.ts';
import { info } from '../runner/log.ts';
import { changeHours, type HoursPlace, readHours } from './hours-file.ts';
import { ROUNDING, sum } from './max-price.ts';
import type { ModeContext } from './mode-context.ts';
import type { StoppedServer } from './stop.ts';
import { TooLate, within } from './within.ts';

/** An ownCloud that hangs holds up no stop. */
const RECORD_MS = 4 * 60_000;
/** For taking back what has begun. */
const GRACE_MS = 15_000;

type Spender = Pick<ModeContext, 'inputs' | 'http' | 'signal' | 'onWarning'>;

/**
 * Writes the start into the file of hours, before anything is made.
 *
 * @throws DiatomError `INPUT` when it may cost more than what is left of `monthly-budget`; where a budget is set, also when
 *   the file can’t be read
 */
export async function recordStart(context: Spender, pricePerHour: number | undefined): Promise<void> {
  const { inputs, onWarning, signal } = context;
  const { monthlyBudget } = inputs;
  const hoursPlace = placeOf(inputs);
  if (hoursPlace === undefined) return;
  const row = rowOf(inputs, pricePerHour);
  try {
    await change(context, hoursPlace, (rows) => {
      if (monthlyBudget !== undefined) info(fitsIn(monthlyBudget, rows, row));
      return [...rows.filter((other) => !isSame(other, row)), row];
    });
  } catch (error) {
    throwIfCancelled(signal);
    if (monthlyBudget !== undefined) throw error;
    onWarning(`The start is not in ${HOURS_FILE}: ${messageOf(error)}`);
  }
}

/**
 * Whether a start would fit into `monthly-budget`, of which nothing is taken.
 *
 * @returns what is spent of it, as a sentence
 * @throws DiatomError as `recordStart`
 */
export async function checkBudget(
  { inputs, http, signal }: Pick<Spender, 'inputs' | 'http' | 'signal'>,
  pricePerHour: number | undefined,
  monthlyBudget: number,
): Promise<string> {
  const place = placeOf(inputs);
  const rows = place ? await readHours(place, { http, signal }) : [];
  return fitsIn(monthlyBudget, rows, rowOf(inputs, pricePerHour));
}

function placeOf({ hoursPlace, monthlyBudget }: ModeContext['inputs']): HoursPlace | undefined {
  if (hoursPlace !== undefined || monthlyBudget === undefined) return hoursPlace;
  throw new DiatomError(
    'INPUT',
    `Input monthly-budget needs owncloud-url, owncloud-username and owncloud-password (in a workflow the secret OWNCLOUD_PASSWORD): the hours are kept there, in ${HOURS_FILE}.`,
  );
}

function rowOf(
  { maxMinutes, name: server, repository, currency }: ModeContext['inputs'],
  pricePerHour: number | undefined,
): ServerHours {
  const start = new Date();
  const deadline = new Date(start.getTime() + maxMinutes * 60_000);
  return { server, repository, start, deadline, hours: undefined, pricePerHour, currency };
}

/** Writes the ends into it. A server is stopped whether or not this succeeds. */
export async function recordStop(context: Spender, stopped: readonly StoppedServer[]): Promise<void> {
  const { inputs, onWarning, signal } = context;
  const { hoursPlace } = inputs;
  if (hoursPlace === undefined || stopped.length === 0) return;
  try {
    await change(context, hoursPlace, (rows) => stopped.reduce((all, server) => ended(all, server, inputs), rows));
  } catch (error) {
    throwIfCancelled(signal);
    onWarning(`The end is not in ${HOURS_FILE}, where the server counts until its deadline: ${messageOf(error)}`);
  }
}

function ended(
  rows: readonly ServerHours[],
  { name, hours = 0, pricePerHour }: StoppedServer,
  { repository, currency, ...inputs }: ModeContext['inputs'],
): readonly ServerHours[] {
  const known = rows.find((row) => isSame(row, { server: name, repository }));
  // Stopped once more, or never made.
  if (known === undefined ? hours === 0 : known.hours !== undefined) return rows;
  const now = new Date();
  const row = known ?? {
    ...{ server: name, repository, currency, pricePerHour: undefined },
    ...{ start: new Date(now.getTime() - hours * 3_600_000), deadline: now },
  };
  // What had ended unseen ran from its start until now at the longest, and not beyond its deadline.
  const most = longestHours({ start: row.start, deadline: now < row.deadline ? now : row.deadline });
  const ran = hours > 0 ? Math.min(hours, longestHours(row)) : most;
  // What an hour costs here says nothing about the server of another training, unless nobody else knows.
  const its = pricePerHour ?? row.pricePerHour;
  const assumed = row.currency === currency ? inputs.pricePerHour : undefined;
  const price = name === inputs.name ? (inputs.pricePerHour ?? its) : (its ?? assumed);
  return [...rows.filter((other) => other !== known), { ...row, hours: ran, pricePerHour: price }];
}

async function change(
  { inputs, http, signal }: Spender,
  place: HoursPlace,
  edit: Parameters<typeof changeHours>[2],
): Promise<void> {
  const owner = `${inputs.repository}, ${inputs.name}`;
  // Ended by its signal, it takes back its note, for which the others would wait.
  const limit = AbortSignal.timeout(RECORD_MS);
  const ends = AbortSignal.any([signal, limit]);
  try {
    await within(RECORD_MS + GRACE_MS, changeHours(place, { http, signal: ends, owner }, edit), 'The ownCloud');
  } catch (error) {
    if (!limit.aborted || signal.aborted) throw error;
    throw new TooLate('SERVER', `The ownCloud took longer than ${formatDuration(RECORD_MS / 1_000)}.`, {
      cause: error,
    });
  }
}

/** @throws DiatomError `INPUT` when the server of that row may cost more than is left */
function fitsIn(budget: number, rows: readonly ServerHours[], row: ServerHours): string {
  // What this server has taken already is not taken once more.
  const others = rows.filter((other) => !isSame(other, row));
  const { cost, uncounted } = spentInMonth(others, row.start, row.currency);
  const [hours, perHour] = [longestHours(row), row.pricePerHour ?? 0];
  const left = money(Math.max(0, budget - cost), row);
  const unknown = uncounted === 0 ? '' : ` (and ${uncounted} without a price in ${row.currency})`;
  const spent = `${money(cost, row)} of ${money(budget, row)} are spent or taken this month${unknown}`;
  if (cost + hours * perHour <= budget + ROUNDING) return `Of monthly-budget, ${spent}.`;
  throw new DiatomError(
    'INPUT',
    `The server may cost ${sum(hours, perHour, row)}, and of monthly-budget ${left} is left: ${spent}, by ${HOURS_FILE}. Set a shorter lifetime-hours, wait until next month (UTC), or raise monthly-budget.`,
  );
}

function isSame(one: Pick<ServerHours, 'server' | 'repository'>, other: Pick<ServerHours, 'server' | 'repository'>) {
  return one.server === other.server && one.repository === other.repository;
}
