import { readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openApptainer } from '../../src/train-model/apptainer-engine.ts';
import type { Container } from '../../src/train-model/container.ts';
import { openDocker, removeContainer } from '../../src/train-model/docker-engine.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { type Answer, type FakeEngine, fakeEngine } from '../helpers/fake-engine.ts';
import { captureOutput, setEnvironment, temporaryFolder } from '../helpers/runner.ts';

const CONTAINER: Container = {
  name: 'diatom-7-1-abcd',
  image: 'sha256:77',
  command: 'python train.py',
  mounts: [],
  env: new Map([['TOKEN', 'secret value # not a comment']]),
  network: false,
  gpus: 'none',
  shmSize: '8g',
};
const PASSWORD = 'a-password-that-is-found-nowhere';
const IMAGE = 'ghcr.io/lab/diatoms:v1';
const DIGEST = `sha256:${'d'.repeat(64)}`;
const HERE: Answer = {
  match: '^image inspect',
  stdout: JSON.stringify({ Id: 'sha256:77', RepoDigests: [`ghcr.io/lab/diatoms@${DIGEST}`] }),
};
const INFO: Answer = { match: '^info', stdout: '["name=seccomp,profile=builtin"]' };

const never = new AbortController().signal;
const quick = { signal: never, graceSeconds: () => 6 };

/** The tests’ stand-in is a script, which Windows can’t start by its name; runners with GPUs and Docker run Linux. */
const runsScripts = process.platform !== 'win32';

async function opened(answers: readonly Answer[], name: 'docker' | 'podman' = 'docker') {
  captureOutput();
  const engine = fakeEngine(name, [...answers, INFO, HERE]);
  const workDir = temporaryFolder();
  return { engine, workDir, opened: await openDocker(name, workDir) };
}

const startOf = async (engine: FakeEngine) => {
  while (engine.argsOf('run').length === 0) await sleep(10);
};

