import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { comparedImages } from '../helpers/model.ts';
import { WEBDAV_SERVERS, type WebdavServer } from '../helpers/webdav-servers.ts';

const MODELS = 'Models #1 äöü';
const LABELS = ['achnanthes', 'hannea'];

let workspace: string;

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'workspace-'));
  for (const [name, macroF1] of Object.entries({ good: 0.9, weak: 0.4, better: 0.95 })) {
    await mkdir(join(workspace, name));
    const figures = { precision: macroF1, recall: macroF1, f1: macroF1, support: 10 };
    const metrics = { format: 1, accuracy: macroF1, macro_f1: macroF1, n_test: 20, labels: LABELS };
    const files = {
      'model.pth': Buffer.alloc(3_000_000, `weights ${name} `),
      'classes.json': JSON.stringify(LABELS),
      'metrics.json': JSON.stringify({
        ...metrics,
        classes: Object.fromEntries(LABELS.map((label) => [label, figures])),
      }),
      'training-images.csv': 'sha256,group\n',
      'confusion matrix & co.png': Buffer.from([0x89, 0x50, 0x4e, 0x47]),
    };
    for (const [file, content] of Object.entries(files)) await writeFile(join(workspace, name, file), content);
  }
  await addForgetful();
});

/** A model that is as good as the one in production over all classes, and has nothing of one of them right. */
async function addForgetful(): Promise<void> {
  const metrics: unknown = JSON.parse(await readFile(join(workspace, 'better', 'metrics.json'), 'utf8'));
  const images = [
    { label: 'achnanthes', images: 30, production: 20, candidate: 30 },
    { label: 'hannea', images: 10, production: 10, candidate: 0 },
  ];
  const comparison = {
    ...{ format: 2, production_version: null, n_test: 40, n_compared: 40, too_few: false },
    ...{ candidate: metrics, production: metrics, images: comparedImages(images) },
  };
  const folder = join(workspace, 'forgetful');
  await cp(join(workspace, 'better'), folder, { recursive: true });
  await writeFile(join(folder, 'comparison.json'), JSON.stringify(comparison));
  await writeFile(join(folder, 'became_wrong.html'), 'pictures of the data set');
}

afterAll(() => rm(workspace, { recursive: true }));

