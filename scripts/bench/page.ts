import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { imagesOf, LINK_BYTES_PER_SECOND } from './cases.ts';
import { describeSet } from './images.ts';
import { describeDisk, versionOf } from './machine.ts';
import { type Figures, median } from './measure.ts';
import { REQUEST_MS } from './publish.ts';
import { CASES, type CaseName, type Place, type Result } from './results.ts';
import { TARGETS, type Target } from './targets.ts';
import { UPLOADS } from './upload.ts';

export interface PageFacts {
  /** Names the bundle that was measured. */
  readonly bundle: string;
  /** On the disk that was measured. */
  readonly folder: string;
  readonly quick: boolean;
}

const PLACES: readonly Place[] = ['disk', 'tmpfs'];

/** The figures as one Markdown page. */
export function performancePage(results: readonly Result[], { bundle, folder, quick }: PageFacts): string {
  const find: Find = (name, place) => results.find((result) => result.name === name && result.place === place);
  const rate = find('start', 'disk')?.facts['diskBytesPerSecond'];
  const written = rate === undefined ? '' : `, written at ${Math.round(rate / 1e6)} MB/s`;
  return `# Performance

Measured by \`npm run bench\`, which writes this page. Ratios are seconds of the action over seconds of what it is compared
with, medians of alternating rounds; smaller is better.
${quick ? '\n**Small sizes, one round: this shows that everything works, and nothing about speed.**\n' : ''}
| Case | Figure | Target | On the disk | In memory (tmpfs) |
|---|---|---|---|---|
${TARGETS.map((target) => targetRow(target, find)).join('\n')}

| | |
|---|---|
| Machine | ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Linux ${release()}; the servers share it |
| Disk | ${describeDisk(folder)}${written} |
| Programs | Node ${process.versions.node}, ${['python3', 'apache2', 'curl', 'unzip', 'zip'].map(versionOf).join(', ')} |
| Bundles | \`dist/prepare-data\`, \`dist/publish-model\` and \`dist/train-model\`, SHA-256 ${bundle}… |

What the time of the missed ones is spent on: [Where the time goes](where-the-time-goes.md).

What is compared:

- **The action**: the shipped bundle with \`archive-content: results\`. It also checks every checksum, looks for identical
  images, plans, hashes every image, reads its size, writes manifest and report, and has the upload verified. In A–F and
  \`low-disk\` the bench compares the SHA-256 of what was stored with the output \`archive-sha256\`, after the clock has stopped.
- **(a), (b)**: \`curl\` (four downloads at a time), \`unzip\` (one a core), \`shuf\` and \`mv\`, \`zip -0\` or \`zip -6\`, \`curl -T\`.
- **(c)**: the first version's steps in Python, one after another: requests, zipfile, \`shutil.copy\`, \`make_archive\`, PUT.
- **Floor**: one copy of the bytes through the same servers and disk: \`curl | tee zip | curl -T -\`, four at a time.

Zips come from Apache. Chunked uploads (and what is compared with them, by PUT) go to a stand-in for ownCloud 10, which
writes every piece to its place in the file and makes no sums: a real ownCloud does more. B and F use servers of our own for
the zips too, which limit and count. All run in processes of their own. Before each run the disk is made to write all it
has (\`sync\`). CPU seconds are of a program and all that it started, not of the servers. Peak memory is the largest sum of the resident memory of a program and all that it started, looked at 20
times a second; peak disk is what the files of the workspace took up, looked at as often as a twentieth of a core allows.
The slower a thing, the fewer its rounds: each table has their number.
${CASES.map((name) => section(name, find, quick)).join('')}`;
}

type Find = (name: CaseName, place: Place) => Result | undefined;

function targetRow(target: Target, find: Find): string {
  const cells = PLACES.map((place) => {
    const result = find(target.name, place);
    if (!result) return '–';
    const value = target.value(result);
    if (value === undefined || Number.isNaN(value)) return 'not measured';
    return `${target.show(value)}, ${target.met(value) ? 'met' : '**missed**'}`;
  });
  return `| ${[target.name, target.text, target.limit, ...cells].join(' | ')} |`;
}

