import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type RunningAction, startAction } from '../../scripts/run-action.ts';
import { startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { CLASSES, metrics } from '../helpers/model.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import type { Row } from '../helpers/table.ts';
import { drawPoint, endOf, eventOf, type Watch, watchEvents } from './kill-point.ts';
import { writeFiles } from './secrets-world.ts';

const PASSWORD = 'a password';
const MODEL = 'models/diatoms';

async function cloudAt(directory: string, watch: Watch) {
  const server = await startOwncloudServer({ directory, username: 'ada', password: PASSWORD, hook: watch.hook });
  onTestFinished(() => server.close());
  return server;
}

function publish(url: string, version: string, attempt: number): RunningAction {
  const workspace = temporaryFolder('workspace');
  writeFiles(workspace, {
    'model/model.pth': `weights ${version} `.repeat(5_000),
    'model/classes.json': JSON.stringify(CLASSES),
    'model/metrics.json': JSON.stringify(metrics()),
    'model/training-images.csv': 'sha256,group\n',
  });
  return startAction({
    action: 'publish-model',
    workspace,
    inputs: {
      ...{ 'model-dir': 'model', 'model-name': 'diatoms', version, 'no-worse-than-production': 'false' },
      ...{ 'owncloud-url': url, 'owncloud-username': 'ada', 'owncloud-password': PASSWORD },
    },
    // A run starts again only when it has ended, so the attempt after it need not wait for its lock to grow old.
    env: { GITHUB_RUN_ATTEMPT: String(attempt), GITHUB_API_URL: 'http://127.0.0.1:9' },
  });
}

interface Reference {
  readonly events: number;
  /** The files of a server with one model in production, by their paths. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

let reference: Promise<Reference> | undefined;

async function measure(): Promise<Reference> {
  const directory = temporaryFolder('cloud');
  const first = await cloudAt(directory, watchEvents());
  expect(await publish(first.url, 'v1', 1).result).toMatchObject({ exitCode: 0 });
  const files = Object.fromEntries(filesBelow(directory).map((path) => [path, readFileSync(join(directory, path))]));
  const watch = watchEvents();
  const second = await cloudAt(directory, watch);
  expect(await publish(second.url, 'v2', 1).result).toMatchObject({ exitCode: 0 });
  return { events: watch.count(), files };
}

/** Compares a folder with its sums by a program that nobody here wrote. @returns what VERSION says */
function soundVersion(folder: string): string {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
  return existsSync(join(folder, 'VERSION')) ? readFileSync(join(folder, 'VERSION'), 'utf8').trim() : '';
}

/** Whatever has a final name is whole, at any moment. */
function expectWhole(model: string): void {
  const folders = readdirSync(model, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) {
    if (!/^(v\d|production|production\.previous-[\d-]+-[0-9a-f]{8})$/.test(name)) continue;
    const version = soundVersion(join(model, name));
    if (name.startsWith('production')) expect(version).toMatch(/^v[12]$/);
  }
  const names = folders.map(({ name }) => name);
  expect(
    names.some((name) => name.startsWith('production')),
    'production, or what it can be put back from',
  ).toBe(true);
}

export function publishModelKills(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `publish-model, point ${index + 1}`;
    return {
      name,
      prove: async () => {
        reference ??= measure();
        const { events, files } = await reference;
        const point = drawPoint(name);
        const directory = temporaryFolder('cloud');
        writeFiles(directory, files);
        const watch = watchEvents();
        const { url } = await cloudAt(directory, watch);
        const action = publish(url, 'v2', 1);
        watch.arm(action, eventOf(point, events), point);
        await endOf(action);
        const model = join(directory, MODEL);
        expectWhole(model);
        const next = await publish(url, 'v2', 2).result;
        expect(next, next.stdout).toMatchObject({ exitCode: 0, outputs: { promoted: 'true' } });
        expectWhole(model);
        expect(soundVersion(join(model, 'production'))).toBe('v2');
        expect(readdirSync(model).filter((entry) => /uploading|deleting|\.next-/.test(entry))).toEqual([]);
      },
    };
  });
}
