import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { readInputs } from '../../src/train-model/inputs.ts';
import { type KeepContext, keepResult } from '../../src/train-model/keep-result.ts';
import { openOutputDir } from '../../src/train-model/output-dir.ts';
import { type ArtifactServerOptions, QUOTA_FULL, startArtifactServer } from '../helpers/artifact-server.ts';
import { failureOf } from '../helpers/failure.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { publishTask, runPublish } from '../helpers/model.ts';
import { ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';
import { captureOutput, defaultsOf, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const FILES = {
  'model.pth': 'weights '.repeat(50_000),
  'classes.json': '["Gomphonema","Hannaea"]',
  'metrics.json': '{}',
  'plots/confusion matrix.png': 'a picture',
};
const RUN = { GITHUB_RUN_ID: '4711' };

interface Case {
  readonly artifacts?: ArtifactServerOptions;
  readonly owncloud?: Hook | 'none';
  readonly inputs?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly context?: Partial<KeepContext>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A result in a workspace, stored by the real artifact client and a server of ownCloud’s kind. */
async function keep({ artifacts, owncloud, inputs, files = FILES, context, env }: Case) {
  const service = await startArtifactServer(artifacts);
  const server = await ownServer(typeof owncloud === 'function' ? { hook: owncloud } : {});
  const workspace = temporaryFolder();
  setEnvironment({
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: workspace,
    ...service.environment,
    ...env,
  });
  const account = { 'owncloud-url': server.url, 'owncloud-username': USER, 'owncloud-password': PASSWORD };
  setInputs({
    ...defaultsOf('train-model'),
    ...{ image: 'lab/diatoms:1', dataset: 'set.zip', 'owncloud-folder': 'data sets' },
    ...(owncloud === 'none' ? {} : account),
    ...inputs,
  });
  const checked = readInputs({ GITHUB_WORKSPACE: workspace });
  await openOutputDir(checked.outputDir, workspace, []);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(checked.outputDir, name, '..'), { recursive: true });
    await writeFile(join(checked.outputDir, name), content);
  }
  const output = captureOutput();
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const warnings: string[] = [];
  const again = (env: NodeJS.ProcessEnv = RUN) =>
    keepResult(checked, {
      http,
      env,
      signal: new AbortController().signal,
      onWarning: (message) => void warnings.push(message),
      patience: { waitsMs: [1, 1], limitMs: 30_000 },
      policy: SWIFT,
      ...context,
    });
  const kept = await again();
  const stored = (folder = kept.unpublished) => join(server.directory, folder);
  return {
    kept,
    service,
    server,
    stored,
    warnings,
    again,
    workspace,
    outputDir: checked.outputDir,
    log: output.text(),
  };
}

/** Compares a folder with its SHA256SUMS by a program that nobody here wrote. */
function expectSound(folder: string, files: number): void {
  const checked = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' });
  expect(checked.match(/: OK$/gm)).toHaveLength(files);
}

test('what GitHub takes goes nowhere else, is kept for a week, and the log says how large it is', async () => {
  const { kept, service, server, log } = await keep({});
  expect(kept).toEqual({ artifactName: 'model', unpublished: '', failure: undefined, hangs: false });
  const days = (Date.parse(service.expirations.get('model') ?? '') - Date.now()) / 86_400_000;
  expect(Math.round(days)).toBe(7);
  expect(readdirSync(server.directory)).toEqual([]);
  expect(log).toMatch(/ 400 kB {2}model\.pth\n/);
  expect(log).toMatch(/ 400 kB {2}in all\n/);
});

describe('what a later run may publish', () => {
  const inputs = { 'keep-unpublished': 'true' };

  test('is in ownCloud, too, whole and marked', async () => {
    const { kept, stored, warnings, service } = await keep({ inputs });
    expect(kept).toMatchObject({ artifactName: 'model', unpublished: 'data sets/unpublished/4711-model' });
    expect([...service.artifacts.keys()]).toEqual(['model']);
    expectSound(stored(), 4);
    expect(warnings).toEqual([]);
  });

  test('is joined by nothing of killed runs: what they had half sent is deleted a day later, and said', async () => {
    const { again, stored, server } = await keep({ inputs });
    const killed = join(server.directory, 'data sets', 'unpublished', '4700-model');
    await mkdir(killed);
    const names = ['0123abcd', '4567abcd'].map((random) => `model.pth.uploading-lab-diatoms-4700-${random}`);
    for (const name of ['classes.json', ...names]) await writeFile(join(killed, name), 'half');
    const yesterday = (Date.now() - 25 * 3_600_000) / 1_000;
    await utimes(join(killed, names[0] ?? ''), yesterday, yesterday);
    const output = captureOutput();
    await again({ GITHUB_RUN_ID: '4712', GITHUB_REPOSITORY: 'lab/diatoms' });
    expect(output.text()).toContain(`left by runs that were cut short: ${names[0]}`);
    expect((await readdir(killed)).toSorted()).toEqual(['classes.json', names[1]]);
    expectSound(stored(), 4);
  });

  test('is in the artifact anyway when ownCloud does not take it, and that is said', async () => {
    const full: Hook = ({ method }) => (method === 'PUT' ? { status: 507 } : undefined);
    const { kept, warnings } = await keep({ inputs, owncloud: full });
    expect(kept).toMatchObject({ artifactName: 'model', unpublished: '', failure: undefined });
    expect(warnings.join('\n')).toContain('in the workflow artifact only');
  });
});

describe('what GitHub does not take', () => {
  const call = (name: string, fault: typeof QUOTA_FULL) => (seen: string) => (seen === name ? fault : undefined);

  test.each<[string, ArtifactServerOptions, RegExp]>([
    ['a full quota', { fault: call('CreateArtifact', QUOTA_FULL) }, /storage quota has been hit/],
    ['a refusal', { fault: call('CreateArtifact', { status: 403, msg: 'not allowed here' }) }, /\(403\).*not allowed/],
    ['a conflict', { fault: call('CreateArtifact', { status: 409, msg: 'an artifact exists' }) }, /\(409\)/],
    ['no answer that is one', { refuse: true }, /not ok/],
    ['storage that refuses', { fault: call('blocklist', { status: 403 }) }, /./],
  ])('for %s is in ownCloud, whole and marked, and the run goes on', async (_, artifacts, reason) => {
    const { kept, stored, warnings, service } = await keep({ artifacts });
    expect(kept).toMatchObject({
      artifactName: '',
      unpublished: 'data sets/unpublished/4711-model',
      failure: undefined,
    });
    expect(service.artifacts.size).toBe(0);
    expect(filesBelow(stored())).toEqual([...Object.keys(FILES), 'SHA256SUMS'].sort());
    expect(readFileSync(join(stored(), 'model.pth'), 'utf8')).toBe(FILES['model.pth']);
    expectSound(stored(), 4);
    expect(warnings.join('\n')).toMatch(reason);
    expect(warnings.join('\n')).toContain('in the folder “data sets/unpublished/4711-model”');
  });

  test('for a service without an answer is in ownCloud when the time for it is up', async () => {
    const artifacts = { fault: call('CreateArtifact', 'hang') };
    const { kept, stored } = await keep({ artifacts, context: { patience: { waitsMs: [], limitMs: 300 } } });
    expect(kept).toMatchObject({ artifactName: '', hangs: true, failure: undefined });
    expectSound(stored(), 4);
  });

  test('at once it takes later: the second try has another name', async () => {
    let tries = 0;
    const fault = (seen: string) => (seen === 'CreateArtifact' && ++tries === 1 ? QUOTA_FULL : undefined);
    const { kept, server, log } = await keep({ artifacts: { fault } });
    expect(kept).toMatchObject({ artifactName: 'model-2', unpublished: '', failure: undefined });
    expect(readdirSync(server.directory)).toEqual([]);
    expect(log).toContain('Artifact “model” was not uploaded: ');
  });

  test('outside of GitHub is tried once: there will be no service later either', async () => {
    const patience = { waitsMs: [3_600_000], limitMs: 30_000 };
    const { kept, stored } = await keep({ env: { ACTIONS_RUNTIME_TOKEN: undefined }, context: { patience } });
    expect(kept).toMatchObject({ artifactName: '', failure: undefined });
    expectSound(stored(), 4);
  });

  test('never goes into the folder of another attempt, whole or not', async () => {
    const { kept, again, stored, server } = await keep({ artifacts: { fault: () => QUOTA_FULL } });
    const second = await again();
    expect([kept.unpublished, second.unpublished]).toEqual(
      ['4711-model', '4711-model-2'].map((name) => `data sets/unpublished/${name}`),
    );
    for (const { unpublished } of [kept, second]) expectSound(stored(unpublished), 4);
    expect(readdirSync(server.directory)).toEqual(['data sets']);
  });

  test('and has a file whose name no server takes, is stored without that one', async () => {
    const files = { ...FILES, 'a\nb': 'x', 'weights.part': 'x', SHA256SUMS: 'of somebody else' };
    const { stored, warnings } = await keep({ artifacts: { fault: () => QUOTA_FULL }, files });
    expectSound(stored(), 4);
    expect(warnings.join('\n')).toContain('The file "a\\nb" of the result was not stored');
  });
});

describe('what neither takes', () => {
  const artifacts = { fault: () => QUOTA_FULL };
  const full: Hook = ({ method, path }) =>
    method === 'PUT' && path.includes('metrics.json') ? { status: 507 } : undefined;

  test('is red with both reasons and the folder; what has come stays there, without the mark', async () => {
    const { kept, outputDir, stored } = await keep({ artifacts, owncloud: full });
    expect(kept).toMatchObject({ artifactName: '', unpublished: '' });
    expect(kept.failure).toContain('storage quota has been hit');
    expect(kept.failure).toContain('no space left for this account');
    expect(kept.failure).toContain(`All of it is in ${outputDir}`);
    expect(filesBelow(stored('data sets/unpublished/4711-model'))).toEqual(['classes.json', 'model.pth']);
  });

  test('because there is no server is red, with the ways out', async () => {
    const { kept, outputDir } = await keep({ artifacts, owncloud: 'none' });
    expect(kept.failure).toContain(`All of it is in ${outputDir}`);
    expect(kept.failure).toContain('Give owncloud-url, or leave artifact-name empty');
  });

  test('is moved out of the way of the next run, and not deleted', async () => {
    const { outputDir, workspace } = await keep({ artifacts, owncloud: 'none' });
    await openOutputDir(outputDir, workspace, ['the next one']);
    expect(readdirSync(outputDir)).toEqual(['.diatom-actions']);
    const [place = ''] = readdirSync(workspace).filter((name) => name.startsWith('model.unstored-'));
    expect(readFileSync(join(workspace, place, 'model', 'model.pth'), 'utf8')).toBe(FILES['model.pth']);
  });

  test('because the run is cancelled in the middle has no mark', async () => {
    const cancel = new AbortController();
    const owncloud: Hook = ({ method, path }) => {
      if (method === 'PUT' && path.includes('metrics.json')) cancel.abort();
      return undefined;
    };
    const { kept, stored } = await keep({ artifacts, owncloud, context: { signal: cancel.signal } });
    expect(kept.failure).toContain('The run was cancelled');
    expect(filesBelow(stored('data sets/unpublished/4711-model'))).not.toContain('SHA256SUMS');
  });
});

test('nothing is stored when no artifact is wanted, or nothing is there', async () => {
  const first = await keep({ inputs: { 'artifact-name': 'none' }, artifacts: { fault: () => QUOTA_FULL } });
  const second = await keep({ files: {}, artifacts: { fault: () => QUOTA_FULL } });
  for (const { kept } of [first, second]) {
    expect(kept).toEqual({ artifactName: '', unpublished: '', failure: undefined, hangs: false });
  }
});

test('of a process that is killed in the middle no complete result is left, and nothing of it is ever published', async () => {
  const killed = Promise.withResolvers<void>();
  let child: ChildProcess | undefined;
  const server = await ownServer({
    hook: ({ method, path }) => {
      // The weights are there by then.
      if (method !== 'PUT' || !path.includes('classes.json')) return undefined;
      child?.kill('SIGKILL');
      return 'hang up';
    },
  });
  const workspace = temporaryFolder();
  await mkdir(join(workspace, 'model'));
  for (const [name, content] of Object.entries(FILES)) {
    if (!name.includes('/')) await writeFile(join(workspace, 'model', name), content);
  }
  const inputs = {
    ...defaultsOf('train-model'),
    ...{ image: 'lab/diatoms:1', dataset: 'set.zip', 'owncloud-folder': 'data sets' },
    ...{ 'owncloud-url': server.url, 'owncloud-username': USER, 'owncloud-password': PASSWORD },
  };
  child = spawn(process.execPath, [join(import.meta.dirname, '..', 'helpers', 'keep-result-process.ts')], {
    env: {
      GITHUB_WORKSPACE: workspace,
      GITHUB_RUN_ID: '4711',
      ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    },
    stdio: 'ignore',
  });
  child.once('exit', (_, signal) => (signal === 'SIGKILL' ? killed.resolve() : killed.reject(new Error('not killed'))));
  await killed.promise;
  const place = 'data sets/unpublished/4711-model';
  expect(filesBelow(join(server.directory, place))).toEqual(['model.pth']);
  const task = publishTask('', 'v1', { source: { unpublished: place }, unpublished: place });
  expect((await failureOf(runPublish({ url: server.url, task }))).message).toContain('holds no complete result');
  expect(existsSync(join(server.directory, 'models'))).toBe(false);
});