function section(name: CaseName, find: Find, quick: boolean): string {
  const results = PLACES.map((place) => find(name, place)).filter((result) => result !== undefined);
  if (results.length === 0) return '';
  const rows = results.flatMap((result) =>
    Object.entries(result.runs).map(([variant, rounds]) => variantRow(variant, rounds, result)),
  );
  const table =
    rows.length === 0
      ? []
      : [
          '| Where | What | Rounds | Seconds (least–most) | × floor | CPU seconds | Peak memory | Peak disk |',
          '|---|---|---:|---:|---:|---:|---:|---:|',
          ...rows,
        ];
  const missing = [...new Set(results.flatMap((result) => result.missing))];
  const paragraphs = [DESCRIPTIONS[name](quick, results), ...missing, table.join('\n')].filter((text) => text !== '');
  return `\n## ${TITLES[name]}\n\n${paragraphs.join('\n\n')}\n`;
}

const TITLES: Readonly<Record<CaseName, string>> = {
  start: 'Start and size',
  A: 'A: by hand, and the first version',
  B: 'B: two slow links',
  C: 'C: growth',
  D: 'D: many small images',
  E: 'E: large images that compress',
  F: 'F: nothing changed',
  'low-disk': 'low-disk',
  look: 'look: is every image a whole one?',
  publish: 'publish: many requests to a slow server',
  upload: 'upload: one large file',
  dataset: 'dataset: what a training begins with',
};

const DESCRIPTIONS: Readonly<Record<CaseName, (quick: boolean, results: readonly Result[]) => string>> = {
  start: (_quick, [result]) => {
    const { bundleStart = 0, nodeStart = 0, bundleBytes = 0, lazyBytes = 0 } = result?.facts ?? {};
    return `The bundle takes ${bundleStart.toFixed(3)} s until it refuses missing inputs, \`node -e 0\` ${nodeStart.toFixed(3)} s (medians of 15). It has ${(bundleBytes / 1e6).toFixed(2)} MB, and ${(lazyBytes / 1e6).toFixed(2)} MB that are loaded only to upload a workflow artifact.`;
  },
  A: (quick) => `${describeSet(imagesOf('base', quick))} in 10 zips.`,
  B: (quick) =>
    `${describeSet(imagesOf('base', quick))}; the servers limit both links to ${LINK_BYTES_PER_SECOND / 1e6} MB/s. “Only the upload” is of a file as large as the archive.`,
  C: (quick) =>
    `\`base\`: ${describeSet(imagesOf('base', quick))}; \`larger\`: ${describeSet(imagesOf('larger', quick))}, on tmpfs ${describeSet(imagesOf('twice', quick))}; \`small\`: ${describeSet(imagesOf('small', quick))}; \`many\`: ${describeSet(imagesOf('many', quick))}. The times of \`larger\` and \`many\` are compared with those of \`base\` and \`small\`.`,
  D: (quick) => `${describeSet(imagesOf('tiny', quick))}.`,
  E: (quick, [result]) => {
    const { archiveBytes = 0, zipBytes = 0 } = result?.facts ?? {};
    return `${describeSet(imagesOf('tiff', quick))}, not compressed. The source zips, deflated, have ${(zipBytes / 1e9).toFixed(2)} GB, the action’s archive ${(archiveBytes / 1e9).toFixed(2)} GB.`;
  },
  F: (quick) =>
    `${describeSet(imagesOf('base', quick))}, \`upload: false\`, on a runner that keeps its tool cache, in an empty workspace: the archive is made again. Where the last archive is on the server, as with a schedule, nothing is made, and what zips’ servers say decides. Its floor is one copy of the zips on the same disk.`,
  'low-disk': (quick, [result]) =>
    `${describeSet(imagesOf('larger', quick))}, \`low-disk: true\` and \`keep-data: false\`, chunked upload. The largest source zip has ${Math.round((result?.facts['largestZipBytes'] ?? 0) / 1e6)} MB.`,
  look: (quick, [result]) =>
    `${describeSet(imagesOf('base', quick))}, \`near-duplicates: off\`. To look at the structure of all of them, with the checksums of PNG, takes ${(result?.facts['lookSeconds'] ?? 0).toFixed(2)} s of a processor, measured apart.`,
  publish: (_quick, [result]) => {
    const { seconds = 0, requests = 0, roundTrips = 0, byHandSeconds = 0 } = result?.facts ?? {};
    return `A model of 7 files (1 MB) in the place of another, each request costs ${REQUEST_MS} ms: ${seconds.toFixed(2)} s for ${requests} requests, of which ${roundTrips} wait for each other. \`curl\` takes ${byHandSeconds.toFixed(2)} s for the bare minimum of 9, one after the other: MKCOL, 7 PUT, MOVE, without a lock, a check, a copy for production or its zip.`;
  },
  upload: () =>
    `To stand-ins for servers that take files in pieces, ${UPLOADS.quick.bytesPerSecond / 1e6} MB/s. A file, a piece, and putting pieces together cost ${UPLOADS.quick.storingMs} ms each beside the bytes; where storing is slow, a file or a piece costs ${UPLOADS.slow.storingMs / 1e3} s, and where all is slow, putting together as well. The action’s own upload of an archive, started from its sources: it signs in, looks at the folder, sends pieces, lets the server put them together, and compares size and sum. \`curl -T\` sends the file in one request and does nothing else.`,
  dataset: (quick, [result]) =>
    `An archive of ${describeSet(imagesOf('larger', quick))}, ${((result?.facts['archiveBytes'] ?? 0) / 1e9).toFixed(2)} GB, on Apache with mod_dav. *Train model* brings it to where the training would read it, checks every sum, and unpacks it; its start and sign-in count. Its floor is only the download.`,
};

