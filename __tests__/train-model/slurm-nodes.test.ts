import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Container } from '../../src/train-model/container.ts';
import { endOnNodes, endSteps, slurmNodes, srunArgs, srunEnv, torchrunEnv } from '../../src/train-model/slurm-nodes.ts';
import { failureOf } from '../helpers/failure.ts';
import { setEnvironment, temporaryFolder } from '../helpers/runner.ts';

const NODES = { count: 3, cpus: '8' };
const CONTAINER: Container = {
  name: 'diatom-7-1-abcd',
  image: '/shared/image.sif',
  command: 'torchrun train.py',
  mounts: [
    { source: '/shared/data', target: '/data', readOnly: true },
    { source: "/shared/it's", target: '/output', readOnly: false },
  ],
  env: new Map([['TOKEN', 'secret']]),
  network: false,
  gpus: 'all',
  shmSize: '8g',
  nodes: NODES,
};
const TRAINING = { engine: 'apptainer', trainCommand: 'torchrun /opt/model/train.py' } as const;

describe('the nodes of a Slurm job', () => {
  test('are those that sbatch names; a job of one, or none, has no others', () => {
    expect(slurmNodes({ SLURM_JOB_NUM_NODES: '3', SLURM_CPUS_PER_TASK: '8' }, TRAINING)).toEqual(NODES);
    for (const env of [{}, { SLURM_JOB_NUM_NODES: '1' }, { SLURM_JOB_NUM_NODES: '' }]) {
      expect(slurmNodes(env, { engine: 'docker', trainCommand: 'python train.py' })).toBeUndefined();
    }
  });

  test.each([
    ['docker', 'torchrun train.py', 'needs engine: apptainer for the training, found docker'],
    ['apptainer', 'python train.py', 'with torchrun, such as torchrun /opt/model/train.py, found “python train.py”'],
    ['apptainer', 'python my-torchrun.py', 'found “python my-torchrun.py”'],
    ['apptainer', 'torchrun --standalone train.py', 'without --standalone, --nnodes and --node-rank'],
    ['apptainer', 'torchrun --nnodes=1 --nproc-per-node=4 train.py', 'without --standalone, --nnodes and --node-rank'],
    ['apptainer', 'torchrun --node_rank 0 train.py', 'without --standalone, --nnodes and --node-rank'],
  ] as const)('are refused to %s with “%s”', async (engine, trainCommand, words) => {
    const { code, message } = await failureOf(() => slurmNodes({ SLURM_JOB_NUM_NODES: '2' }, { engine, trainCommand }));
    expect(code).toBe('INPUT');
    expect(message).toContain('This runner is in a Slurm job of 2 nodes (slurm-nodes)');
    expect(message).toContain(words);
  });

  test.each([
    'cd /opt/model && python -m torch.distributed.run train.py',
    'exec torchrun --nproc-per-node=4 train.py',
    '/opt/venv/bin/torchrun train.py',
  ])('are taken by “%s”', (trainCommand) => {
    expect(slurmNodes({ SLURM_JOB_NUM_NODES: '2' }, { engine: 'apptainer', trainCommand })?.count).toBe(2);
  });
});

