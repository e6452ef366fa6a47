import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runAction } from '../../scripts/run-action.ts';
import { run } from '../helpers/commands.ts';
import { type DockerEngine, startDocker } from '../helpers/docker.ts';

let docker: DockerEngine;
let folder: string;

beforeAll(async () => {
  docker = await startDocker();
  folder = await mkdtemp(join(tmpdir(), 'train-check-'));
  // A stand-in for the program of NVIDIA’s driver: Docker’s own runtime for GPUs is not here, and that is what is tested.
  const program = join(folder, 'nvidia-smi');
  await writeFile(program, "#!/bin/sh\necho 'GPU 0: NVIDIA L4 (UUID: GPU-5c1b)'\n");
  await chmod(program, 0o755);
});

afterAll(async () => {
  await docker?.close();
  if (folder) await rm(folder, { recursive: true });
});

const images = async () => (await run('docker', ['images', '--all', '--quiet'])).trim().split('\n').sort();

test('a check on a real Docker that can give no GPU to a container is red, says what to install, and leaves nothing', async () => {
  const before = await images();
  const { exitCode, stdout, summary } = await runAction({
    action: 'train-model',
    workspace: folder,
    inputs: { check: 'true', image: 'none', dataset: 'none' },
    env: { PATH: `${folder}${delimiter}${process.env['PATH']}` },
    program: join(import.meta.dirname, '..', '..', 'src', 'train-model', 'main.ts'),
  });
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(
    /::error::A run would fail:%0A- GPU in containers: .*Install the NVIDIA driver and the NVIDIA container toolkit/,
  );
  expect(summary).toContain('| ✅ | Container engine | docker can be used |');
  expect(await images()).toEqual(before);
});

test('a container of the empty image that a check makes starts, and ends because there is no shell: that is how a check tells', async () => {
  const image = (await run('sh', ['-c', 'head -c 1024 /dev/zero | docker import -'])).trim();
  const options = '--rm --init --network none --cap-drop ALL --entrypoint /bin/sh';
  const said = await run('sh', [
    '-c',
    `docker run ${options} ${image} -c true 2>&1; echo "code $?"; docker rmi ${image} >&2`,
  ]);
  expect(said).toMatch(/exec \/bin\/sh failed: No such file or directory\s+code 127/);
});
