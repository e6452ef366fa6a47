import { parseNTest } from '../dataset/n-test.ts';
import { type GpuCloud, gpuForm, isGpuCloud, typesFor } from './gpus.ts';

/** What contradicts itself although each value is fine. */
export interface Clash {
  /** The input that it is about, and where. */
  readonly input: string;
  /** Follows the input’s name. */
  readonly sentence: string;
}

/** The value of an input; `''` when it has none. */
export type ValueOf = (input: string) => string;

/** Of prepare-data. A stable split is found out before anything is downloaded. */
export function dataClashes(value: ValueOf): Clash[] {
  const clashes: Clash[] = [];
  if (value('split') === 'stable' && value('seed') === '') {
    clashes.push({
      input: 'split',
      sentence:
        'stable needs a seed, the same in every run: with a random one, every run would draw another split. Set seed, for example to 1.',
    });
  }
  const nTest = parseNTest(value('n-test'));
  if (value('split') === 'stable' && nTest?.kind === 'count') {
    clashes.push({ input: 'split', sentence: stableNeedsPercentage(nTest.count) });
  }
  const against = [
    value('upload') === 'false' && value('dry-run') !== 'true' ? 'upload: false' : '',
    value('archive-content') === 'data' ? 'archive-content: data (its default; set results)' : '',
    value('keep-archive') === 'true' ? 'keep-archive: true' : '',
    value('near-duplicates') === 'together' ? 'near-duplicates: together, for which all zips have to be here' : '',
    value('artifact-content') === 'archive' ? 'artifact-content: archive' : '',
  ].find((text) => text !== '');
  if (value('low-disk') === 'true' && against !== undefined) {
    clashes.push({
      input: 'low-disk',
      sentence: `true does not go with ${against}: nothing but the images goes to the server, and nothing stays here.`,
    });
  }
  if (value('artifact-content') === 'archive' && value('artifact-name') === '') {
    clashes.push({
      input: 'artifact-content',
      sentence: 'is archive, and artifact-name, which asks for artifacts, is not set: set it, too.',
    });
  }
  return clashes;
}

export function stableNeedsPercentage(count: number): string {
  return `stable needs a percentage as n-test (and n_test of each entry), such as 20%, found ${count}: with a fixed number, every new image could push another out of test.`;
}

/** Of gpu-server. */
export function serverClashes(value: ValueOf): Clash[] {
  const clashes: Clash[] = [];
  if (Number(value('lifetime-hours')) > Number(value('max-hours'))) {
    clashes.push({
      input: 'lifetime-hours',
      sentence: `${value('lifetime-hours')} is more than max-hours (${value('max-hours')}) allows: ask for less, or raise max-hours, which is what an unattended server may cost at most.`,
    });
  }
  if (value('runner-sha256') !== '' && value('runner-version') === '') {
    clashes.push({
      input: 'runner-sha256',
      sentence: 'is set without runner-version: say the version of which it is the sum.',
    });
  }
  if (value('runner-token') !== '' && value('app-id') !== '') {
    clashes.push({ input: 'runner-token', sentence: 'is set, and so is app-id: one of them is enough, best the App.' });
  }
  for (const input of ['max-price', 'monthly-budget']) {
    if (value(input) === '' || value('driver') !== 'local') continue;
    clashes.push({ input, sentence: 'is for servers that are started, and driver is local: leave it out.' });
  }
  if (value('gce-key') !== '' && value('gce-workload-identity-provider') !== '') {
    clashes.push({
      input: 'gce-key',
      sentence: 'is set, and so is gce-workload-identity-provider: one of them is enough, best the provider.',
    });
  }
  if (value('gce-service-account') !== '' && value('gce-workload-identity-provider') === '') {
    clashes.push({
      input: 'gce-service-account',
      sentence: 'is whom gce-workload-identity-provider signs in as, and that is not set: set it, or leave this out.',
    });
  }
  if (value('gpu') !== '') clashes.push(...gpuClashes(value));
  return clashes;
}

/** Where a server with that GPU is not chosen from our tables. */
const INSTEAD: Readonly<Record<string, string>> = {
  openstack: 'flavors differ from cloud to cloud: name those with that GPU in openstack-flavors',
  slurm: 'partitions differ from cluster to cluster: ask for that GPU with slurm-gres, such as gpu:a100:1',
};

/** The input that names types itself. */
const CHOOSES = {
  ec2: 'ec2-instance-types',
  gce: 'gce-machine-types',
} as const satisfies Readonly<Record<GpuCloud, string>>;

function gpuClashes(value: ValueOf): Clash[] {
  const driver = value('driver');
  if (!isGpuCloud(driver)) {
    const instead = INSTEAD[driver] ?? `${driver} takes the machine that is there: leave gpu out`;
    return [{ input: 'gpu', sentence: `is for ec2 and gce, and driver is ${driver}: ${instead}.` }];
  }
  const against = [
    value(CHOOSES[driver]) === '' ? '' : `${CHOOSES[driver]}, which chooses, too: set one of them`,
    driver === 'ec2' && value('ec2-mode') === 'existing'
      ? 'ec2-mode: existing, where the instance is there: leave gpu out'
      : '',
    value('runner-architecture') === 'arm64' ? 'runner-architecture: arm64: all that it chooses from are x64' : '',
  ].find((text) => text !== '');
  if (against !== undefined) return [{ input: 'gpu', sentence: `does not go with ${against}.` }];
  if (typesFor(value('gpu'), driver).length > 0) return [];
  return [{ input: 'gpu', sentence: `is “${value('gpu')}”, allowed with ${driver} is ${gpuForm(driver)}.` }];
}

/** What a training on several nodes needs and has not; `undefined` when it can run there. */
export function neededOnNodes(engine: string, trainCommand: string): string | undefined {
  if (engine !== 'apptainer') {
    return `engine: apptainer for the training, found ${engine}: another would use one node, and leave the others idle.`;
  }
  const found = `found “${trainCommand}”: that would train once on each node, and each model would overwrite the others.`;
  if (!/(^|[\s;&|(/])torchrun\s|\s-m\s+torch\.distributed\.run\s/.test(trainCommand)) {
    return `a train-command with torchrun, such as torchrun /opt/model/train.py, ${found}`;
  }
  return /--(standalone|nnodes|node[-_]rank)\b/.test(trainCommand)
    ? `a train-command without --standalone, --nnodes and --node-rank, which torchrun is told by its environment, ${found}`
    : undefined;
}