describe.runIf(runsScripts)('a container', () => {
  test('gets its environment by a file that only this user can read, and that is gone afterwards', async () => {
    const { engine, workDir, opened: docker } = await opened([]);
    expect(await docker.run(CONTAINER, quick)).toMatchObject({ exitCode: 0, outOfMemory: false });
    const call = engine.calls().find(({ args }) => args[0] === 'run');
    expect(call?.envFile).toEqual({ text: 'TOKEN=secret value # not a comment\n', mode: 0o600 });
    expect(call?.args.join(' ')).not.toContain('secret');
    expect(readdirSync(workDir)).toEqual([]);
  });

  test.each([
    ['ends well', { match: '^run' }],
    ['fails', { match: '^run', exitCode: 1 }],
  ])('is removed when it %s', async (_, answer) => {
    const { engine, opened: docker } = await opened([answer]);
    await docker.run(CONTAINER, quick);
    expect(engine.argsOf('rm')).toEqual([['rm', '--force', '--volumes', CONTAINER.name]]);
  });

  test('that the engine can’t start is an error with its words, and is removed', async () => {
    const stderr = 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].';
    const { engine, opened: docker } = await opened([{ match: '^run', exitCode: 125, stderr }]);
    const error = await failureOf(docker.run(CONTAINER, quick));
    expect(error).toMatchObject({ code: 'CONTAINER' });
    expect(error.message).toContain('no GPU runtime. Install the NVIDIA driver and the NVIDIA container toolkit');
    expect(error.message).toContain('gpus: none');
    expect(engine.argsOf('rm')).toHaveLength(1);
  });

  test.each([
    ['CDI device', 126, 'Error: setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all', 'nvidia-ctk cdi'],
    [
      'catatonit',
      125,
      'Error: container-init binary not found on the host: stat /usr/libexec/podman/catatonit',
      'catatonit',
    ],
    [
      'right to set limits',
      126,
      'Error: runc: error setting rlimit type 7: operation not permitted',
      'default_ulimits',
    ],
  ])(
    'that Podman can’t start for want of a %s is its failure, and not the command’s',
    async (_, exitCode, stderr, advice) => {
      const answers = [
        { match: '^run', exitCode, stderr },
        { match: '^inspect', stdout: 'false created\n' },
      ];
      const { engine, opened: podman } = await opened(answers, 'podman');
      const error = await failureOf(podman.run(CONTAINER, quick));
      expect(error.message).toContain('podman could not start the container: ');
      expect(error.message).toContain(advice);
      expect(engine.argsOf('rm')).toHaveLength(1);
    },
  );

  test('that ended with 126 or 127 by itself is the command’s failure', async () => {
    for (const exitCode of [126, 127]) {
      const answers = [
        { match: '^run', exitCode },
        { match: '^inspect', stdout: 'false exited\n' },
      ];
      const { opened: podman } = await opened(answers, 'podman');
      expect(await podman.run(CONTAINER, quick)).toMatchObject({ exitCode });
    }
  });

  test('that ran out of memory is told apart from one that was killed', async () => {
    const killed = { match: '^run', exitCode: 137 };
    const first = await opened([killed, { match: '^inspect', stdout: 'true\n' }]);
    expect(await first.opened.run(CONTAINER, quick)).toMatchObject({ exitCode: 137, outOfMemory: true });
    const second = await opened([killed, { match: '^inspect', stdout: 'false\n' }]);
    expect(await second.opened.run(CONTAINER, quick)).toMatchObject({ exitCode: 137, outOfMemory: false });
  });

  test('is asked to stop until it has ended, also when there was nothing to stop yet', async () => {
    const { engine, opened: docker } = await opened([{ match: '^run', untilStopped: true, deafFor: 2 }]);
    const cancel = new AbortController();
    const running = docker.run(CONTAINER, { signal: cancel.signal, graceSeconds: () => 42 });
    await startOf(engine);
    cancel.abort();
    expect(await running).toMatchObject({ exitCode: 143 });
    expect(engine.argsOf('stop').length).toBeGreaterThanOrEqual(3);
    expect(engine.argsOf('stop')[0]).toEqual(['stop', '-t', '42', CONTAINER.name]);
    expect(engine.argsOf('rm')).toHaveLength(1);
  });

  test('of a run that is cancelled already is never made', async () => {
    const { engine, opened: docker } = await opened([]);
    const error = await failureOf(docker.run(CONTAINER, { ...quick, signal: AbortSignal.abort() }));
    expect(error.code).toBe('CANCELLED');
    expect(engine.argsOf('run')).toEqual([]);
  });

  test('that can’t be removed is an error that says how', async () => {
    captureOutput();
    fakeEngine('docker', [{ match: '^rm', exitCode: 1, stderr: 'Error: device or resource busy' }]);
    const error = await failureOf(removeContainer('docker', 'diatom-7'));
    expect(error.message).toContain('docker rm -f diatom-7');
    expect(error.message).toContain('device or resource busy');
  });

  test.each([
    ['docker', 'Error response from daemon: No such container: diatom-7'],
    ['podman', 'Error: no container with name or ID "diatom-7" found: no such container'],
  ] as const)('that is gone needs no removal: %s', async (name, stderr) => {
    fakeEngine(name, [{ match: '^rm', exitCode: 1, stderr }]);
    await removeContainer(name, 'diatom-7');
  });
});

describe.runIf(runsScripts)('whom a container runs as', () => {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const userOf = (engine: FakeEngine) => {
    const [args = []] = engine.argsOf('run');
    return args[args.indexOf('--user') + 1];
  };

  test('is the runner’s own user, and never root', async () => {
    const { engine, opened: docker } = await opened([]);
    await docker.run(CONTAINER, quick);
    expect(userOf(engine)).toBe(uid === 0 ? '1000:1000' : `${uid}:${gid}`);
    expect(docker.foreignOwner).toEqual(uid === 0 ? { uid: 1000, gid: 1000 } : undefined);
  });

  test('is root in a Docker without root, which is the runner’s own user outside', async () => {
    const { engine, opened: docker } = await opened([{ match: '^info', stdout: '["name=rootless"]' }]);
    await docker.run(CONTAINER, quick);
    expect(userOf(engine)).toBe('0:0');
    expect(docker.foreignOwner).toBeUndefined();
  });

  test('stays the same user in a Podman without root', async () => {
    const { engine, opened: podman } = await opened([{ match: '^info', stdout: 'true\n' }], 'podman');
    await podman.run(CONTAINER, quick);
    expect(userOf(engine)).toBe(`${uid}:${gid}`);
    expect(engine.argsOf('run')[0]).toContain('keep-id');
  });
});

