import { DiatomError } from '../errors.ts';

/** What one server has run and cost: a line of `gpu-hours.csv`. */
export interface ServerHours {
  readonly server: string;
  /** `owner/name`: several repositories may share the file. */
  readonly repository: string;
  readonly start: Date;
  /** When it ends by itself at the latest. */
  readonly deadline: Date;
  /** `undefined` when no stop has said that it is gone. */
  readonly hours: number | undefined;
  /** `undefined` when nobody knows. */
  readonly pricePerHour: number | undefined;
  readonly currency: string;
}

export const HOURS_FILE = 'gpu-hours.csv';

const COLUMNS = 'server,repository,start,deadline,hours,price_per_hour,cost,currency';

/** @throws DiatomError `OWNCLOUD` naming the line that can’t be read: somebody has changed it */
export function parseHours(text: string): ServerHours[] {
  const [first = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (text !== '' && first !== COLUMNS) throw unreadable(1, first);
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [server = '', repository = '', start = '', deadline = '', hours, price, , currency = ''] = line.split(',');
    const row = {
      server,
      repository,
      start: new Date(start),
      deadline: new Date(deadline),
      hours: numberOf(hours),
      pricePerHour: numberOf(price),
      currency,
    };
    const numbers = [row.start.getTime(), row.deadline.getTime(), row.hours ?? 0, row.pricePerHour ?? 0];
    if (currency === '' || numbers.some((number) => Number.isNaN(number))) throw unreadable(index + 2, line);
    return [row];
  });
}

export function hoursText(rows: readonly ServerHours[]): string {
  const lines = rows.map((row) => {
    const cost = row.hours === undefined ? undefined : costOf(row);
    return [
      ...[row.server, row.repository, row.start.toISOString(), row.deadline.toISOString()],
      ...[row.hours?.toFixed(3) ?? '', row.pricePerHour ?? '', cost?.toFixed(4) ?? '', row.currency],
    ].join(',');
  });
  return `${[COLUMNS, ...lines].join('\n')}\n`;
}

/** What servers cost that were started in this calendar month (UTC). One whose end nobody has seen counts to its deadline. */
export function spentInMonth(
  rows: readonly ServerHours[],
  now: Date,
  currency: string,
): { readonly cost: number; readonly uncounted: number } {
  const month = now.toISOString().slice(0, 7);
  const costs = rows
    .filter(({ start }) => start.toISOString().startsWith(month))
    .map((row) => (row.currency === currency ? costOf(row) : undefined));
  return {
    cost: costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
    uncounted: costs.filter((cost) => cost === undefined).length,
  };
}

/** How long it may run. */
export function longestHours({ start, deadline }: Pick<ServerHours, 'start' | 'deadline'>): number {
  return (deadline.getTime() - start.getTime()) / 3_600_000;
}

/** Of one whose end nobody has seen, until its deadline; `undefined` when nobody knows its price. */
export function costOf(row: ServerHours): number | undefined {
  const { hours = longestHours(row), pricePerHour } = row;
  return pricePerHour === undefined ? undefined : hours * pricePerHour;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

function unreadable(line: number, found: string): DiatomError {
  return new DiatomError(
    'OWNCLOUD',
    `Line ${line} of ${HOURS_FILE} can’t be read: expected is ${COLUMNS}, found “${found.slice(0, 200)}”. Put back the file’s last version in ownCloud, or delete the line.`,
  );
}

export function money(amount: number, { currency }: Pick<ServerHours, 'currency'>): string {
  return `${amount.toFixed(amount > 0 && amount < 0.1 ? 4 : 2)} ${currency}`;
}

export function formatHours(hours: number): string {
  return `${hours >= 0.1 ? trimmed(hours) : hours.toFixed(3)} h`;
}

/** With two places at most. */
export function trimmed(number: number): string {
  return number.toFixed(2).replace(/\.?0+$/, '');
}
