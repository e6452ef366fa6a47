import { chmodSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import { check, checkDisk } from '../../src/train-model/check.ts';
import { readInputs } from '../../src/train-model/inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { type Answer, fakeEngine } from '../helpers/fake-engine.ts';
import { ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import { captureOutput, defaultsOf, setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

/** What Docker 28 says about a container without any file: its own little init program finds no shell in it. */
const NO_SHELL = '[FATAL tini (7)] exec /bin/sh failed: No such file or directory\n';
const STARTED: Answer = { match: '^run', exitCode: 127, stderr: NO_SHELL };
const ENGINE: readonly Answer[] = [
  { match: '^info', stdout: '["name=seccomp,profile=builtin"]' },
  { match: '^import', stdout: 'sha256:77\n' },
];

/** Stands in for the program of NVIDIA’s driver. */
function nvidiaSmi(script: string): void {
  const folder = temporaryFolder('nvidia');
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'nvidia-smi'), 0o755);
  setEnvironment({ PATH: `${folder}${delimiter}${process.env['PATH']}` });
}

const ONE_GPU = "echo 'GPU 0: NVIDIA L4 (UUID: GPU-5c1b)'";

async function checked(inputs: Readonly<Record<string, string>> = {}) {
  captureOutput();
  setInputs({ ...defaultsOf('train-model'), check: 'true', image: 'none', dataset: 'none', ...inputs });
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const { signal } = new AbortController();
  const findings = await check(readInputs({ GITHUB_WORKSPACE: temporaryFolder() }), {
    http,
    signal,
    workDir: temporaryFolder(),
  });
  return Object.fromEntries(findings.map(({ subject, ok, sentence }) => [subject, `${ok ? 'ok' : 'no'}: ${sentence}`]));
}

// The stand-ins are scripts, which Windows can’t start by their names; runners with GPUs and Docker run Linux.
describe.runIf(process.platform !== 'win32')('a check of a machine that trains', () => {
  test('gives a container its GPUs, signs in, and leaves nothing', async () => {
    const engine = fakeEngine('docker', [STARTED, ...ENGINE]);
    nvidiaSmi(ONE_GPU);
    const { url } = await ownServer();
    const found = await checked({ 'owncloud-url': url, 'owncloud-username': USER, 'owncloud-password': PASSWORD });
    expect(found).toEqual({
      'Container engine': 'ok: docker can be used',
      'GPU in containers': 'ok: a container was given what gpus asks for; on this machine: NVIDIA L4',
      Disk: expect.stringMatching(/^(ok|no): .* free at /),
      ownCloud: expect.stringMatching(/^ok: .*: signed in/),
    });
    expect(engine.argsOf('run')[0]?.join(' ')).toMatch(/--network none .*--gpus all .*sha256:77/);
    expect(engine.argsOf('pull')).toEqual([]);
    expect(engine.argsOf('rm')).toHaveLength(1);
    expect(engine.argsOf('rmi')).toEqual([['rmi', '--force', 'sha256:77']]);
  });

  test.each<['docker' | 'podman', Partial<Answer>]>([
    ['docker', { exitCode: 125, stderr: 'could not select device driver "" with capabilities: [[gpu]].\n' }],
    ['docker', { exitCode: 125, stderr: 'nvidia-container-cli: initialization error: driver not loaded\n' }],
    ['podman', { exitCode: 127, stderr: 'Error: unresolvable CDI devices nvidia.com/gpu=all: no such file\n' }],
    ['podman', { exitCode: 126, stderr: 'Error: setting up CDI devices: unresolvable CDI devices\n' }],
  ])('%s without a GPU runtime is said so, and the image is removed', async (name, answer) => {
    const engine = fakeEngine(name, [{ ...STARTED, ...answer }, ...ENGINE]);
    nvidiaSmi(ONE_GPU);
    const found = await checked({ engine: name });
    expect(found['GPU in containers']).toMatch(
      /^no: .* (no GPU here: it has no GPU runtime|no such GPU here: .*nvidia-ctk cdi generate)/,
    );
    expect(engine.argsOf('rmi')).toHaveLength(1);
  });

  test.each([
    ['has no driver', 'exit 127', /^no: this machine has no NVIDIA GPU/],
    ['has a driver that found none', "echo 'No devices were found'; exit 6", /nvidia-smi says “No devices were found”/],
  ])('a machine that %s is said so, and no container is started', async (_, script, sentence) => {
    const engine = fakeEngine('docker', [STARTED, ...ENGINE]);
    nvidiaSmi(script);
    expect((await checked())['GPU in containers']).toMatch(sentence);
    expect(engine.argsOf('run')).toEqual([]);
  });

  test('without GPUs that are asked for, an engine that answers is enough; one that does not is said so', async () => {
    fakeEngine('docker', ENGINE);
    expect((await checked({ gpus: 'none' }))['GPU in containers']).toBe('ok: not asked for (gpus: none)');
    fakeEngine('docker', [{ match: '^info', exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }]);
    expect((await checked({ gpus: 'none' }))['Container engine']).toMatch(/^no: .*Docker’s service does not run/);
  });

  test('no way to ownCloud, or a wrong password, is said so', async () => {
    fakeEngine('docker', ENGINE);
    const account = { gpus: 'none', 'owncloud-username': USER };
    const away = await checked({ ...account, 'owncloud-url': 'http://127.0.0.1:1', 'owncloud-password': PASSWORD });
    expect(away['ownCloud']).toMatch(/^no: .*127\.0\.0\.1:1/);
    const { url } = await ownServer();
    const wrong = await checked({ ...account, 'owncloud-url': url, 'owncloud-password': 'wrong' });
    expect(wrong['ownCloud']).toMatch(/^no: .*owncloud-password/);
  });

  test('a disk that is too small is said so, with what is needed', async () => {
    const folder = temporaryFolder();
    expect(await checkDisk(folder, 1)).toContain(`free at ${folder}`);
    const { code, message } = await failureOf(checkDisk(folder, 1e18));
    expect(code).toBe('DISK');
    expect(message).toMatch(/^only .* free at .*, and image and data set take at least/);
  });
});
