import { describe, expect, test } from 'vitest';
import {
  apptainerEnv,
  apptainerExecArgs,
  type Container,
  digestOf,
  dockerRunArgs,
  envFileText,
  registryOf,
  shellCommand,
} from '../../src/train-model/container.ts';

const CONTAINER: Container = {
  name: 'diatom-1-1-abcd',
  image: 'sha256:1234',
  command: 'python train.py --epochs 3',
  mounts: [
    { source: '/runner/data', target: '/data', readOnly: true },
    { source: '/runner/a, "b"', target: '/output', readOnly: false },
  ],
  env: new Map([
    ['HOME', '/tmp'],
    ['SECRET', 'never-an-argument'],
  ]),
  network: false,
  gpus: 'all',
  shmSize: '8g',
};
const RUN = { user: { uid: 1001, gid: 121 }, envFile: '/runner/container.env' };

describe('the arguments for Docker', () => {
  test('shut the container in: no network, an ordinary user, no rights, data to read only', () => {
    expect(dockerRunArgs('docker', CONTAINER, RUN)).toEqual([
      ...['run', '--name', 'diatom-1-1-abcd', '--init'],
      ...['--network', 'none', '--user', '1001:121', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
      ...['--shm-size', '8g', '--gpus', 'all', '--env-file', '/runner/container.env'],
      ...['--mount', 'type=bind,source=/runner/data,target=/data,readonly'],
      ...['--mount', 'type=bind,"source=/runner/a, ""b""",target=/output'],
      ...['--entrypoint', '/bin/sh', 'sha256:1234', '-c', 'exec python train.py --epochs 3'],
    ]);
  });

  test('never hold a value of the environment', () => {
    expect(dockerRunArgs('docker', CONTAINER, RUN).join(' ')).not.toContain('never-an-argument');
    expect(apptainerExecArgs(CONTAINER).join(' ')).not.toContain('never-an-argument');
    expect(envFileText(CONTAINER.env)).toBe('HOME=/tmp\nSECRET=never-an-argument\n');
  });

  test('have a network when that is wanted', () => {
    expect(dockerRunArgs('docker', { ...CONTAINER, network: true }, RUN)).not.toContain('--network');
  });

  test.each([
    ['all', ['--gpus', 'all']],
    ['none', []],
    [['0'], ['--gpus', '"device=0"']],
    [
      ['0', 'GPU-3a'],
      ['--gpus', '"device=0,GPU-3a"'],
    ],
  ] as const)('give it the GPUs %j', (gpus, expected) => {
    const args = dockerRunArgs('docker', { ...CONTAINER, gpus }, RUN);
    const from = args.indexOf('--shm-size') + 2;
    expect(args.slice(from, args.indexOf('--env-file'))).toEqual(expected);
  });
});

describe('the arguments for Podman', () => {
  test('keep the own user what it is when it runs without root', () => {
    const args = dockerRunArgs('podman', CONTAINER, { ...RUN, user: { ...RUN.user, keepId: true } });
    expect(args.join(' ')).toContain('--userns keep-id --user 1001:121');
    expect(args.join(' ')).toContain('--security-opt label=disable');
  });

  test.each([
    ['all', ['--device', 'nvidia.com/gpu=all']],
    ['none', []],
    [
      ['0', '1'],
      ['--device', 'nvidia.com/gpu=0', '--device', 'nvidia.com/gpu=1'],
    ],
  ] as const)('give it the GPUs %j by the Container Device Interface', (gpus, expected) => {
    const args = dockerRunArgs('podman', { ...CONTAINER, gpus }, RUN);
    expect(args.slice(args.indexOf('--shm-size') + 2, args.indexOf('--env-file'))).toEqual(expected);
  });
});

describe('for Apptainer', () => {
  test('the arguments shut the container in as far as it can', () => {
    expect(apptainerExecArgs(CONTAINER)).toEqual([
      ...['exec', '--containall', '--no-eval', '--net', '--network', 'none', '--nv'],
      ...['--mount', 'type=bind,source=/runner/data,destination=/data,ro'],
      ...['--mount', 'type=bind,"source=/runner/a, ""b""",destination=/output'],
      ...['sha256:1234', '/bin/sh', '-c', 'exec python train.py --epochs 3'],
    ]);
    expect(apptainerExecArgs({ ...CONTAINER, gpus: 'none' })).not.toContain('--nv');
  });

  test('the environment goes by variables, without HOME, which it sets itself', () => {
    expect(apptainerEnv(CONTAINER)).toEqual({ APPTAINERENV_SECRET: 'never-an-argument' });
    expect(apptainerEnv({ ...CONTAINER, gpus: ['1', '2'] })).toMatchObject({
      APPTAINERENV_CUDA_VISIBLE_DEVICES: '1,2',
    });
  });
});

describe('a command', () => {
  test.each([
    'python train.py',
    '/opt/venv/bin/python -u train.py --name "a b"',
    "torchrun --nproc_per_node=2 train.py --label 'x'",
  ])('that is a plain program replaces the shell, so that it gets the signals: %s', (command) => {
    expect(shellCommand(command)).toBe(`exec ${command}`);
  });

  test.each([
    'cd /app && python train.py',
    'EPOCHS=3 python train.py',
    'python a.py; python b.py',
    'python train.py\npython more.py',
    'exec python train.py',
    '. /opt/env/activate',
    'for i in 1 2; do python train.py; done',
    'python train.py | tee log',
    '(python train.py)',
  ])('of the shell stays as it is: %s', (command) => {
    expect(shellCommand(command)).toBe(command);
  });
});

test.each([
  ['python:3', undefined],
  ['lab/diatoms', undefined],
  ['lab/diatoms:v1.2', undefined],
  ['ghcr.io/lab/diatoms:v1', 'ghcr.io'],
  ['127.0.0.1:5000/diatoms@sha256:ab', '127.0.0.1:5000'],
  ['localhost/diatoms', 'localhost'],
  ['localhost:5000/diatoms', 'localhost:5000'],
])('the registry of %s is %s', (image, registry) => {
  expect(registryOf(image)).toBe(registry);
});

test.each([
  ['ghcr.io/lab/a:v1', ['docker.io/b@sha256:11', 'ghcr.io/lab/a@sha256:22'], 'sha256:22'],
  ['127.0.0.1:5000/a', ['127.0.0.1:5000/a@sha256:33'], 'sha256:33'],
  ['python:3', ['docker.io/library/python@sha256:44'], 'sha256:44'],
  [`ghcr.io/lab/a@sha256:${'5'.repeat(64)}`, [], `sha256:${'5'.repeat(64)}`],
  ['local:1', [], undefined],
])('the digest of %s, known as %j, is %s', (image, references, digest) => {
  expect(digestOf(image, references)).toBe(digest);
});
