import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import type { Task } from '../../src/publish-model/inputs.ts';
import { publish } from '../../src/publish-model/publish.ts';
import { requireCommand } from '../helpers/commands.ts';
import { modelDir, promoteTask, publishTask } from '../helpers/model.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { table } from '../helpers/table.ts';
import { WEBDAV_SERVERS, type WebdavServer } from '../helpers/webdav-servers.ts';

/** Reads a server; with the part that every change is tried by, fewer. */
const READS = process.env['DIATOM_FAULTS'] === 'some' ? 60 : 450;

/** Prints a line for each read: the version, and the sum of the weights that came with it. */
const PROGRAM = `
import hashlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("reader", sys.argv[1])
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
for _ in range(int(sys.argv[5])):
    version, files = reader.read_production(*sys.argv[2:5], tries=2000, pause=0.01)
    print(version, hashlib.sha256(files["model.pth"] + files["classes.json"] + files["metrics.json"]).hexdigest(), flush=True)
`;

async function run(server: WebdavServer, task: Task): Promise<void> {
  const http = createHttpClient();
  try {
    await publish(
      {
        owncloud: server,
        training: undefined,
        about: { author: '', contact: '', license: '', citation: '' },
        ...{
          dataFolder: '',
          modelsFolder: 'models',
          modelName: 'diatoms',
          keepVersions: undefined,
          githubToken: '',
          task,
        },
      },
      task,
      {
        http,
        env: {},
        signal: new AbortController().signal,
        now: () => new Date(),
        onWarning: () => {},
        onStored: () => {},
        patience: { staleMs: 3_600_000, waitMs: 60_000, pollMs: 5 },
      },
    );
  } finally {
    await http.close();
  }
}

function startReader({ filesUrl, username, password }: WebdavServer): ChildProcess & { lines(): string[] } {
  const program = join(temporaryFolder('reader'), 'reads.py');
  writeFileSync(program, PROGRAM);
  const script = join(import.meta.dirname, '../../templates/serving/read_production.py');
  const args = [script, `${filesUrl}models/diatoms/production`, username, password, String(READS)];
  const child = spawn('python3', [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return Object.assign(child, { lines: () => text.trim().split('\n') });
}

/** Reads production again and again while two versions take turns in it. */
async function readWhileSwapped(start: () => Promise<WebdavServer>): Promise<void> {
  requireCommand('python3', '“apt-get install python3”');
  const server = await start();
  onTestFinished(() => server.close());
  const sums = new Map<string, string>();
  for (const version of ['v1', 'v2']) {
    const folder = await modelDir(version, { 'MODEL_CARD.md': `# ${version}\n` });
    await run(server, publishTask(folder, version));
    const files = await Promise.all(
      ['model.pth', 'classes.json', 'metrics.json'].map((name) => readFile(join(folder, name))),
    );
    sums.set(version, createHash('sha256').update(Buffer.concat(files)).digest('hex'));
  }
  const reader = startReader(server);
  const ended = once(reader, 'close');
  let swaps = 0;
  while (reader.exitCode === null) {
    swaps++;
    await run(server, promoteTask(swaps % 2 === 1 ? 'v1' : 'v2'));
  }
  const [exitCode] = await ended;
  expect(exitCode).toBe(0);
  expect(reader.lines()).toHaveLength(READS);
  const mixtures = reader.lines().filter((line) => {
    const [version = '', sum] = line.split(' ');
    return sums.get(version) !== sum;
  });
  expect(mixtures).toEqual([]);
  // Else nothing would have been shown.
  expect(new Set(reader.lines().map((line) => line.split(' ')[0])).size).toBe(2);
  process.stdout.write(`${READS} reads during ${swaps} swaps, ${mixtures.length} mixtures\n`);
}

table(
  'readers of production',
  ['rclone', 'Apache mod_dav'].map((name) => ({
    name: `${name}: ${READS} reads while production is swapped, no mixture`,
    prove: () => readWhileSwapped(WEBDAV_SERVERS[name] ?? (() => Promise.reject(new Error(`no ${name}`)))),
  })),
);
