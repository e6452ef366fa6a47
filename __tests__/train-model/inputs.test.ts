import { describe, expect, test } from 'vitest';
import { readInputs } from '../../src/train-model/inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, defaultsOf, setEnvironment, setInputs } from '../helpers/runner.ts';

function read(inputs: Readonly<Record<string, string>> = {}) {
  setInputs({ ...defaultsOf('train-model'), image: 'ghcr.io/lab/diatoms:v1', dataset: 'set.zip', ...inputs });
  return readInputs({ GITHUB_WORKSPACE: '/workspace' });
}

test('the defaults are those of action.yml', () => {
  expect(read()).toEqual({
    workspace: '/workspace',
    image: 'ghcr.io/lab/diatoms:v1',
    dataset: 'set.zip',
    datasetSha256: undefined,
    owncloud: undefined,
    registry: undefined,
    engine: 'docker',
    gpus: 'all',
    trainCommand: 'python train.py',
    testCommand: 'python test.py',
    env: new Map(),
    network: false,
    shmSize: '8g',
    outputDir: '/workspace/model',
    timeoutMs: undefined,
    checkpointMs: 30 * 60_000,
    checkpointFolder: '',
    artifactName: 'model',
    keepUnpublished: false,
    key: 'model',
    retentionDays: 7,
    owncloudFolder: '',
    isCheck: false,
    compareWith: '',
    decide: false,
    dataIdentity: undefined,
  });
});

test('what is set is read', () => {
  const inputs = read({
    'dataset-sha256': 'AB'.repeat(32),
    gpus: '0, GPU-3a-1',
    env: '# settings\nEPOCHS=3\n  LR = 0.1\nNOTE=a = "b" # c\n\n',
    'timeout-minutes': '1.5',
    'retention-days': '30',
    key: 'species: *, small/',
    'owncloud-folder': '/data sets/',
    'registry-username': 'lab',
    'registry-password': 'secret',
    'owncloud-url': 'https://cloud.example.org',
  });
  expect(inputs).toMatchObject({
    datasetSha256: 'ab'.repeat(32),
    gpus: ['0', 'GPU-3a-1'],
    timeoutMs: 90_000,
    key: 'species-small-0502a5',
    retentionDays: 30,
    owncloudFolder: 'data sets',
    registry: { username: 'lab', password: 'secret' },
    owncloud: { url: 'https://cloud.example.org' },
  });
  expect([...inputs.env]).toEqual([
    ['EPOCHS', '3'],
    ['LR', ' 0.1'],
    ['NOTE', 'a = "b" # c'],
  ]);
});

describe('refused with the input, what was found, and what is allowed:', () => {
  const refusals: readonly (readonly [inputs: Readonly<Record<string, string>>, message: string])[] = [
    [{ image: '' }, 'Input image is missing'],
    [{ 'retention-days': '0' }, 'Input retention-days is “0”'],
    [{ 'owncloud-folder': '../other' }, 'Input owncloud-folder is “../other”'],
    [{ image: '--privileged' }, 'Input image is “--privileged”'],
    [{ dataset: '' }, 'Input dataset is missing'],
    [{ 'dataset-sha256': 'abc' }, 'Input dataset-sha256 is “abc”, allowed is a SHA-256 of 64 hexadecimal digits'],
    [{ engine: 'lxc' }, 'Input engine is “lxc”, allowed is docker or podman or apptainer'],
    [{ gpus: 'yes' }, 'Input gpus is “yes”'],
    [{ gpus: '0 --privileged' }, 'Input gpus is'],
    [{ settings: 'train-command: ""' }, 'Input train-command is missing'],
    [{ network: 'no' }, 'Input network is “no”, allowed is true or false'],
    [{ 'shm-size': '-1' }, 'Input shm-size is “-1”'],
    [{ 'shm-size': 'eight' }, 'Input shm-size is “eight”'],
    [{ 'timeout-minutes': '0' }, 'Input timeout-minutes is “0”'],
    [{ 'timeout-minutes': '9999' }, 'Input timeout-minutes is “9999”, allowed is a number above 0 and up to 7200'],
    [{ 'artifact-name': 'a/b' }, 'Input artifact-name is “a/b”'],
    [{ 'registry-username': 'lab' }, 'Input registry-password is missing, and registry-username is set'],
    [{ 'registry-password': 'x' }, 'Input registry-username is missing, and registry-password is set'],
    [{ env: 'A=1\nEPOCHS' }, 'Input env, line 2: found no “=”'],
    [{ env: '1A=1' }, 'Input env, line 1: found the name “1A”'],
    [{ env: 'A=1\nA=2' }, 'Input env, line 2: A is set twice'],
    ...['DATA_DIR', 'OUTPUT_DIR', 'WEIGHTS', 'HOME'].map(
      (name) => [{ env: `${name}=/x` }, `Input env, line 1: ${name} is set by this action itself`] as const,
    ),
  ];
  test.each(refusals)('%j', async (inputs, message) => {
    const error = await failureOf(() => read(inputs));
    expect(error.code).toBe('INPUT');
    expect(error.message).toContain(message);
  });
});

test('a line of env that is wrong is never quoted: it may hold a secret', async () => {
  const error = await failureOf(() => read({ env: 'MY SECRET-TOKEN-4711' }));
  expect(error.message).not.toContain('4711');
});

test.each(['check', 'decide'])(
  'with %s, nothing is pulled, so that a user of the settings needs no password',
  (mode) => {
    expect(
      read({ 'registry-username': 'lab', 'compare-with': 'models/diatoms/production', [mode]: 'true' }),
    ).toMatchObject({
      registry: undefined,
    });
  },
);

test('passwords, and addresses that may hold one, are hidden from the log', () => {
  setEnvironment({ GITHUB_ACTIONS: 'true' });
  const output = captureOutput();
  read({ 'owncloud-password': 'pass-1', 'registry-username': 'lab', 'registry-password': 'pass-2' });
  read({ dataset: 'https://example.org/set.zip?token=pass-3' });
  for (const secret of ['pass-1', 'pass-2', 'https://example.org/set.zip?token=pass-3']) {
    expect(output.text()).toContain(`::add-mask::${secret}`);
  }
});
