import { CHANGES } from '../dataset/changes.ts';
import type { ClassCount } from '../dataset/tally.ts';
import { formatBytes } from '../format.ts';
import { escapeMarkdown, markdownList, markdownTable } from '../runner/markdown.ts';
import { VERIFIED } from './deliver-archive.ts';
import type { ArchiveOutcome, Outcome, StandingArchive } from './outcome.ts';
import { countLeftOut } from './report-data.ts';

/** More classes than this make the chart unreadable; the table stays. */
const MAX_CHART_CLASSES = 60;

/**
 * The job summary of a run, as GitHub Markdown.
 *
 * @param failure why the upload failed, when it did
 */
export function summaryMarkdown(outcome: Outcome, failure?: string): string {
  const { archive, standing, classes, changes, seed, warnings, leftOut } = outcome;
  const sections = [
    archive || standing ? '## Diatom data set' : '## Diatom data set (dry run: nothing archived, nothing uploaded)',
    failure === undefined ? '' : cautionMarkdown(failure),
    standing ? standingMarkdown(standing) : '',
    factsTable(outcome),
    warnings.length === 0 ? '' : `### Warnings\n\n${markdownList(warnings)}`,
    `### Classes\n\n${classTable(classes)}`,
    classChart(classes),
    changes === undefined ? '' : `### Changes since the data set before\n\n${changesTable(changes)}`,
    leftOut.length === 0 ? '' : `### Left out\n\n${leftOutTable(leftOut)}`,
    `The same zips, options and seed \`${seed}\` give the same split again${changes ? ', after the same data set before' : ''}.`,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** The job summary of a run that failed before there was a data set. */
export function failureMarkdown(failure: string): string {
  return `## Diatom data set\n\n${cautionMarkdown(failure)}\n`;
}

function cautionMarkdown(text: string): string {
  return `> [!CAUTION]\n> ${text.split('\n').map(escapeMarkdown).join('<br>\n> ')}`;
}

function standingMarkdown({ name, server }: StandingArchive): string {
  return `> [!NOTE]\n> **Nothing is new**: all zips and options are those of the last archive. \`${name}\` on ${escapeMarkdown(server)} stands, and nothing was uploaded. \`force: true\` makes a new one anyway.`;
}

function factsTable({ archive, standing, classes, seed, dataIdentity }: Outcome): string {
  const { train, test } = totals(classes);
  const rows = [
    ['Images', `${train + test}: ${train} train, ${test} test`],
    ['Classes', String(classes.size)],
    ['Seed', `\`${seed}\``],
    ...(archive ? archiveRows(archive) : []),
    ...(standing ? standingRows(standing) : []),
    ...(dataIdentity === undefined ? [] : [['Data identity', `\`${dataIdentity}\``]]),
  ];
  return markdownTable(['Fact', 'Value'], rows);
}

function archiveRows({ name, path, facts, delivery }: ArchiveOutcome): string[][] {
  const rows = [
    ['Archive', `\`${name}\`, ${formatBytes(facts.bytes)}`],
    ['SHA-256', `\`${facts.sha256}\``],
  ];
  if (delivery) {
    const server = escapeMarkdown(delivery.server);
    const folder = escapeMarkdown(delivery.folder === '' ? 'the top folder' : delivery.folder);
    const place = delivery.page === undefined ? folder : `[${folder}](<${delivery.page}>)`;
    rows.push(['Uploaded to', `${place} on ${server}, ${VERIFIED[delivery.verified]}`]);
    rows.push(['WebDAV address', `\`${delivery.url}\``]);
    if (delivery.removed.length > 0) rows.push(['Deleted there', delivery.removed.map(escapeMarkdown).join(', ')]);
  }
  if (path !== undefined) rows.push(['Local archive', `\`${path}\``]);
  return rows;
}

function standingRows({ name, bytes, sha256, url, path }: StandingArchive): string[][] {
  return [
    ['Archive', `\`${name}\`, ${formatBytes(bytes)}`],
    ['SHA-256', `\`${sha256}\``],
    ['WebDAV address', `\`${url}\``],
    ...(path === undefined ? [] : [['Local archive', `\`${path}\``]]),
  ];
}

function classTable(classes: ReadonlyMap<string, ClassCount>): string {
  const rows = [...classes].map(([label, { train, test }]) => [
    escapeMarkdown(label),
    String(train),
    String(test),
    String(train + test),
  ]);
  const { train, test } = totals(classes);
  const sum = ['**All**', `**${train}**`, `**${test}**`, `**${train + test}**`];
  return markdownTable(['Class', 'Train', 'Test', 'Images'], [...rows, sum], ['Train', 'Test', 'Images']);
}

/** A bar a class. The second series is drawn over the first, so the bars look stacked: all images, and test of them. */
function classChart(classes: ReadonlyMap<string, ClassCount>): string {
  if (classes.size > MAX_CHART_CLASSES) return '';
  const counts = [...classes.values()];
  const labels = [...classes.keys()].map((label) => `"${label.replaceAll('"', '')}"`);
  return [
    '```mermaid',
    '---',
    'config:',
    '  xyChart:',
    '    width: 900',
    `    height: ${120 + 28 * classes.size}`,
    '  themeVariables:',
    '    xyChart:',
    '      plotColorPalette: "#d99a3b, #0f766e"',
    '---',
    'xychart-beta horizontal',
    '  title "Images per class: test (green) and train (ochre)"',
    `  x-axis [${labels.join(', ')}]`,
    // Without bounds, the axis would begin at the smallest number.
    `  y-axis "Images" 0 --> ${Math.max(...counts.map(({ train, test }) => train + test))}`,
    `  bar [${counts.map(({ train, test }) => train + test).join(', ')}]`,
    `  bar [${counts.map(({ test }) => test).join(', ')}]`,
    '```',
  ].join('\n');
}

function changesTable(changes: NonNullable<Outcome['changes']>): string {
  if (changes.size === 0) return 'None: the same images in the same classes, on the same sides.';
  const names = CHANGES.map(({ name }) => name);
  const rows = [...changes].map(([label, ofClass]) => [
    escapeMarkdown(label),
    ...CHANGES.map(({ change }) => String(ofClass[change])),
  ]);
  return markdownTable(['Class', ...names], rows, names);
}

function leftOutTable(leftOut: Outcome['leftOut']): string {
  const rows = countLeftOut(leftOut).map(({ reason, count, examples }) => [
    reason,
    String(count),
    examples.map(escapeMarkdown).join('<br>'),
  ]);
  return markdownTable(['Why', 'Files', 'For example'], rows, ['Files']);
}

function totals(classes: ReadonlyMap<string, ClassCount>): ClassCount {
  const counts = [...classes.values()];
  return {
    train: counts.reduce((sum, { train }) => sum + train, 0),
    test: counts.reduce((sum, { test }) => sum + test, 0),
  };
}
