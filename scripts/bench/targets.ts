import { median } from './measure.ts';
import type { CaseName, Place, Result } from './results.ts';

/** A figure that is to be reached. */
export interface Target {
  readonly name: CaseName;
  readonly text: string;
  /** What is allowed. */
  readonly limit: string;
  /** `undefined` where the result lacks what it needs. */
  readonly value: (result: Result) => number | undefined;
  readonly met: (value: number) => boolean;
  readonly show: (value: number) => string;
  /** Where it counts, if not everywhere that the case is measured. */
  readonly places?: readonly Place[];
}

const times = (value: number) => `${value.toFixed(2)} ×`;
const MEGABYTES = 1e6;
const MEBIBYTES = 2 ** 20;

export const TARGETS: readonly Target[] = [
  ratio('A', '(a) shell with `zip -0`; chunked upload', 0.5, (r) => over(seconds(r, 'ours'), seconds(r, 'shell0'))),
  ratio('A', '(b) shell with `zip -6`; chunked upload', 0.2, (r) => over(seconds(r, 'ours'), seconds(r, 'shell6'))),
  ratio('A', '(c) the first version; chunked upload', 0.1, (r) => over(seconds(r, 'ours'), seconds(r, 'python'))),
  ratio('A', '(a) with Apache, by PUT', 0.75, (r) => over(seconds(r, 'ours-put'), seconds(r, 'shell0-put'))),
  ratio('A', '(a) with `keep-data: false`; chunked upload', 0.35, (r) =>
    over(seconds(r, 'ours-nodata'), seconds(r, 'shell0')),
  ),
  ratio('B', 'chunked upload: time over the slower of download and upload', 1.1, (r) =>
    over(seconds(r, 'ours'), largest(seconds(r, 'download'), seconds(r, 'upload'))),
  ),
  ratio('B', 'without: time over the sum of both', 1.05, (r) =>
    over(seconds(r, 'ours-put'), sum(seconds(r, 'download'), seconds(r, 'upload'))),
  ),
  ratio('C', 'time for more bytes over linear growth', 1.05, (r) =>
    over(over(seconds(r, 'larger'), seconds(r, 'base')), r.facts['factor']),
  ),
  ratio('C', 'time for more images over linear growth', 1.05, (r) =>
    over(over(seconds(r, 'many'), seconds(r, 'small')), r.facts['imagesFactor']),
  ),
  {
    name: 'C',
    text: 'peak memory, the largest of all',
    limit: '≤ 200 MiB',
    value: (r) => {
      const peaks = ['base', 'larger', 'small', 'many'].map((variant) => memory(r, variant));
      return peaks.reduce(largest);
    },
    met: (value) => value <= 200 * MEBIBYTES,
    show: (value) => `${Math.round(value / MEBIBYTES)} MiB`,
  },
  flat('peak memory for more bytes, against `base`', (r) => over(memory(r, 'larger'), memory(r, 'base'))),
  flat('peak memory for 7 × the images, against `base`', (r) => over(memory(r, 'many'), memory(r, 'base'))),
  ratio('D', '(a) shell with `zip -0`', 0.6, (r) => over(seconds(r, 'ours'), seconds(r, 'shell0'))),
  {
    name: 'F',
    text: 're-run with nothing changed',
    limit: '≤ 3 s',
    value: (r) => seconds(r, 'ours'),
    met: (value) => value <= 3,
    show: (value) => `${value.toFixed(2)} s`,
  },
  {
    name: 'F',
    text: 'scheduled run with nothing changed',
    limit: '≤ 1 s',
    value: (r) => seconds(r, 'ours-standing'),
    met: (value) => value <= 1,
    show: (value) => `${value.toFixed(2)} s`,
  },
  {
    name: 'F',
    text: 'source bytes downloaded, all rounds',
    limit: '0',
    value: (r) => r.facts['sentBytes'],
    met: (value) => value === 0,
    show: (value) => value.toLocaleString('en-US'),
  },
  {
    name: 'low-disk',
    text: 'peak disk above the largest source zip',
    limit: '≤ 300 MB',
    value: (r) => {
      const peak = disk(r, 'ours');
      const zip = r.facts['largestZipBytes'];
      return peak === undefined || zip === undefined ? undefined : peak - zip;
    },
    met: (value) => value <= 300 * MEGABYTES,
    show: (value) => `${Math.round(value / MEGABYTES)} MB`,
  },
  {
    name: 'look',
    text: 'looking at every image, of the processor time of a run',
    limit: '≤ 5 %',
    value: (r) => over(r.facts['lookSeconds'], cpuSeconds(r, 'ours')),
    met: (value) => value <= 0.05,
    show: (value) => `${(100 * value).toFixed(1)} %`,
  },
  {
    name: 'publish',
    text: 'requests that wait for each other, for a model of 7 files',
    limit: '≤ 20',
    value: (r) => r.facts['roundTrips'],
    met: (value) => value <= 20,
    show: String,
  },
  // Nine tenths of the rate of `curl`.
  ratio('upload', 'a file of 1 GB, over `curl`', 1 / 0.9, (r) =>
    over(seconds(r, 'ours-quick'), seconds(r, 'curl-quick')),
  ),
  ratio('upload', '150 MB where a file or piece costs 4 s, over `curl`', 1.3, (r) =>
    over(seconds(r, 'ours-slow'), seconds(r, 'curl-slow')),
  ),
  ratio('upload', '150 MB where a file or piece costs 4 s, and putting together too, over `curl`', 1.3, (r) =>
    over(seconds(r, 'ours-slowest'), seconds(r, 'curl-slowest')),
  ),
  ratio('dataset', 'from the server to the unpacked folder, over `curl` and `unzip`', 1.1, (r) =>
    over(seconds(r, 'ours'), seconds(r, 'byHand')),
  ),
  {
    name: 'start',
    text: 'start of the bundle, over `node -e 0`',
    limit: '≤ 0.10 s',
    value: (r) => {
      const { bundleStart, nodeStart } = r.facts;
      return bundleStart === undefined || nodeStart === undefined ? undefined : bundleStart - nodeStart;
    },
    met: (value) => value <= 0.1,
    show: (value) => `${value.toFixed(3)} s`,
  },
  {
    name: 'start',
    text: '`dist/prepare-data` without the artifact client',
    limit: '≤ 1.5 MB',
    value: (r) => r.facts['bundleBytes'],
    met: (value) => value <= 1.5 * MEGABYTES,
    show: (value) => `${(value / MEGABYTES).toFixed(2)} MB`,
  },
];

