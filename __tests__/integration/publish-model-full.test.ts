import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runAction } from '../../scripts/run-action.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { run } from '../helpers/commands.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'publish-model', 'main.ts');
const LABELS = ['achnanthes', 'hannea'];
/** Two of these and what belongs to them are below 7 MB, three below 10. */
const WEIGHTS_BYTES = 3_000_000;

let workspace: string;
let server: ApacheServer;

/** Apache with a folder that is a small disk of its own, which really gets full. */
beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'workspace-'));
  for (const name of ['first', 'second']) await writeModel(name);
  server = await startApache();
  await run('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=777', 'tmpfs', server.directory]);
});

afterAll(async () => {
  if (server) {
    await run('umount', ['--lazy', server.directory]);
    await server.close();
  }
  await rm(workspace, { recursive: true });
});

async function writeModel(name: string): Promise<void> {
  const figures = { precision: 0.9, recall: 0.9, f1: 0.9, support: 10 };
  const classes = Object.fromEntries(LABELS.map((label) => [label, figures]));
  const metrics = { format: 1, accuracy: 0.9, macro_f1: 0.9, n_test: 20, labels: LABELS, classes };
  await mkdir(join(workspace, name));
  const files = {
    'model.pth': Buffer.alloc(WEIGHTS_BYTES, `weights ${name} `),
    'classes.json': JSON.stringify(LABELS),
    'metrics.json': JSON.stringify(metrics),
    'training-images.csv': 'sha256,group\n',
  };
  for (const [file, content] of Object.entries(files)) await writeFile(join(workspace, name, file), content);
}

const resize = (size: string) => run('mount', ['-o', `remount,size=${size}`, server.directory]);

function publish(inputs: Readonly<Record<string, string>>) {
  return runAction({
    action: 'publish-model',
    program: PROGRAM,
    workspace,
    inputs: {
      'model-name': 'diatoms',
      'owncloud-url': server.url,
      'owncloud-username': server.username,
      'owncloud-password': server.password,
      'no-worse-than-production': 'false',
      ...inputs,
    },
  });
}

const model = () => join(server.directory, 'models', 'diatoms');
const production = async () => ({
  version: await readFile(join(model(), 'production', 'VERSION'), 'utf8'),
  weights: await readFile(join(model(), 'production', 'model.pth')),
});
const folders = async () =>
  (await readdir(model(), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();

test('a disk that is full in the middle of the upload, then of the copy, leaves nothing half and loses nothing', async () => {
  const stored = await publish({ 'model-dir': 'first', version: 'v1' });
  expect(stored.exitCode, stored.stdout).toBe(0);
  const before = await production();

  const second = { 'model-dir': 'second', version: 'v2' };
  await resize('8m');
  const uploading = await publish(second);
  expect(uploading.exitCode).toBe(1);
  expect(uploading.stdout).toMatch(
    /::error::The version v2 was not stored, and production was not touched: .*no space left/,
  );
  expect(await folders()).toEqual(['production', 'v1']);
  expect(await production()).toEqual(before);

  await resize('11m');
  const copying = await publish(second);
  expect(copying.exitCode).toBe(1);
  expect(copying.stdout).toMatch(/::error::The version v2 lies whole in .*run with promote-version: v2/);
  expect(copying.stdout).toMatch(/::error::.*no space left/);
  expect(copying.outputs).toMatchObject({ version: 'v2', promoted: 'false' });
  expect(await folders()).toEqual(['production', 'v1', 'v2']);
  expect(await production()).toEqual(before);

  await resize('20m');
  const promoted = await publish({ 'promote-version': 'v2' });
  expect(promoted.exitCode, promoted.stdout).toBe(0);
  const after = await production();
  expect(after.version).toBe('v2\n');
  expect(after.weights.equals(await readFile(join(workspace, 'second', 'model.pth')))).toBe(true);
});