describe('on several nodes', () => {
  test.each([
    ['none', '1'],
    ['all', 'gpu'],
    [['0', '3'], '2'],
  ] as const)('torchrun is told to start for the GPUs %j so many processes on each: %s', async (gpus, processes) => {
    const env = Object.fromEntries(await torchrunEnv(NODES, gpus));
    expect(env).toMatchObject({ PET_NNODES: '3', PET_NPROC_PER_NODE: processes });
    expect(Number(env['PET_MASTER_PORT'])).toBeGreaterThan(1_023);
    expect(env['PET_MASTER_ADDR']).toMatch(/./);
  });

  test('one container is started on each, with the machines’ network and no word of the environment', () => {
    const args = srunArgs(NODES, CONTAINER);
    const [script = ''] = args.slice(args.indexOf('-c') + 1);
    expect(args.slice(0, args.indexOf('/bin/sh'))).toEqual([
      ...[
        '--nodes=3',
        '--ntasks=3',
        '--ntasks-per-node=1',
        '--kill-on-bad-exit=1',
        '--wait=0',
        '--export=ALL',
        '--cpus-per-task=8',
      ],
    ]);
    expect(args.slice(args.indexOf(script) + 1)).toEqual([
      ...['sh', '/shared/image.sif', '/shared/data', "/shared/it's", '--', 'exec', '--containall', '--no-eval', '--nv'],
      ...['--mount', 'type=bind,source=/shared/data,destination=/data,ro'],
      ...['--mount', "type=bind,source=/shared/it's,destination=/output"],
      ...['/shared/image.sif', '/bin/sh', '-c', 'exec torchrun train.py'],
    ]);
    expect(args.join(' ')).not.toContain('secret');
    expect(srunArgs({ count: 2, cpus: undefined }, CONTAINER).join(' ')).not.toContain('cpus-per-task');
  });

  test('what goes to the others is what Slurm and Apptainer read, and no input or token', () => {
    const passed = {
      ...{ PATH: '/bin', HOME: '/home/me', SLURM_JOB_ID: '7', APPTAINERENV_EPOCHS: '3', APPTAINER_CACHEDIR: '/c' },
      ...{
        APPTAINERENV_NCCL_SOCKET_IFNAME: 'ib0',
        https_proxy: 'http://proxy',
        LC_ALL: 'C',
        LD_LIBRARY_PATH: '/opt/lib',
      },
    };
    const kept = { 'INPUT_OWNCLOUD-PASSWORD': 'a', ACTIONS_RUNTIME_TOKEN: 'b', GITHUB_TOKEN: 'c', MY_PATH: 'd' };
    expect(srunEnv({ ...passed, ...kept })).toEqual(passed);
  });
});

describe('a training on several nodes ends', () => {
  const KILLED = 'srun: error: node2: task 1: Killed\n';

  test.each([
    ['well', 0, '', 0, false],
    [
      'as the task did that failed first',
      137,
      `srun: error: node1: task 0: Exited with exit code 1\n${KILLED}`,
      1,
      false,
    ],
    [
      'as srun says when the first died of a signal',
      139,
      'srun: error: node2: task 1: Segmentation fault\nsrun: error: node1: task 0: Exited with exit code 1\n',
      139,
      false,
    ],
    ['as srun says where no task says more', 143, 'srun: error: node1: task 0: Terminated\n', 143, false],
    ['without memory', 137, 'srun: error: node2: task 1: Out Of Memory\n', 137, true],
  ])('%s', (_, exitCode, stderr, code, outOfMemory) => {
    expect(endOnNodes({ exitCode, stderr })).toEqual({ exitCode: code, outOfMemory, stderr });
  });

  test.each([
    [
      'a node that has not the same disk',
      `The node node2 does not see /tmp/runner/data.\nsrun: error: node2: task 1: Exited with exit code 113\n${KILLED}`,
      'The node node2 does not see /tmp/runner/data. A training on several nodes needs its folders on a disk',
    ],
    [
      'a node without Apptainer',
      'sh: 6: exec: apptainer: not found\nsrun: error: node2: task 1: Exited with exit code 127\n',
      'does not find the program “apptainer”',
    ],
    [
      'a node that does not answer',
      'srun: error: Task launch for StepId=7.0 failed on node node2: Communication connection failure\n',
      'on the job’s nodes: Task launch for StepId=7.0 failed on node node2',
    ],
    [
      'a step that Slurm refuses',
      'srun: error: Unable to create step for job 7: More processors requested than permitted\n',
      'Slurm could not start the training on the job’s nodes: Unable to create step for job 7: More processors',
    ],
  ])('red, with its reason, for %s', async (_, stderr, words) => {
    const { code, message } = await failureOf(() => endOnNodes({ exitCode: 137, stderr }));
    expect(code).toBe('CONTAINER');
    expect(message).toContain(words);
  });
});

describe.runIf(process.platform !== 'win32')('what a killed srun has left on the nodes', () => {
  test('is ended step by step, and neither this runner nor another job is', async () => {
    const folder = temporaryFolder('slurm');
    for (const [name, text] of Object.entries({
      squeue: 'printf "%s\\n" 7.batch 7.extern 7.0 17.0 7.12 8.0',
      scancel: `echo "$@" >${folder}/ended`,
    })) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    setEnvironment({ PATH: `${folder}${delimiter}${process.env['PATH']}` });
    await endSteps({ SLURM_JOB_ID: '7' });
    expect(readFileSync(join(folder, 'ended'), 'utf8')).toBe('--signal=KILL 7.0 7.12\n');
  });
});
