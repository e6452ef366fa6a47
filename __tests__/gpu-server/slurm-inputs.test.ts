import { describe, expect, it } from 'vitest';
import { slurmInputs } from '../../src/gpu-server/slurm-inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { setInputs } from '../helpers/runner.ts';

const DEFAULTS = { 'slurm-gres': 'gpu:1', 'start-timeout-minutes': '30' };

describe('the inputs of Slurm', () => {
  it('may all be left out', () => {
    setInputs(DEFAULTS);
    expect(slurmInputs()).toEqual({
      partition: '',
      account: '',
      gres: 'gpu:1',
      nodes: 1,
      cpus: undefined,
      memory: '',
      options: [],
      setup: '',
      workDir: 'diatom-runners',
      queueMinutes: 30,
    });
  });

  it('are read as they are meant', () => {
    setInputs({
      ...DEFAULTS,
      'slurm-partition': 'gpu,gpu-long',
      'slurm-account': 'biology_2026',
      'slurm-gres': 'gpu:a100:2',
      'slurm-nodes': '2',
      'slurm-cpus': '8',
      'slurm-memory': '32G',
      'slurm-options': '--qos=short\r\n\n  # a remark\n --exclusive\n--mail-user=me@example.org',
      'slurm-setup': 'module load apptainer\r\nexport A=1',
      'slurm-work-dir': '~/scratch/runners/',
      'start-timeout-minutes': '0.5',
    });
    expect(slurmInputs()).toEqual({
      partition: 'gpu,gpu-long',
      account: 'biology_2026',
      gres: 'gpu:a100:2',
      nodes: 2,
      cpus: 8,
      memory: '32G',
      options: ['--qos=short', '--exclusive', '--mail-user=me@example.org'],
      setup: 'module load apptainer\nexport A=1',
      workDir: 'scratch/runners',
      queueMinutes: 1,
    });
  });

  it.each([
    ['slurm-partition', 'gpu; rm -rf /'],
    ['slurm-partition', '--wrap'],
    ['slurm-account', 'my account'],
    ['slurm-gres', 'gpu:$(id)'],
    ['slurm-nodes', '0'],
    ['slurm-cpus', '0'],
    ['slurm-options', '--ntasks-per-node=4'],
    ['slurm-cpus', 'all'],
    ['slurm-memory', '32 GB'],
    ['slurm-options', '-p gpu'],
    ['slurm-options', 'qos=short'],
    ['slurm-options', '--qos short'],
    ['slurm-options', '--qos='],
    ['slurm-work-dir', '/scratch/my runners'],
    ['slurm-work-dir', '/scratch/../etc'],
    ['slurm-work-dir', '/'],
    ['slurm-work-dir', '$SCRATCH'],
    ['slurm-work-dir', '-rf'],
  ])('%s is not %j', async (name, value) => {
    setInputs({ ...DEFAULTS, [name]: value });
    const { code, message } = await failureOf(() => slurmInputs());
    expect(code).toBe('INPUT');
    expect(message).toContain(`Input ${name} is “`);
  });

  it.each([
    ['--gres=gpu:2', {}],
    ['--partition=cpu', { 'slurm-partition': 'gpu' }],
    ['--mem=1G', { 'slurm-memory': '32G' }],
  ])('can’t contradict an input of its own: %s', async (option, inputs) => {
    setInputs({ ...DEFAULTS, ...inputs, 'slurm-options': option });
    expect((await failureOf(() => slurmInputs())).message).toContain('no option that contradicts another input');
  });

  it('may say what no input says', () => {
    setInputs({ ...DEFAULTS, 'slurm-gres': 'none', 'slurm-options': '--gpus=2\n--mem=1G' });
    expect(slurmInputs().options).toEqual(['--gpus=2', '--mem=1G']);
  });

  it.each([
    '--nodes=2',
    '--ntasks=4',
    '--time=99:00:00',
    '--tim=5',
    '--job-name=mine',
    '--array=1-9',
    '--wrap=id',
    '--uid=root',
    '--export=ALL',
  ])('can’t change what the guarantee of a stop rests on: %s', async (option) => {
    setInputs({ ...DEFAULTS, 'slurm-options': option });
    const { message } = await failureOf(() => slurmInputs());
    expect(message).toContain('any option but those that this action sets itself');
  });
});
