import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleOf, ROOT, readActionMetadata } from '../action-metadata.ts';
import { makeZips } from './images.ts';
import { type Figures, median, medianFigures } from './measure.ts';
import { performancePage } from './page.ts';
import { runOurs, runShell } from './pipelines.ts';
import { type Servers, startServers } from './servers.ts';

const HELP = `Usage: npm run bench -- [options]

Measures the action against a shell pipeline, on Linux with curl, unzip and zip, and apache2 where it is installed.
  --rounds N        how often each is measured (default 3)
  --size-gb N       how many gigabytes of images (default 1); they are made once and kept in --cache
  --larger-gb N     how many gigabytes to compare memory with (default 4; 0: none)
  --cache FOLDER    where the images are kept (default: a folder among the temporary files)
  --output FILE     the page to write (default: docs/performance.md)
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      'size-gb': { type: 'string', default: '1' },
      'larger-gb': { type: 'string', default: '4' },
      cache: { type: 'string', default: join(tmpdir(), 'diatom-bench') },
      output: { type: 'string', default: join(ROOT, 'docs', 'performance.md') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const rounds = Number(values.rounds);
  const gigabytes = Number(values['size-gb']);
  const largerGigabytes = Number(values['larger-gb']);

  const starts = measureStarts();
  const compared = await withServers(values.cache, gigabytes, async (servers) => {
    const runs = {
      ours: (workspace: string) => runOurs(servers, workspace),
      shell6: (workspace: string) => runShell(servers, workspace, 6),
      shell0: (workspace: string) => runShell(servers, workspace, 0),
    };
    const figures: Record<keyof typeof runs, Figures[]> = { ours: [], shell6: [], shell0: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const name of ['ours', 'shell6', 'shell0'] as const) {
        figures[name].push(await inFreshFolder(values.cache, servers, `round ${round}, ${name}`, runs[name]));
      }
    }
    const { ours, shell6, shell0 } = figures;
    const medians = { ours: medianFigures(ours), shell6: medianFigures(shell6), shell0: medianFigures(shell0) };
    return { ...medians, servers: servers.name };
  });
  const larger = new Map<number, Figures>();
  if (largerGigabytes > 0) {
    const figures = await withServers(values.cache, largerGigabytes, (servers) =>
      inFreshFolder(values.cache, servers, `${largerGigabytes} GB, ours`, (folder) => runOurs(servers, folder)),
    );
    larger.set(largerGigabytes, figures);
  }
  const page = performancePage({ ...compared, ...starts, gigabytes, rounds, larger });
  await writeFile(values.output, page);
  console.log(`\n${page}\nWritten to ${values.output}`);
}

async function withServers<T>(cache: string, gigabytes: number, use: (servers: Servers) => Promise<T>): Promise<T> {
  console.log(`${gigabytes} GB of images …`);
  await mkdir(cache, { recursive: true });
  const zips = await makeZips(cache, gigabytes * 1e9);
  const temporary = await mkdtemp(join(cache, 'servers-'));
  const servers = await startServers(zips, temporary);
  try {
    return await use(servers);
  } finally {
    await servers.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Nothing of an earlier run is left, neither in a folder nor waiting to be written to the disk. */
async function inFreshFolder(
  cache: string,
  servers: Servers,
  name: string,
  run: (folder: string) => Promise<Figures>,
): Promise<Figures> {
  const folder = await mkdtemp(join(cache, 'workspace-'));
  try {
    execFileSync('sync');
    const figures = await run(folder);
    console.log(`${name}: ${figures.seconds.toFixed(1)} s, ${Math.round(figures.peakBytes / 2 ** 20)} MB`);
    return figures;
  } finally {
    await rm(folder, { recursive: true, force: true });
    await servers.empty();
  }
}

/** How long the bundle takes to find that its inputs are missing, and Node to do nothing, in seconds. */
function measureStarts(): { bundleStart: number; nodeStart: number } {
  const bundle = bundleOf('prepare-data', readActionMetadata('prepare-data'));
  const seconds = (...args: readonly string[]): number => {
    const start = performance.now();
    spawnSync(process.execPath, args, { env: {}, stdio: 'ignore' });
    return (performance.now() - start) / 1_000;
  };
  const [bundleStarts, nodeStarts]: [number[], number[]] = [[], []];
  for (let round = 0; round < 15; round++) {
    bundleStarts.push(seconds(bundle));
    nodeStarts.push(seconds('-e', '0'));
  }
  return { bundleStart: median(bundleStarts), nodeStart: median(nodeStarts) };
}

await main();