describe.runIf(runsScripts)('an image', () => {
  test('is pulled, and run by its id, so that a tag that moves on changes nothing', async () => {
    const { engine, opened: docker } = await opened([]);
    expect(await docker.prepareImage(IMAGE, undefined, never)).toEqual({ reference: 'sha256:77', digest: DIGEST });
    expect(engine.argsOf('pull')).toEqual([['pull', IMAGE]]);
    expect(engine.argsOf('login')).toEqual([]);
  });

  test('is found in the answer of a Podman up to 4.3, which is a list, and not by the digest that it has here alone', async () => {
    const digests = [`localhost/diatoms@sha256:${'e'.repeat(64)}`, `ghcr.io/lab/diatoms@sha256:${'e'.repeat(64)}`];
    const facts = { Id: '77', Digest: `sha256:${'e'.repeat(64)}`, RepoDigests: digests };
    const listed = (RepoDigests: readonly string[]) => ({
      match: '^image inspect',
      stdout: JSON.stringify([{ ...facts, RepoDigests }], null, 5),
    });
    const made = await opened([listed(digests)], 'podman');
    expect(await made.opened.prepareImage(IMAGE, undefined, never)).toEqual({ reference: '77', digest: undefined });
    const pushed = await opened([listed([...digests, `ghcr.io/lab/diatoms@${DIGEST}`])], 'podman');
    expect(await pushed.opened.prepareImage(IMAGE, undefined, never)).toEqual({ reference: '77', digest: DIGEST });
  });

  test('of a private registry is pulled with a sign-in by stdin, in a configuration that is gone afterwards', async () => {
    setEnvironment({ DOCKER_HOST: undefined });
    const context = { match: '^context inspect', stdout: 'unix:///run/user/1000/docker.sock\n' };
    const { engine, workDir, opened: docker } = await opened([context]);
    await docker.prepareImage(IMAGE, { username: 'lab', password: PASSWORD }, never);
    const [login] = engine.calls().filter(({ args }) => args[0] === 'login');
    expect(login?.args).toEqual(['login', '--username', 'lab', '--password-stdin', 'ghcr.io']);
    expect(login?.stdin).toBe(PASSWORD);
    const [pull] = engine.calls().filter(({ args }) => args[0] === 'pull');
    expect(pull?.env).toEqual(login?.env);
    expect(pull?.env['DOCKER_CONFIG']).toContain(workDir);
    expect(pull?.env['DOCKER_HOST']).toBe('unix:///run/user/1000/docker.sock');
    expect(engine.calls().flatMap(({ args }) => args)).not.toContain(PASSWORD);
    expect(readdirSync(workDir)).toEqual([]);
  });

  test('is not pulled after a refused sign-in, and the error does not hold the password', async () => {
    const stderr = 'Error response from daemon: Get "https://ghcr.io/v2/": denied: denied';
    const { engine, workDir, opened: docker } = await opened([{ match: '^login', exitCode: 1, stderr }]);
    const error = await failureOf(docker.prepareImage(IMAGE, { username: 'lab', password: PASSWORD }, never));
    expect(error.message).toContain('docker could not sign in to ghcr.io as lab: the registry refuses');
    expectNowhere(error, PASSWORD);
    expect(engine.argsOf('pull')).toEqual([]);
    expect(readdirSync(workDir)).toEqual([]);
  });

  test('that can’t be pulled is used as it is here, with a warning', async () => {
    const { opened: docker } = await opened([{ match: '^pull', exitCode: 1, stderr: 'manifest unknown' }]);
    const output = captureOutput();
    expect(await docker.prepareImage(IMAGE, undefined, never)).toMatchObject({ reference: 'sha256:77' });
    expect(output.text()).toContain('The image that is on this machine is used');
  });

  const REFUSALS: readonly (readonly [stderr: string, sentence: string])[] = [
    ['Error response from daemon: manifest for x not found: manifest unknown', 'there is no such image'],
    ['Error response from daemon: unauthorized: authentication required', 'the registry refuses'],
    ['Error response from daemon: pull access denied for x, repository does not exist', 'the registry refuses'],
    ['dial tcp: lookup ghcr.io: no such host', 'its registry can’t be reached'],
    ['write /var/lib/docker/tmp/x: no space left on device', 'the disk is full'],
    ['invalid reference format', 'that is not the name of an image'],
  ];
  test.each(REFUSALS)('that is nowhere ends with a sentence: %s', async (stderr, sentence) => {
    const missing = { match: '^image inspect', exitCode: 1, stderr: 'Error: No such image' };
    const { opened: docker } = await opened([{ match: '^pull', exitCode: 1, stderr }, missing]);
    const error = await failureOf(docker.prepareImage(IMAGE, undefined, never));
    expect(error.message).toContain(`docker could not get the image ${IMAGE}: ${sentence}`);
    expect(error.message).toContain(stderr);
  });
});

