import { checkedInput, invalidInput, textInput, wholeNumberInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';

/** What the job of a server asks the cluster for. `''` means: as the cluster does by itself. */
export interface SlurmSettings {
  readonly partition: string;
  readonly account: string;
  /** Such as `gpu:1` or `gpu:a100:2`. */
  readonly gres: string;
  /** How many machines; `gres`, `cpus` and `memory` are those of each. */
  readonly nodes: number;
  readonly cpus: number | undefined;
  /** Such as `32G`. */
  readonly memory: string;
  /** More options of sbatch, each one word: `--qos=short`. */
  readonly options: readonly string[];
  /** Shell lines that run in the job, before the runner. */
  readonly setup: string;
  /** Absolute, or below the user's home; all machines of the cluster see it under the same path. */
  readonly workDir: string;
  /** How long the job may queue, in whole minutes: as long as a start waits for it. */
  readonly queueMinutes: number;
}

/** What this action sets itself, or what would make the job another than the one that is looked for and stopped. */
const RESERVED_OPTIONS = [
  'array',
  'begin',
  'chdir',
  'clusters',
  'comment',
  'deadline',
  'dependency',
  'error',
  'export',
  'export-file',
  'help',
  'hold',
  'input',
  'job-name',
  'no-requeue',
  'nodes',
  'ntasks',
  'ntasks-per-node',
  'open-mode',
  'output',
  'parsable',
  'requeue',
  'signal',
  'test-only',
  'time',
  'time-min',
  'uid',
  'usage',
  'version',
  'wait',
  'wrap',
];

/** What has an input of its own, which may say something else. */
const OWN_INPUTS = [
  ['partition', 'slurm-partition'],
  ['account', 'slurm-account'],
  ['gres', 'slurm-gres'],
  ['cpus-per-task', 'slurm-cpus'],
  ['mem', 'slurm-memory'],
] as const;

/**
 * Reads and checks the inputs of `driver: slurm`.
 *
 * @throws DiatomError `INPUT`
 */
export function slurmInputs(): SlurmSettings {
  return {
    partition: checkedInput('slurm-partition', GPU_SERVER['slurm-partition']),
    account: checkedInput('slurm-account', GPU_SERVER['slurm-account']),
    gres: checkedInput('slurm-gres', GPU_SERVER['slurm-gres']),
    nodes: wholeNumberInput('slurm-nodes', GPU_SERVER['slurm-nodes']) ?? 1,
    cpus: wholeNumberInput('slurm-cpus', GPU_SERVER['slurm-cpus']),
    memory: checkedInput('slurm-memory', GPU_SERVER['slurm-memory']),
    options: optionsInput(),
    setup: textInput('slurm-setup').replaceAll('\r\n', '\n'),
    workDir: workDirInput(),
    queueMinutes: Math.max(1, Math.ceil(Number(textInput('start-timeout-minutes')) || 0)),
  };
}

function optionsInput(): string[] {
  const options = textInput('slurm-options')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  for (const option of options) {
    const [, name] = /^--([a-z][a-z-]*)(?:=\S.*)?$/.exec(option) ?? [];
    if (name === undefined) {
      throw invalidInput('slurm-options', option, 'one long option a line, such as --qos=short or --exclusive');
    }
    const input = OWN_INPUTS.find(([word]) => word === name)?.[1];
    if (input !== undefined && checkedInput(input, GPU_SERVER[input]) !== '') {
      throw invalidInput('slurm-options', option, `no option that contradicts another input: ${input} sets --${name}`);
    }
    // sbatch takes an option's beginning for the option.
    const reserved = RESERVED_OPTIONS.find((word) => word.startsWith(name));
    if (reserved !== undefined) {
      throw invalidInput('slurm-options', option, `any option but those that this action sets itself: --${reserved}`);
    }
  }
  return options;
}

/** A path that means the same in every shell, so that it needs no quotes in a job's environment. */
function workDirInput(): string {
  const value = textInput('slurm-work-dir') || 'diatom-runners';
  const path = value.replace(/^~\//, '').replace(/\/+$/, '');
  if (/^\/?[\w.@+-]+(\/[\w.@+-]+)*$/.test(path) && !path.split('/').includes('..') && !path.startsWith('-'))
    return path;
  throw invalidInput('slurm-work-dir', value, 'a folder such as /scratch/me/runners, without spaces');
}
