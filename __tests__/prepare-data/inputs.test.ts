import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readActionMetadata } from '../../scripts/action-metadata.ts';
import { type Inputs, readInputs } from '../../src/prepare-data/inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const ENTRY = {
  file_url: 'https://cloud.example.org/s/SECRET',
  downloaded_file_name: 'h.zip',
  exploded_folder_name: 'H',
  species_label: 'Hannaea',
};
const LIST = JSON.stringify([ENTRY]);
const OWNCLOUD = { 'owncloud-url': 'https://cloud.example.org', 'owncloud-username': 'ada', 'owncloud-password': 'p' };

const defaults = Object.fromEntries(
  Object.entries(readActionMetadata('prepare-data').inputs).map(([name, input]) => [name, input.default ?? '']),
);

/** Reads the inputs as they are when a workflow gives `given` and nothing else. */
function read(given: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}): Promise<Inputs> {
  setInputs({ ...defaults, 'file-list': LIST, ...OWNCLOUD, ...given });
  return readInputs(env);
}

async function refusalOf(given: Readonly<Record<string, string>>): Promise<string> {
  const { code, message } = await failureOf(read(given));
  expect(code).toBe('INPUT');
  return message;
}

describe('inputs', () => {
  test('have the defaults of action.yml', async () => {
    const workspace = temporaryFolder();
    const { plan, ...inputs } = await read({}, { GITHUB_WORKSPACE: workspace });
    const server = {
      url: 'https://cloud.example.org',
      username: 'ada',
      password: 'p',
      folder: '',
      keepLast: undefined,
    };
    expect(inputs).toEqual({
      mode: 'run',
      workspace,
      fileList: [expect.objectContaining({ downloadedFileName: 'h.zip' })],
      nTest: { kind: 'count', count: 10 },
      imageExtensions: ['jpg', 'jpeg', 'png', 'bmp', 'gif', 'tif', 'tiff', 'webp'],
      dataDir: join(workspace, 'data'),
      archiveContent: 'data',
      archivePrefix: 'diatom_set',
      keepArchive: false,
      keepData: true,
      lowDisk: false,
      isSeedGiven: false,
      previous: 'auto',
      force: false,
      shrink: 'warn',
      brokenImages: 'leave-out',
      upload: server,
      server,
      concurrency: 2,
      cache: true,
      alsoChecked: [],
      gate: '',
      artifactName: '',
      archiveInArtifact: false,
    });
    expect(plan).toEqual({
      split: 'shuffle',
      seed: expect.stringMatching(/^\d+$/),
      groupBy: undefined,
      duplicates: 'keep-together',
      labelConflicts: 'error',
      nearDuplicates: 'report',
    });
  });

  test('are taken as they are given', async () => {
    const inputs = await read({
      'n-test': '20%',
      seed: 'demo-1',
      split: 'stable',
      'group-by': '^([^_]+)_',
      duplicates: 'drop',
      'label-conflicts': 'warn',
      'image-extensions': '.PNG jpg,, png',
      'archive-content': 'results',
      'archive-prefix': 'Grüne Algen',
      'keep-archive': 'true',
      'keep-data': 'false',
      'owncloud-folder': '/data/sets 2026/',
      'keep-last': '0',
      concurrency: '32',
      cache: 'false',
      'check-also': 'Registry a=b=success\n\n Mirror = skipped',
      'artifact-name': 'diatoms',
      'artifact-content': 'archive',
    });
    expect(inputs).toMatchObject({
      nTest: { kind: 'percentage', percentage: 20 },
      plan: { split: 'stable', seed: 'demo-1', groupBy: /^([^_]+)_/u, duplicates: 'drop', labelConflicts: 'warn' },
      imageExtensions: ['png', 'jpg'],
      archiveContent: 'results',
      archivePrefix: 'Grüne Algen',
      keepArchive: true,
      keepData: false,
      lowDisk: false,
      upload: { folder: 'data/sets 2026', keepLast: 0 },
      concurrency: 32,
      cache: false,
      alsoChecked: [
        { name: 'Registry a=b', outcome: 'success' },
        { name: 'Mirror', outcome: 'skipped' },
      ],
      artifactName: 'diatoms',
      archiveInArtifact: true,
    });
  });

  test('a seed that is not given is drawn again every time', async () => {
    const seeds = new Set<string>();
    for (let run = 0; run < 5; run++) seeds.add((await read({})).plan.seed);
    expect(seeds.size).toBe(5);
  });

  test.each([
    [{ check: 'true' }, 'check'],
    [{ 'dry-run': 'true' }, 'dry-run'],
    [{ check: 'true', 'dry-run': 'true' }, 'check'],
  ])('%j', async (given, mode) => {
    expect((await read(given)).mode).toBe(mode);
  });

  test.each([{ upload: 'false' }, { 'dry-run': 'true' }])(
    'what uploads nothing needs no ownCloud: %j',
    async (given) => {
      const none = { 'owncloud-url': '', 'owncloud-username': '', 'owncloud-password': '' };
      expect((await read({ ...given, ...none })).upload).toBeUndefined();
    },
  );

  test('a data folder is looked for from the workspace', async () => {
    const workspace = temporaryFolder();
    const { dataDir } = await read({ 'data-dir': 'out/set' }, { GITHUB_WORKSPACE: workspace });
    expect(dataDir).toBe(join(workspace, 'out', 'set'));
  });
});

