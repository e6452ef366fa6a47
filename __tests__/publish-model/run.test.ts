import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readActionMetadata } from '../../scripts/action-metadata.ts';
import { parseOutputs } from '../../scripts/run-action.ts';
import { run } from '../../src/publish-model/run.ts';
import { uploadArtifact } from '../../src/runner/artifact.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { CLASSES, comparedImages, comparison, filesOf, foldersOf, metrics, modelDir } from '../helpers/model.ts';
import { ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import { captureOutput, commandFile, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

/** One file for all runs: the toolkit remembers its path for good. */
const base = mkdtempSync(join(tmpdir(), 'publish-run-'));
const SUMMARY = join(base, 'summary');
afterAll(() => rmSync(base, { recursive: true }));

/** Runs the action as a runner does, on the server given. */
async function runAction(url: string, inputs: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}) {
  const defaults = Object.entries(readActionMetadata('publish-model').inputs).map(
    ([name, input]) => [name, input.default ?? ''] as const,
  );
  const server = { 'owncloud-url': url, 'owncloud-username': USER, 'owncloud-password': PASSWORD };
  setInputs({ ...Object.fromEntries(defaults), ...server, 'model-name': 'diatoms', ...inputs });
  setEnvironment({
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: '0123456789abcdef',
    GITHUB_WORKSPACE: temporaryFolder(),
    GITHUB_STEP_SUMMARY: SUMMARY,
    RUNNER_TEMP: temporaryFolder(),
    ...env,
  });
  const outputs = commandFile('GITHUB_OUTPUT');
  await writeFile(SUMMARY, '');
  const output = captureOutput();
  process.exitCode = 0;
  await run();
  const result = {
    exitCode: process.exitCode,
    log: output.text(),
    outputs: parseOutputs(outputs()),
    summary: await readFile(SUMMARY, 'utf8'),
  };
  process.exitCode = 0;
  return result;
}

test('a dry run judges a model as a first one, without a server, and its summary shows the figures', async () => {
  const none = { 'owncloud-url': '', 'owncloud-username': '', 'owncloud-password': '' };
  const good = { ...none, 'dry-run': 'true', 'model-dir': await modelDir('a'), gate: 'macro_f1 >= 0.85' };
  const result = await runAction('', good);
  expect(result).toMatchObject({ exitCode: 0, outputs: { 'gate-passed': 'true', promoted: 'false' } });
  expect(result.summary).toContain('## diatoms: fit for production');
  expect(result.summary).toContain('A dry run: no server was asked, and nothing was stored.');
  expect(result.summary).toMatch(/\| Macro-F1 \| \d/);
  const refused = await runAction('', { ...good, gate: 'macro_f1 >= 1' });
  expect(refused).toMatchObject({ exitCode: 1, outputs: { 'gate-passed': 'false' } });
  expect(refused.log).toContain('The model would not be promoted:');
  expect(refused.summary).toContain('## diatoms: not fit for production');
});

test('a first publish is green, with outputs, and a summary that says what lies where', async () => {
  const server = await ownServer();
  const result = await runAction(server.url, { 'model-dir': await modelDir('a'), gate: 'macro_f1 >= 0.85' });
  expect(result.exitCode).toBe(0);
  const { version = '' } = result.outputs;
  expect(version).toMatch(/^\d{8}-\d{6}-0123456$/);
  expect(result.outputs).toEqual({
    version,
    'version-url': expect.stringMatching(new RegExp(`/models/diatoms/${version}/$`)),
    promoted: 'true',
    'previous-version': '',
    'gate-passed': 'true',
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(result.summary).toContain('## diatoms: in production');
  expect(result.summary).toContain('| Fact | Value |\n| --- | --- |\n| Version | `');
  expect(result.summary).toContain(`/index.php/apps/files/?dir=%2Fmodels%2Fdiatoms>)`);
  expect(result.summary).toContain('| ✅ | macro\\_f1 | 0.9 | &gt;= 0.85 | – |');
  expect(result.summary).not.toContain('roll back');
  expect(result.log.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(PASSWORD);
});

test('a failed gate is red, and shows the figures side by side in message and summary', async () => {
  const server = await ownServer();
  await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1' });
  const weak = await modelDir('b', {
    'metrics.json': metrics({ macro_f1: 0.5 }),
    'comparison.json': comparison('v1', { candidate: metrics({ macro_f1: 0.51 }) }),
  });
  const result = await runAction(server.url, { 'model-dir': weak, version: 'v2', gate: 'macro_f1 >= 0.85' });
  expect(result.exitCode).toBe(1);
  expect(result.outputs).toMatchObject({ promoted: 'false', 'previous-version': 'v1', 'gate-passed': 'false' });
  expect(result.log).toContain('macro_f1: the model has 0.5, required is >= 0.85, production has 0.9 (gate).');
  expect(result.summary).toContain('## diatoms: stored, not promoted');
  expect(result.summary).toContain('> [!CAUTION]');
  expect(result.summary).toContain('| ❌ | macro\\_f1 | 0.5 | &gt;= 0.85 | 0.9 |');
  expect(result.summary).toContain('On the 18 of 20 test images that neither was trained on:');
  expect(result.summary).toContain('| Macro-F1 | 51.0 % (84.0 % to 96.0 %) | 90.0 % (84.0 % to 96.0 %) | 🔻 |');
  expect(filesOf(server.directory, 'production')?.['VERSION']).toBe('v1\n');
});

test('a lost species is red although the model is not worse over all classes, and every row that fell is marked', async () => {
  const server = await ownServer();
  await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1' });
  const [first = '', second = ''] = CLASSES;
  const images = comparedImages([
    { label: first, images: 300, production: 270, candidate: 295 },
    { label: second, images: 30, production: 27, candidate: 2 },
  ]);
  const figures = { precision: 0.9, recall: 0.07, f1: 0.1, support: 30 };
  const candidate = metrics({ classes: { ...metrics().classes, [second]: figures } });
  const folder = await modelDir('b', { 'comparison.json': comparison('v1', { candidate, images }) });
  const result = await runAction(server.url, {
    'model-dir': folder,
    version: 'v2',
    'no-worse-than-production': 'true',
  });
  expect(result).toMatchObject({ exitCode: 1, outputs: { promoted: 'false', 'gate-passed': 'false' } });
  expect(result.log).toContain('(of 30 images production has 27 right, the model 2: worse beyond chance)');
  expect(result.summary).toMatch(
    /- ✅ Whether the model is better or worse than production’s is not certain, .*25 newly right, 25 newly wrong/,
  );
  expect(result.summary).toContain('- ❌ Worse than in production: hannea, the arc (of 30 images');
  expect(result.summary).toContain('| Recall of hannea, the arc | 7.0 % | 90.0 % | 🔻 **worse beyond chance** |');
  expect(result.summary).toContain('| Recall of achnanthes | 90.0 % | 90.0 % |  |');
  expect(filesOf(server.directory, 'production')?.['VERSION']).toBe('v1\n');

  const warned = await runAction(server.url, { 'model-dir': folder, version: 'v3', 'worse-classes': 'warn' });
  expect(warned).toMatchObject({ exitCode: 0, outputs: { promoted: 'true' } });
  expect(warned.log).toContain('::warning::Worse than in production: hannea, the arc');
  expect(warned.summary).toContain('- ⚠️ Worse than in production');
});

test('the summary of a replacement gives the exact input that rolls it back', async () => {
  const server = await ownServer();
  await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1' });
  const second = await modelDir('b', { 'comparison.json': comparison('v1') });
  const result = await runAction(server.url, { 'model-dir': second, version: 'v2' });
  expect(result.summary).toMatch(/`v2`, in place of `v1`, which is kept as `production\.previous-[\d-]+-[0-9a-f]{8}`/);
  expect(result.summary).toContain('`model-name: diatoms`, `promote-version: v1`');
  const back = await runAction(server.url, { 'roll-back-to': 'v1' });
  expect(back).toMatchObject({ exitCode: 0, outputs: { version: 'v1', 'previous-version': 'v2', 'gate-passed': '' } });
  expect(back.summary).toContain('## diatoms: rolled back');
});

test('a model comes from an artifact of the run, and nothing of it stays on the runner', async () => {
  const server = await ownServer();
  const { environment } = await startArtifactServer();
  const folder = await modelDir('a');
  const RUNNER_TEMP = temporaryFolder();
  setEnvironment({ GITHUB_WORKSPACE: temporaryFolder(), GITHUB_SERVER_URL: 'https://github.com', ...environment });
  await uploadArtifact(
    'model',
    (await readdir(folder)).map((name) => join(folder, name)),
    folder,
  );
  const result = await runAction(server.url, { 'artifact-name': 'model', version: 'v1' }, { RUNNER_TEMP });
  expect(result).toMatchObject({ exitCode: 0, outputs: { promoted: 'true' } });
  expect(filesOf(server.directory, 'v1')).toHaveProperty(['model.pth']);
  expect(await readdir(RUNNER_TEMP)).toEqual([]);
});

test('when the promotion fails after the version was stored, outputs and summary still name the version', async () => {
  const server = await ownServer({ hook: ({ method }) => (method === 'COPY' ? { status: 507 } : undefined) });
  const result = await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1' });
  expect(result.exitCode).toBe(1);
  expect(result.outputs).toMatchObject({ version: 'v1', promoted: 'false' });
  expect(result.summary).toContain('no space left for this account');
  expect(foldersOf(server.directory)).toEqual(['v1']);
});

test('a version stored without promotion goes to production by a second run, as for a team without reviewers', async () => {
  const server = await ownServer();
  const stored = await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1', promote: 'false' });
  expect(stored).toMatchObject({ exitCode: 0, outputs: { promoted: 'false', 'gate-passed': 'true' } });
  expect(stored.summary).toContain('## diatoms: stored, and fit for production');
  expect(stored.summary).toContain('`promote-version: v1`');
  const inputs = { 'promote-version': 'v1', 'roll-back-to': 'v1', 'check-again': 'as-stored' };
  const promoted = await runAction(server.url, inputs);
  expect(promoted).toMatchObject({ exitCode: 0, outputs: { version: 'v1', promoted: 'true', 'gate-passed': 'true' } });
  expect(promoted.summary).toContain('## diatoms: in production');
});

describe('an account of its own for publishing', () => {
  /** A server on which production has the permissions given, in ownCloud's letters; `undefined`: it tells none. */
  async function serverWith(permissions: string | undefined) {
    const server = await ownServer({
      hook: async ({ method, path }, proceed) => {
        if (method !== 'PROPFIND' || !/\/production\/?$/.test(path)) return undefined;
        const answer = await proceed();
        const shown = permissions === undefined ? '' : `<oc:permissions>${permissions}</oc:permissions>`;
        return { ...answer, body: String(answer.body).replaceAll(/<oc:permissions>\w*<\/oc:permissions>/g, shown) };
      },
    });
    await runAction(server.url, { 'model-dir': await modelDir('a'), version: 'v1' });
    return server;
  }
  const own = { check: 'true', 'models-username': USER, 'models-password': PASSWORD };

  test('publishes, and the other account’s password is not even sent', async () => {
    const server = await ownServer();
    const result = await runAction(server.url, {
      ...{ 'owncloud-username': 'trainer', 'owncloud-password': 'another secret' },
      ...{ 'models-username': USER, 'models-password': PASSWORD, 'model-dir': await modelDir('a') },
    });
    expect(result).toMatchObject({ exitCode: 0, outputs: { promoted: 'true' } });
    const log = result.log.replaceAll(/^::add-mask::.*$/gm, '');
    for (const secret of [PASSWORD, 'another secret']) expect(log).not.toContain(secret);
  });

  test.each([
    ['S', '✅', 'may read “models/diatoms/production” and not write it'],
    ['RDNVCK', '⚠️', 'may write “models/diatoms/production” too'],
    [undefined, '⚠️', 'is not known here'],
  ])('is checked: production with the permissions %s for the training’s account', async (permissions, sign, words) => {
    const server = await serverWith(permissions);
    const before = filesOf(server.directory, 'production');
    const result = await runAction(server.url, own);
    expect(result.exitCode).toBe(0);
    expect(result.summary).toMatch(new RegExp(`\\| ${sign} \\| Production \\| .*${words}`));
    expect(result.summary).toContain('| ✅ | Publishing | ownCloud 10.15.0 at ');
    expect(filesOf(server.directory, 'production')).toEqual(before);
  });

  test('is recommended by the check where there is none, and a sign-in that fails is red', async () => {
    const server = await ownServer();
    const shared = await runAction(server.url, { check: 'true' });
    expect(shared.exitCode).toBe(0);
    expect(shared.summary).toContain('| ⚠️ | Production | not protected from the training');
    const { url } = await ownServer();
    const wrong = await runAction(url, { ...own, 'models-password': 'wrong' });
    expect(wrong.exitCode).toBe(1);
    expect(wrong.summary).toContain('| ❌ | Publishing | With the account of models-username: The server ');
    expect(wrong.summary).toContain('| ⚠️ | Production | the training’s account sees no folder “models” (yet)');
    const publish = await runAction(url, {
      ...own,
      check: 'false',
      'models-password': 'wrong',
      'model-dir': await modelDir('a'),
    });
    expect(publish.log).toContain('With the account of models-username: The server ');
  });
});

test('a check says what is left of the quota, and whether another version like the one in production has room', async () => {
  const without = await ownServer();
  const unknown = await runAction(without.url, { check: 'true' });
  expect(unknown.summary).toContain('the server does not say how much is left for this account');
  const roomy = await ownServer({ availableBytes: 5_000_000 });
  await runAction(roomy.url, { 'model-dir': await modelDir('a'), version: 'v1' });
  const enough = await runAction(roomy.url, { check: 'true' });
  expect(enough.summary).toMatch(/✅ \| Publishing \| .*5\.0 MB left for this account, and a version like the one/);
  const tight = await ownServer({ availableBytes: 50_000, directory: roomy.directory });
  const little = await runAction(tight.url, { check: 'true' });
  expect(little.exitCode).toBe(0);
  expect(little.summary).toMatch(
    /⚠️ \| Publishing \| .*50\.0 kB left for this account, but a version like the one in production/,
  );
});

describe('inputs', () => {
  test.each<[string, Record<string, string>, string]>([
    ['no source', {}, 'Inputs model-dir, artifact-name and unpublished: none is set'],
    ['two sources', { 'model-dir': 'a', 'artifact-name': 'b' }, 'two are set'],
    ['a result and an artifact', { 'artifact-name': 'b', unpublished: 'a/unpublished/b' }, 'two are set'],
    ['a version as a result', { unpublished: 'models/diatoms/v1' }, 'Input unpublished is “models/diatoms/v1”'],
    ['no name', { 'model-dir': 'a', 'model-name': '' }, 'Input model-name is missing'],
    ['a path as a name', { 'model-dir': 'a', 'model-name': 'a/b' }, 'Input model-name is “a/b”'],
    ['a hidden name', { 'model-dir': 'a', 'model-name': '.x' }, 'a name that does not begin with a dot'],
    ['no server', { 'model-dir': 'a', 'owncloud-url': '' }, 'Input owncloud-url is missing'],
    ['production as a version', { 'model-dir': 'a', version: 'Production' }, 'this one has a meaning of its own'],
    ['previous as a version', { 'model-dir': 'a', version: 'previous' }, 'this one has a meaning of its own'],
    ['an unfinished version', { 'model-dir': 'a', version: 'a.uploading-01234567' }, 'ends like something unfinished'],
    ['a folder outside', { 'model-dir': 'a', 'models-folder': '../x' }, 'Input models-folder is “../x”'],
    ['a wrong gate', { 'model-dir': 'a', gate: 'f1 > 1' }, 'Input gate, line 1, column 4'],
    ['a wrong word', { 'model-dir': 'a', promote: 'yes' }, 'Input promote is “yes”, allowed is true or false'],
    ['no version kept', { 'model-dir': 'a', 'keep-versions': '0' }, 'Input keep-versions is “0”'],
    ['two tasks', { 'model-dir': 'a', 'roll-back-to': 'v1' }, 'roll-back-to and model-dir contradict each other'],
    ['a roll-back without a promotion', { 'roll-back-to': 'v1', promote: 'false' }, 'a roll-back is a promotion'],
    [
      'two versions',
      { 'roll-back-to': 'v1', 'promote-version': 'v2' },
      'promote-version (v2) and roll-back-to (v1) mean the',
    ],
    [
      'a version and a model',
      { 'model-dir': 'a', 'promote-version': 'v1' },
      'promote-version and model-dir contradict',
    ],
    ['a check of nothing', { 'model-dir': 'a', 'check-again': 'anew' }, 'check-again is anew without promote-version'],
    ['a wrong check', { 'promote-version': 'v1', 'check-again': 'true' }, 'allowed is as-stored or anew'],
    [
      'half an account',
      { 'model-dir': 'a', 'models-username': 'p' },
      'models-username is set and models-password is not',
    ],
    [
      'the other half',
      { 'model-dir': 'a', 'models-password': 'p' },
      'models-password is set and models-username is not',
    ],
    ['a dry run of a version', { 'dry-run': 'true', 'judge-version': 'v1' }, 'dry-run and judge-version contradict'],
    ['a check of a wrong gate', { check: 'true', gate: 'f1 > 1' }, 'Input gate, line 1, column 4'],
    ['a wrong version to roll back to', { 'roll-back-to': 'production' }, 'Input roll-back-to is “production”'],
  ])('%s: red before the server hears of it', async (_, inputs, message) => {
    let requests = 0;
    const server = await ownServer({ hook: () => void requests++ });
    const result = await runAction(server.url, inputs);
    expect(result.exitCode).toBe(1);
    expect(result.log).toContain(message);
    expect(requests).toBe(0);
  });

  test('a gate for a class that the model does not have, and a bad model, are found before the server hears of it', async () => {
    let requests = 0;
    const server = await ownServer({ hook: () => void requests++ });
    const folder = await modelDir('a');
    expect((await runAction(server.url, { 'model-dir': folder, gate: 'recall[x] > 0' })).log).toContain('no class “x”');
    await writeFile(join(folder, 'classes.json'), '{}');
    expect((await runAction(server.url, { 'model-dir': folder })).log).toContain('classes.json is not what');
    expect(requests).toBe(0);
  });
});
