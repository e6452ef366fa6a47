import type { Month } from './lab.ts';

/** Per class, how many images became what; nothing stands here of a class to which nothing has happened. */
export type Changes = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What went wrong, in a run's own words. */
export function errorsOf({ log }: Month): string[] {
  return [...log.matchAll(/::error::(.*)/g)].map(([, message = '']) => message);
}

/** What a run's summary says has changed since the data set before. */
export function changesSaid({ log }: Month): Changes {
  const [, table = ''] = /^### Changes since the data set before\n\n((?:\|.*\n)+)/m.exec(log) ?? [];
  const [heads = [], , ...rows] = table.trim().split('\n').map(cellsOf);
  const [, ...names] = heads;
  return Object.fromEntries(
    rows.map(([label, ...cells]) => {
      const numbers = cells.map((cell, index) => [names[index] ?? '', Number(cell)] as const);
      return [label, Object.fromEntries(numbers.filter(([, number]) => number !== 0))];
    }),
  );
}

/** Of a row in Markdown. */
function cellsOf(row: string): string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