describe('the file list', () => {
  test('may be a file of the workspace', async () => {
    const workspace = temporaryFolder();
    await mkdir(join(workspace, 'lists'));
    await writeFile(join(workspace, 'lists', 'all.json'), `\uFEFF${LIST}\r\n`);
    const given = { 'file-list': '', 'file-list-path': 'lists/all.json' };
    expect((await read(given, { GITHUB_WORKSPACE: workspace })).fileList).toHaveLength(1);
  });

  test.each([
    ['neither is set', { 'file-list': '' }],
    ['both are set', { 'file-list-path': 'list.json' }],
  ])('%s', async (found, given) => {
    expect(await refusalOf(given)).toContain(`Inputs file-list and file-list-path: ${found}; set one of them.`);
  });

  test.each(['missing.json', '.'])('a path that is no file (%s) is named', async (path) => {
    const workspace = temporaryFolder();
    const given = { 'file-list': '', 'file-list-path': path };
    const { message } = await failureOf(read(given, { GITHUB_WORKSPACE: workspace }));
    expect(message).toBe(
      `Input file-list-path is “${path}”, allowed is the path of a file that exists, from ${workspace}.`,
    );
  });

  test('with a fault names the input, or the path it came from', async () => {
    expect((await failureOf(read({ 'file-list': '[' }))).message).toMatch(/^The file list \(input file-list\) is not/);
    const workspace = temporaryFolder();
    await writeFile(join(workspace, 'list.json'), '[]');
    const given = { 'file-list': '', 'file-list-path': 'list.json' };
    const { code, message } = await failureOf(read(given, { GITHUB_WORKSPACE: workspace }));
    expect(code).toBe('FILE_LIST');
    expect(message).toMatch(/^The file list \(list\.json\) has a fault:/);
  });
});

describe('secrets', () => {
  test('password and addresses are masked, also in the form in which a request names them; names are not', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    await read({
      'file-list': JSON.stringify([{ ...ENTRY, file_url: 'HTTPS://Cloud.example.org/ä b?t=1' }]),
      'owncloud-password': 'geheim',
      'owncloud-username': 'ada.lovelace',
    });
    expect(output.text().trimEnd().split('\n')).toEqual([
      '::add-mask::geheim',
      '::add-mask::HTTPS://Cloud.example.org/ä b?t=1',
      '::add-mask::https://cloud.example.org/%25C3%25A4%2520b?t=1',
    ]);
  });

  test('the password is masked before anything can fail', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    await refusalOf({ check: 'perhaps', 'owncloud-password': 'geheim' });
    expect(output.text()).toBe('::add-mask::geheim\n');
  });
});