const VARIANTS: Readonly<Record<string, string>> = {
  ours: 'the action',
  'ours-put': 'the action, PUT',
  'ours-nodata': 'the action, `keep-data: false`',
  'ours-standing': 'the action, with the last archive on the server and `keep-data: false`',
  'ours-put-nodata': 'the action, `keep-data: false`, PUT',
  shell0: '(a) `zip -0`',
  'shell0-put': '(a) `zip -0`, Apache',
  shell6: '(b) `zip -6`',
  python: '(c) first version',
  floor: 'floor',
  byHand: '`curl`, then `unzip`',
  'ours-quick': 'the action, 1 GB',
  'curl-quick': '`curl`, 1 GB',
  'ours-slow': 'the action, 150 MB, slow storing',
  'curl-slow': '`curl`, 150 MB, slow storing',
  'ours-slowest': 'the action, 150 MB, all slow',
  'curl-slowest': '`curl`, 150 MB, all slow',
  'floor-put': 'floor, Apache',
  'floor-base': 'floor, `base`',
  'floor-larger': 'floor, `larger`',
  download: 'only the download',
  upload: 'only the upload',
};

/** The floor of what has not the plain one. */
const FLOORS: Readonly<Record<string, string>> = {
  'ours-put': 'floor-put',
  'ours-put-nodata': 'floor-put',
  'shell0-put': 'floor-put',
  'floor-put': 'floor-put',
  base: 'floor-base',
  larger: 'floor-larger',
  'floor-base': 'floor-base',
  'floor-larger': 'floor-larger',
};

function variantRow(variant: string, rounds: readonly Figures[], { place, runs }: Result): string {
  const seconds = rounds.map((round) => round.seconds);
  const [middle, least, most] = [median(seconds), Math.min(...seconds), Math.max(...seconds)];
  const floor = runs[FLOORS[variant] ?? 'floor'];
  const spread = rounds.length > 1 ? ` (${least.toFixed(2)}–${most.toFixed(2)})` : '';
  return `| ${[
    place,
    VARIANTS[variant] ?? `the action, \`${variant}\``,
    rounds.length,
    `${middle.toFixed(2)}${spread}`,
    floor ? (middle / median(floor.map((round) => round.seconds))).toFixed(1) : '–',
    median(rounds.map((round) => round.cpuSeconds)).toFixed(1),
    `${Math.round(median(rounds.map((round) => round.peakMemoryBytes)) / 2 ** 20)} MiB`,
    `${(Math.max(...rounds.map((round) => round.peakDiskBytes)) / 1e9).toFixed(2)} GB`,
  ].join(' | ')} |`;
}
