import { messageOf, throwIfCancelled } from '../errors.ts';
import {
  costOf,
  formatHours,
  HOURS_FILE,
  longestHours,
  money,
  parseHours,
  type ServerHours,
} from '../model/gpu-hours.ts';
import { runOf } from '../model/server-name.ts';
import { trainingKey } from '../model/training-key.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { info } from '../runner/log.ts';
import type { Context } from './context.ts';
import type { Inputs, Source } from './inputs.ts';
import type { GpuUse } from './version-record.ts';

/** Whose training it was. */
export interface Training {
  readonly repository: string;
  readonly runId: string;
  /** `''` when the model does not come from an artifact. */
  readonly artifactName: string;
}

/** What a further attempt of one training has at the end of its key. */
const RETRY = /-retry-[2-4]$/;

/**
 * What the GPU servers of this run have written into `gpu-hours.csv` about the training of a model. That it can't be found
 * out is no reason to keep a model waiting.
 *
 * @param signIn gives the account that may read it
 * @returns `undefined` when no server of the run is listed there
 */
export async function findGpuUse(
  { dataFolder }: Pick<Inputs, 'dataFolder'>,
  source: Source,
  signIn: () => Promise<Remote>,
  { env, signal, policy, onWarning }: Pick<Context, 'env' | 'signal' | 'policy' | 'onWarning'>,
): Promise<GpuUse | undefined> {
  const { GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: runId } = env;
  if (!repository || !runId) return undefined;
  try {
    const text = await readText(await signIn(), remotePath(dataFolder, HOURS_FILE), { signal, policy, onWarning });
    const artifactName = 'artifact' in source ? source.artifact : '';
    return text === undefined ? undefined : gpuUseOf(parseHours(text), { repository, runId, artifactName });
  } catch (error) {
    throwIfCancelled(signal);
    info(`What the GPU servers of the training have cost is not known: ${messageOf(error)}`);
    return undefined;
  }
}

/** Of a run with one training, all that it has started, in all attempts; of several, what carries the artifact's name. */
export function gpuUseOf(
  rows: readonly ServerHours[],
  { repository, runId, artifactName }: Training,
): GpuUse | undefined {
  const keyOf = ({ server }: ServerHours) => runOf(server)?.key ?? '';
  const all = rows.filter((row) => row.repository === repository && runOf(row.server)?.runId === runId);
  const isOne = new Set(all.map((row) => keyOf(row).replace(RETRY, ''))).size === 1;
  const keys = ['', '-retry-2', '-retry-3', '-retry-4'].map((end) => trainingKey(`${artifactName}${end}`));
  const own = isOne ? all : all.filter((row) => keys.includes(keyOf(row)));
  const [first] = own;
  if (first === undefined) return undefined;
  const costs = own.map((row) => (row.currency === first.currency ? costOf(row) : undefined));
  return {
    hours: own.reduce((sum, row) => sum + (row.hours ?? longestHours(row)), 0),
    cost: costs.reduce<number | null>((sum, cost) => (sum === null || cost === undefined ? null : sum + cost), 0),
    currency: first.currency,
    at_most: own.some(({ hours }) => hours === undefined),
  };
}

/** “4.1 h, 8.20 EUR”. */
export function gpuUseText({ hours, cost, currency, at_most: atMost }: GpuUse): string {
  return `${atMost ? 'at most ' : ''}${formatHours(hours)}${cost === null ? '' : `, ${money(cost, { currency })}`}`;
}
