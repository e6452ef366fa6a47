import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { runAction } from '../run-action.ts';
import { startOwncloudServer } from '../stand-ins/owncloud-server.ts';
import type { Bench, Measured } from './bench.ts';
import { median } from './measure.ts';

/** What each request costs, as on a server far away that has a database to ask. */
export const REQUEST_MS = 100;

const USER = { username: 'bench', password: 'bench' };
const FILES = ['classes.json', 'metrics.json', 'training-images.csv', 'provenance.json', 'MODEL_CARD.md', 'README.md'];

/** Publishing a small model in the place of another, where what takes time is the number of requests. */
export async function measurePublish({ folder, rounds }: Bench): Promise<Measured> {
  const directory = await mkdtemp(join(folder, 'server-'));
  let spans: { readonly start: number; readonly end: number }[] = [];
  const server = await startOwncloudServer({
    directory,
    ...USER,
    hook: async (_, proceed) => {
      const start = performance.now();
      await sleep(REQUEST_MS);
      const answer = await proceed();
      spans.push({ start, end: performance.now() });
      return answer;
    },
  });
  const measured: Record<string, number[]> = { seconds: [], requests: [], roundTrips: [], byHandSeconds: [] };
  const time = async (name: string, work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    measured[name]?.push((performance.now() - start) / 1_000);
  };
  try {
    for (let round = 0; round <= rounds; round++) {
      const [version, model] = [`v${round}`, modelIn(await mkdtemp(join(folder, 'model-')), round)];
      spans = [];
      // The first one replaces nothing.
      await time(round === 0 ? '' : 'seconds', () => publish(server.url, model, version));
      if (round === 0) continue;
      measured['requests']?.push(spans.length);
      measured['roundTrips']?.push(inARow(spans));
      await time('byHandSeconds', () => byHand(server.url, model, `by hand ${version}`));
    }
  } finally {
    await server.close();
  }
  const facts = Object.fromEntries(Object.entries(measured).map(([name, values]) => [name, median(values)]));
  console.log(`  ${JSON.stringify(facts)}`);
  return { runs: {}, facts, missing: [] };
}

function modelIn(folder: string, round: number): string {
  const figures = { precision: 0.9, recall: 0.9, f1: 0.9, support: 10 };
  const metrics = {
    ...{ format: 1, accuracy: 0.9, accuracy_ci: [0.85, 0.95], macro_f1: 0.9, macro_f1_ci: [0.84, 0.96], n_test: 20 },
    ...{ labels: ['a', 'b'], classes: { a: figures, b: figures } },
  };
  const texts: Readonly<Record<string, string>> = {
    'classes.json': '["a","b"]',
    'metrics.json': JSON.stringify(metrics),
    'provenance.json': '{}',
    'training-images.csv': `sha256,group\n${'0'.repeat(64)},\n`,
  };
  for (const name of FILES) writeFileSync(join(folder, name), texts[name] ?? '# Model\n');
  writeFileSync(join(folder, 'model.pth'), Buffer.alloc(1e6, `weights ${round}`));
  return folder;
}

async function publish(url: string, model: string, version: string): Promise<void> {
  const workspace = join(model, '..', `workspace-${version}`);
  mkdirSync(workspace);
  const inputs = {
    ...{ 'model-dir': model, 'model-name': 'diatoms', version, 'no-worse-than-production': 'false' },
    ...{ 'worse-classes': 'allow', 'owncloud-url': url },
    ...{ 'owncloud-username': USER.username, 'owncloud-password': USER.password, 'owncloud-folder': 'data' },
  };
  const { exitCode, stdout, outputs } = await runAction({ action: 'publish-model', workspace, inputs });
  if (exitCode !== 0 || outputs['promoted'] !== 'true') throw new Error(`The action failed:\n${stdout}`);
}

/** The bare minimum by hand, one request after the other: a folder, its files, and its name. Nothing is checked or locked. */
async function byHand(url: string, model: string, name: string): Promise<void> {
  const root = `${url}/remote.php/dav/files/${USER.username}`;
  const [target, temporary] = [name, `${name}.new`].map((one) => `${root}/${encodeURIComponent(one)}/`);
  const requests = [
    `request = MKCOL\nurl = "${temporary}"`,
    ...['model.pth', ...FILES].map((file) => `upload-file = "${join(model, file)}"\nurl = "${temporary}${file}"`),
    `request = MOVE\nheader = "Destination: ${target}"\nurl = "${temporary}"`,
  ].map((request) => `${request}\nuser = "${USER.username}:${USER.password}"\nfail\nsilent\nshow-error`);
  const config = join(model, 'curl.txt');
  writeFileSync(config, requests.join('\nnext\n'));
  await promisify(execFile)('curl', ['--config', config]);
}

/** The most requests of which each began after the one before had its answer. */
function inARow(spans: readonly { readonly start: number; readonly end: number }[]): number {
  let [count, last] = [0, Number.NEGATIVE_INFINITY];
  for (const { start, end } of spans.toSorted((a, b) => a.end - b.end)) {
    if (start < last) continue;
    count++;
    last = end;
  }
  return count;
}