describe('a wrong input names the input, the value found and what is allowed', () => {
  test.each([
    ['n-test', '-1', 'a whole number from 0 (such as 10) or a percentage from 0% to 100% (such as 20%)'],
    ['n-test', 'abc', 'a whole number from 0 (such as 10) or a percentage from 0% to 100% (such as 20%)'],
    ['n-test', '1.5', 'a whole number from 0 (such as 10) or a percentage from 0% to 100% (such as 20%)'],
    ['seed', 'a b', '1 to 64 letters, digits, “.”, “_” or “-”'],
    ['seed', 'x'.repeat(65), '1 to 64 letters, digits, “.”, “_” or “-”'],
    ['split', 'random', 'shuffle or stable or keep'],
    ['duplicates', 'keep', 'keep-together or drop or error'],
    ['label-conflicts', 'ignore', 'error or warn'],
    ['archive-content', 'all', 'data or results'],
    ['group-by', '([', 'a JavaScript regular expression, such as ^([^_]+)_'],
    ['image-extensions', '*.jpg', 'endings of file names separated by commas or spaces, such as jpg, png'],
    ['image-extensions', ' , ', 'endings of file names separated by commas or spaces, such as jpg, png'],
    ['archive-prefix', 'a/b', 'a safe file name, and this one holds the character /'],
    ['archive-prefix', 'x'.repeat(201), 'a name of at most 200 bytes: date and time follow it'],
    ['artifact-name', 'a:b', 'a safe file name, and this one holds the character :'],
    ['owncloud-folder', 'a/../b', 'a folder such as data/sets; “..” stands for a folder, not for a name'],
    ['owncloud-folder', 'a//b', 'a folder such as data/sets; “” is empty'],
    ['concurrency', '0', 'a whole number from 1 to 32'],
    ['concurrency', '33', 'a whole number from 1 to 32'],
    ['keep-last', '-1', 'a whole number from 0 to 1000000'],
    ['upload', 'yes', 'true or false'],
    ['cache', 'True', 'true or false'],
    ['dry-run', '1', 'true or false'],
    ['check', 'on', 'true or false'],
    ['check-also', 'Registry', 'a name, “=” and success or failure or cancelled or skipped on each line'],
    ['check-also', '=success', 'a name, “=” and success or failure or cancelled or skipped on each line'],
    ['check-also', 'Registry=good', 'a name, “=” and success or failure or cancelled or skipped on each line'],
  ])('%s %j', async (name, value, allowed) => {
    expect(await refusalOf({ [name]: value })).toBe(`Input ${name} is “${value.trim()}”, allowed is ${allowed}.`);
  });

  test('a typing error is found also where another input makes it not matter', async () => {
    expect(await refusalOf({ check: 'true', 'dry-run': 'treu' })).toContain('Input dry-run is “treu”');
    expect(await refusalOf({ 'dry-run': 'true', upload: 'treu' })).toContain('Input upload is “treu”');
  });

  test('owncloud-url missing where something is to be uploaded', async () => {
    expect(await refusalOf({ 'owncloud-url': '' })).toMatch(/^Input owncloud-url is missing: .+ upload: false /);
    expect(await refusalOf({ 'owncloud-url': '', check: 'true' })).toMatch(/^Input owncloud-url is missing: /);
  });

  test('a stable split without a seed', async () => {
    expect(await refusalOf({ split: 'stable', 'n-test': '20%' })).toMatch(
      /^Input split: stable needs a seed, the same /,
    );
  });

  test('a stable split of a fixed number, for all or for one entry', async () => {
    const stable = { split: 'stable', seed: '1' };
    expect(await refusalOf(stable)).toContain(
      'stable needs a percentage as n-test (and n_test of each entry), such as 20%, found 10',
    );
    const list = JSON.stringify([ENTRY, { ...ENTRY, downloaded_file_name: 'b.zip', n_test: 5 }]);
    expect(await refusalOf({ ...stable, 'n-test': '20%', 'file-list': list })).toContain('found 5');
  });
});