function ratio(name: CaseName, text: string, limit: number, value: Target['value']): Target {
  return { name, text, limit: `≤ ${Number(limit.toFixed(2))} ×`, value, met: (found) => found <= limit, show: times };
}

function flat(text: string, value: Target['value']): Target {
  return { name: 'C', text, limit: '0.90–1.10 ×', value, met: (found) => found >= 0.9 && found <= 1.1, show: times };
}

/** Of the rounds, the median. */
function seconds({ runs }: Result, variant: string): number | undefined {
  const rounds = runs[variant];
  return rounds && median(rounds.map((round) => round.seconds));
}

function cpuSeconds({ runs }: Result, variant: string): number | undefined {
  const rounds = runs[variant];
  return rounds && median(rounds.map((round) => round.cpuSeconds));
}

function memory({ runs }: Result, variant: string): number | undefined {
  const rounds = runs[variant];
  return rounds && median(rounds.map((round) => round.peakMemoryBytes));
}

/** Of the rounds, the largest: a disk that is full once has failed once. */
function disk({ runs }: Result, variant: string): number | undefined {
  const rounds = runs[variant];
  return rounds && Math.max(...rounds.map((round) => round.peakDiskBytes));
}

function over(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left / right;
}

function sum(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right;
}

function largest(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : Math.max(left, right);
}
