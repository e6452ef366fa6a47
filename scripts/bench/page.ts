import { availableParallelism, totalmem } from 'node:os';
import type { Figures } from './measure.ts';

export interface Results {
  readonly gigabytes: number;
  readonly rounds: number;
  readonly servers: string;
  readonly ours: Figures;
  readonly shell6: Figures;
  readonly shell0: Figures;
  /** Ours with other amounts of images, by gigabytes. */
  readonly larger: ReadonlyMap<number, Figures>;
  /** Seconds. */
  readonly bundleStart: number;
  readonly nodeStart: number;
}

/** The figures as one Markdown page. */
export function performancePage(results: Results): string {
  const { gigabytes, rounds, servers, ours, shell6, shell0, larger, bundleStart, nodeStart } = results;
  const loading = bundleStart - nodeStart;
  const sizes = new Map([[gigabytes, ours], ...larger]);
  return `# Performance

Measured by \`npm run bench\`, which writes this page. What is compared: the shipped action, and the same work done with
\`curl\` (four downloads at a time), \`unzip\` (one a core), \`shuf\`, \`mv\`, \`zip\` and \`curl -T\`. The shell does only what
has to be done; the action also checks every checksum, looks for identical images, plans, hashes every image, reads its
size, writes manifest and report, and has the upload verified.

| | |
|---|---|
| Machine | ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB of memory, Linux, Node ${process.versions.node} |
| Images | ${gigabytes} GB in 10 zips, 80 to 120 KB each, compressed already, as PNG and JPEG are |
| Servers | ${servers}, on the same machine and sharing its cores |
| Rounds | ${rounds}, alternating; medians |

## Time and memory for ${gigabytes} GB

| | Seconds | Peak memory | Time against ours |
|---|---:|---:|---:|
| This action | ${ours.seconds.toFixed(1)} | ${megabytes(ours)} | 1 |
| Shell, \`zip -6\` (its default) | ${shell6.seconds.toFixed(1)} | ${megabytes(shell6)} | ${ratio(shell6, ours)} |
| Shell, \`zip -0\` (stores only) | ${shell0.seconds.toFixed(1)} | ${megabytes(shell0)} | ${ratio(shell0, ours)} |

${target(ours.seconds / shell6.seconds, 0.7, 'The action takes', (value) => `${value.toFixed(2)} of the time of the shell with \`zip -6\``)}

Peak memory is the largest sum of the resident memory of a program and all that it started, looked at 20 times a second.

## Memory for more images

| Images | Seconds | Peak memory |
|---|---:|---:|
${[...sizes].map(([size, figures]) => `| ${size} GB | ${figures.seconds.toFixed(1)} | ${megabytes(figures)} |`).join('\n')}

${target(Math.max(...[...sizes.values()].map(({ peakBytes }) => peakBytes / 2 ** 20)), 256, 'At every size the memory peaks at no more than', (value) => `${Math.round(value)} MB`)}

## Start

${target(loading, 0.15, 'Loading the action takes', (value) => `${value.toFixed(2)} s`, ' more than `node -e 0`')}
(${bundleStart.toFixed(3)} s against ${nodeStart.toFixed(3)} s, from the start of Node to the refusal of missing inputs.)
`;
}

function target(value: number, limit: number, what: string, text: (value: number) => string, end = ''): string {
  const verdict = value <= limit ? 'met' : '**missed**';
  return `${what} ${text(value)}${end} (target: at most ${limit}, ${verdict}).`;
}

function megabytes({ peakBytes }: Figures): string {
  return `${Math.round(peakBytes / 2 ** 20)} MB`;
}

function ratio(other: Figures, ours: Figures): string {
  return `${(other.seconds / ours.seconds).toFixed(2)} ×`;
}