describe.runIf(runsScripts)('an engine that can’t be used says what to do', () => {
  test.each([
    ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock.', 'sudo systemctl start docker'],
    ['permission denied while trying to connect to the Docker daemon socket at unix:///x', 'usermod -aG docker'],
  ])('%s', async (stderr, advice) => {
    captureOutput();
    fakeEngine('docker', [{ match: '^info', exitCode: 1, stderr }]);
    expect((await failureOf(openDocker('docker', temporaryFolder()))).message).toContain(advice);
  });

  test('when it is not there', async () => {
    setEnvironment({ PATH: temporaryFolder() });
    const error = await failureOf(openDocker('podman', temporaryFolder()));
    expect(error.message).toMatch(/The program “podman” is not on this runner .*: install it/);
    await removeContainer('podman', 'diatom-7');
  });
});

describe.runIf(runsScripts)('Apptainer', () => {
  const openedBy = async (uid: number, answers: readonly Answer[] = []) => {
    captureOutput();
    const engine = fakeEngine('apptainer', answers);
    const [workDir, workspace] = [temporaryFolder(), temporaryFolder()];
    return { engine, workDir, workspace, opened: await openApptainer(workDir, workspace, uid) };
  };

  test('is refused to root, who would be root in the container', async () => {
    const error = await failureOf(openedBy(0));
    expect(error.message).toContain('Run the runner as an ordinary user');
  });

  test('pulls an image once, with the account in the environment only', async () => {
    const { engine, workDir, opened: apptainer } = await openedBy(1000);
    const image = await apptainer.prepareImage(`${IMAGE}@${DIGEST}`, { username: 'lab', password: PASSWORD }, never);
    expect(image).toEqual({ reference: `${workDir}/image.sif`, digest: DIGEST });
    const pull = engine.calls().find(({ args }) => args[0] === 'pull');
    expect(pull?.args).toEqual(['pull', '--force', `${workDir}/image.sif`, `docker://${IMAGE}@${DIGEST}`]);
    expect(pull?.env).toEqual({ APPTAINER_DOCKER_USERNAME: 'lab', APPTAINER_DOCKER_PASSWORD: PASSWORD });
  });

  test('takes a .sif file of the workspace as it is', async () => {
    const { engine, workspace, opened: apptainer } = await openedBy(1000);
    writeFileSync(`${workspace}/diatoms.sif`, 'image');
    const image = await apptainer.prepareImage('diatoms.sif', undefined, never);
    expect(image).toEqual({ reference: `${workspace}/diatoms.sif`, digest: undefined });
    expect(engine.argsOf('pull')).toEqual([]);
  });

  test('gives a container its environment, and asks it to stop', async () => {
    const { engine, opened: apptainer } = await openedBy(1000, [{ match: '^exec', untilStopped: true }]);
    const cancel = new AbortController();
    const running = apptainer.run(CONTAINER, { ...quick, signal: cancel.signal });
    while (engine.argsOf('exec').length === 0) await sleep(10);
    cancel.abort();
    expect(await running).toMatchObject({ exitCode: 143 });
    expect(engine.calls().at(-1)?.env).toEqual({ APPTAINERENV_TOKEN: 'secret value # not a comment' });
  });

  test('that can’t start a container is an error with its words', async () => {
    const stderr = 'FATAL: could not open image';
    const { opened: apptainer } = await openedBy(1000, [{ match: '^exec', exitCode: 255, stderr }]);
    expect((await failureOf(apptainer.run(CONTAINER, quick))).message).toContain('could not open image');
  });
});
