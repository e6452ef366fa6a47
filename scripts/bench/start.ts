import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Measured } from './bench.ts';
import { median } from './measure.ts';
import { bundleFolder } from './results.ts';

const STARTS = 15;

/** Only the client for workflow artifacts has it; it is loaded when an artifact is to be uploaded. */
const ARTIFACT_MARK = 'github.actions.results.api.v1.ArtifactService';

/**
 * How long the bundle takes to find that its inputs are missing, and Node to do nothing; how large the bundle is; and how
 * fast the disk is written to.
 */
export async function measureStart({ folder }: Bench): Promise<Measured> {
  const bundle = bundleFolder();
  const [bundleStarts, nodeStarts]: [number[], number[]] = [[], []];
  for (let round = 0; round < STARTS; round++) {
    bundleStarts.push(secondsOf(process.execPath, [join(bundle, 'index.js')]));
    nodeStarts.push(secondsOf(process.execPath, ['-e', '0']));
  }
  const files = readdirSync(bundle).map((name) => join(bundle, name));
  const eager = files.filter((file) => !readFileSync(file, 'utf8').includes(ARTIFACT_MARK));
  const bundleBytes = eager.reduce((sum, file) => sum + statSync(file).size, 0);
  const facts = {
    bundleStart: median(bundleStarts),
    nodeStart: median(nodeStarts),
    bundleBytes,
    lazyBytes: files.reduce((sum, file) => sum + statSync(file).size, 0) - bundleBytes,
    diskBytesPerSecond: diskRate(folder),
  };
  console.log(`  ${JSON.stringify(facts)}`);
  return { runs: {}, facts, missing: [] };
}

function secondsOf(program: string, args: readonly string[]): number {
  const start = performance.now();
  spawnSync(program, args, { env: {}, stdio: 'ignore' });
  return (performance.now() - start) / 1_000;
}

/** Writes a gigabyte until it is on the disk. */
function diskRate(folder: string): number {
  const file = join(folder, 'zeros');
  execFileSync('sync');
  const start = performance.now();
  execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', 'count=1000', 'conv=fsync', 'status=none']);
  const seconds = (performance.now() - start) / 1_000;
  rmSync(file);
  return (1_000 * 2 ** 20) / seconds;
}