describe.each(Object.entries(WEBDAV_SERVERS))('with %s', (_, start) => {
  let server: WebdavServer;
  const model = () => join(server.directory, MODELS, 'diatoms');
  const production = () => readFile(join(model(), 'production', 'VERSION'), 'utf8');
  const folders = async () =>
    (await readdir(model(), { withFileTypes: true }))
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  const page = () => readFile(join(model(), 'index.html'), 'utf8');

  const publish = (inputs: Readonly<Record<string, string>>): Promise<ActionResult> =>
    runAction({
      action: 'publish-model',
      workspace,
      env: { GITHUB_SHA: '0123456789abcdef' },
      inputs: {
        'model-name': 'diatoms',
        'models-folder': MODELS,
        'owncloud-url': server.url,
        'owncloud-username': server.username,
        'owncloud-password': server.password,
        gate: 'macro_f1 >= 0.85, recall[hannea] > 0.5',
        'no-worse-than-production': 'false',
        ...inputs,
      },
    });

  /** What the action has said tells why it came to something else. */
  function expectResult(result: ActionResult, expected: Partial<ActionResult>): void {
    expect(result, result.stdout + result.stderr).toMatchObject(expected);
  }

  /** Compares a folder with its SHA256SUMS by a program that nobody here wrote. */
  function expectSound(name: string): void {
    const checked = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
      cwd: join(model(), name),
      encoding: 'utf8',
    });
    expect(checked.match(/: OK$/gm)).toHaveLength(7);
  }

  beforeAll(async () => {
    server = await start();
  });

  afterAll(() => server?.close());

  test('a good model is published and promoted, a weak one is stored and ends red with the figures', async () => {
    const good = await publish({ 'model-dir': 'good' });
    expectResult(good, { exitCode: 0, outputs: { promoted: 'true', 'gate-passed': 'true' } });
    const { version = '' } = good.outputs;
    expect(version).toMatch(/^\d{8}-\d{6}-0123456$/);
    expect(await production()).toBe(`${version}\n`);
    const weak = await publish({ 'model-dir': 'weak', version: 'weak' });
    expectResult(weak, { exitCode: 1, outputs: { promoted: 'false', 'previous-version': version } });
    expect(weak.stdout).toMatch(/::error::.*macro_f1: the model has 0\.4, required is >= 0\.85, production has 0\.9/);
    expect(await production()).toBe(`${version}\n`);
    for (const name of [version, 'weak', 'production']) expectSound(name);
    expect(await folders()).toEqual([version, 'production', 'weak']);
    expect(await page()).toContain(`In production is ${version}, since `);
    expect(await page()).toContain('macro_f1: the model has 0.4, required is &gt;= 0.85, production has 0.9 (gate).');
    const { judged } = JSON.parse(await readFile(join(model(), 'weak', 'verdict.json'), 'utf8'));
    expect(judged).toMatchObject({ passed: false, production: version });
  });

  test('a better model replaces it, and one run with the input from the summary rolls back', async () => {
    const [first = ''] = await folders();
    const better = await publish({ 'model-dir': 'better', version: 'better' });
    expectResult(better, { exitCode: 0, outputs: { promoted: 'true', 'previous-version': first } });
    expect(await production()).toBe('better\n');
    const [, to = ''] = /`promote-version: ([^`]+)`/.exec(better.summary) ?? [];
    const back = await publish({ 'roll-back-to': to });
    expectResult(back, { exitCode: 0, outputs: { version: first, 'previous-version': 'better' } });
    expect(await production()).toBe(`${first}\n`);
    expectSound('production');
    const again = await publish({ 'roll-back-to': 'previous' });
    expect(again.outputs).toMatchObject({ version: 'better', promoted: 'true' });
    expectSound('production');
    expect((await folders()).filter((name) => name.startsWith('production'))).toHaveLength(2);
    expect(await page()).toContain('In production is better, since ');
    expect((await readdir(model())).filter((name) => name.includes('.uploading-'))).toEqual([]);
  });

  test('a version that waits for consent is stored at once, and a second run brings it in under the same rules', async () => {
    const stored = await publish({ 'model-dir': 'good', version: 'waits', promote: 'false' });
    expectResult(stored, { exitCode: 0, outputs: { promoted: 'false', 'gate-passed': 'true' } });
    expect(await production()).toBe('better\n');
    const inputs = { 'promote-version': 'waits', 'check-again': 'as-stored', gate: '' };
    expectResult(await publish(inputs), { exitCode: 0, outputs: { promoted: 'true', 'gate-passed': 'true' } });
    expect(await production()).toBe('waits\n');
    expectSound('production');
    expectResult(await publish({ 'promote-version': 'better' }), { exitCode: 0 });
  });

  test('the check leaves nothing behind, and tells what production is open to where the server says it', async () => {
    const before = await readdir(model());
    const account = { 'models-username': server.username, 'models-password': server.password };
    const result = await publish({ check: 'true', ...account });
    expect(result.exitCode).toBe(0);
    expect(result.summary).toMatch(/\| ✅ \| Publishing \| .*wrote and deleted a file/);
    const tells = result.summary.includes('ownCloud 10');
    const found = tells ? 'the training’s account may write “' : 'is not known here: WebDAV server at ';
    expect(result.summary).toContain(`| ⚠️ | Production | ${found}`);
    expect(await readdir(model())).toEqual(before);
    expect(await readdir(join(server.directory, MODELS))).toEqual(['diatoms']);
  });

  test('a model that has lost a species stays out of production, and a person can let it in', async () => {
    const before = await production();
    const lost = { 'model-dir': 'forgetful', version: 'forgetful', 'no-worse-than-production': 'true', gate: '' };
    const refused = await publish(lost);
    expectResult(refused, { exitCode: 1, outputs: { promoted: 'false', 'gate-passed': 'false' } });
    expect(refused.stdout).toMatch(
      /::error::.*Worse than in production: hannea \(of 10 images production has 10 right/,
    );
    expect(await production()).toBe(before);
    expect(await readdir(join(model(), 'forgetful'))).not.toContain('became_wrong.html');
    const accepted = await publish({ ...lost, 'worse-classes': 'warn' });
    expectResult(accepted, { exitCode: 0, outputs: { promoted: 'true' } });
    expect(await production()).toBe('forgetful\n');
    expectResult(await publish({ 'roll-back-to': 'previous' }), { exitCode: 0 });
    expect(await production()).toBe(before);
  });

  test('two at once wait for each other', async () => {
    const runs = await Promise.all(
      ['one', 'two'].map((version) => publish({ 'model-dir': 'good', version, 'keep-versions': '10' })),
    );
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(runs.map(({ outputs }) => outputs['previous-version']).sort()[0]).toBe('better');
    expectSound('production');
    for (const version of ['one', 'two']) expectSound(version);
    expect(['one\n', 'two\n']).toContain(await production());
  });

  test('keep-versions deletes the oldest but the best that was in production, and the log never holds the password', async () => {
    const result = await publish({ 'model-dir': 'good', version: 'last', 'keep-versions': '1' });
    expect(result.exitCode).toBe(0);
    const [current, before] = ['last', result.outputs['previous-version'] ?? ''];
    const kept = (await folders()).filter((name) => !name.startsWith('production'));
    // As accurate as “better”, and newer.
    const best = 'forgetful';
    expect(kept).toEqual([current, before, best].sort());
    expect((result.stdout + result.stderr).replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(server.password);
  });
});
