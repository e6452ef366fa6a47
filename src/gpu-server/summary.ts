import { formatHours } from '../model/gpu-hours.ts';
import { escapeMarkdown, markdownList, markdownTable } from '../runner/markdown.ts';
import type { ListedServer } from './driver.ts';
import type { Inputs } from './inputs.ts';
import { sum } from './max-price.ts';
import type { ReapedServer } from './reap.ts';
import type { StartedServer } from './start.ts';
import type { StatusReport } from './status-mode.ts';
import type { StoppedServer } from './stop.ts';

type Price = Pick<Inputs, 'pricePerHour' | 'currency'>;

/** A job summary, as GitHub Markdown: a failure first, then what there is to show. */
export function summaryMarkdown(failure: string | undefined, warnings: readonly string[], sections: string[]): string {
  const parts = [
    '## GPU server',
    failure === undefined ? '' : `> [!CAUTION]\n> ${escapeMarkdown(failure)}`,
    warnings.length === 0 ? '' : `### Warnings\n\n${markdownList(warnings)}`,
    ...sections,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

export function startedSection(
  { deadline, runsOn, pricePerHour, reaped }: StartedServer,
  server: string,
  inputs: Pick<Inputs, 'name' | 'maxMinutes' | 'currency'>,
): string {
  const hours = inputs.maxMinutes / 60;
  const facts = markdownTable(
    ['', ''],
    [
      ['Server', code(inputs.name)],
      ['What it is', escapeMarkdown(server)],
      ['Labels of its runner', runsOn.map(code).join(', ')],
      ...(deadline === undefined
        ? []
        : [
            ['Ends at the latest', `${code(deadline.toISOString())}, after ${formatHours(hours)}`],
            ['Costs at most', cost(hours, { ...inputs, pricePerHour }) ?? 'not known: set price-per-hour'],
          ]),
    ],
  );
  const found = reaped.length === 0 ? '' : `\n\n${reapedSection(reaped)}`;
  return `${facts}${found}`;
}

/** @param leftovers servers of other runs that are still there */
export function stoppedSection(
  stopped: readonly StoppedServer[],
  leftovers: readonly ListedServer[],
  price: Price,
): string {
  const rows = stopped.map(({ name, existed, detail, hours, pricePerHour }) => [
    code(name),
    existed === false ? 'there was none' : 'gone',
    hours === undefined ? 'not known' : formatHours(hours),
    (hours === undefined ? undefined : cost(hours, { ...price, pricePerHour: price.pricePerHour ?? pricePerHour })) ??
      'not known',
    escapeMarkdown(detail),
  ]);
  const figures = ['Ran', 'Cost'];
  return [
    markdownTable(['Server', 'Is', ...figures, ''], rows, figures),
    leftovers.length === 0 ? '' : `### Other servers of this repository\n\n${serverTable(leftovers)}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function statusSection({ checks, servers }: StatusReport): string {
  const rows = checks.map(({ name, ok, result }) => [ok ? '✅' : '❌', escapeMarkdown(name), escapeMarkdown(result)]);
  const table = markdownTable(['', 'Check', 'Result'], rows);
  return servers.length === 0 ? table : `${table}\n\n### Servers of this repository\n\n${serverTable(servers)}`;
}

const OUTCOMES: Readonly<Record<ReapedServer['outcome'], string>> = {
  stopped: 'stopped',
  kept: 'left alone',
  unclear: '⚠️ left alone',
  failed: '❌ may still run',
};

/** @param removed registrations of runners that were removed */
export function reapedSection(reaped: readonly ReapedServer[], removed: readonly string[] = []): string {
  const rows = reaped.map(({ server, outcome, why }) => [
    code(server.name),
    server.state,
    formatDeadline(server.deadline),
    OUTCOMES[outcome],
    escapeMarkdown(why),
  ]);
  const table =
    rows.length === 0
      ? 'No server of this repository was left behind.'
      : `### Servers that were found\n\n${markdownTable(['Server', 'Was', 'Ends at the latest', 'Now', 'Because'], rows)}`;
  if (removed.length === 0) return table;
  return `${table}\n\n### Unused registrations of runners, removed\n\n${removed.map((name) => `- ${code(name)}`).join('\n')}`;
}

function serverTable(servers: readonly ListedServer[]): string {
  const rows = servers.map(({ name, state, detail, deadline }) => [
    code(name),
    state,
    formatDeadline(deadline),
    escapeMarkdown(detail),
  ]);
  return markdownTable(['Server', 'Is', 'Ends at the latest', ''], rows);
}

function formatDeadline(deadline: Date | undefined): string {
  return deadline === undefined ? 'not known' : code(deadline.toISOString());
}

function cost(hours: number, { pricePerHour, currency }: Price): string | undefined {
  return pricePerHour === undefined ? undefined : sum(hours, pricePerHour, { currency });
}

/** Text as it is; a backtick would end it. */
function code(text: string): string {
  return `\`${text.replaceAll('`', '')}\``;
}
