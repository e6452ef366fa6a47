import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { differences, type Training, trainingSum } from '../model/training-recipe.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { modelFolderOf } from './fetch-production.ts';
import type { Inputs } from './inputs.ts';
import { trainingOf } from './provenance.ts';
import { readStanding, type Standing } from './standing.ts';

/** Whether a training would bring anything new, and what there is to publish if not. */
export interface Decision {
  readonly train: boolean;
  /** One sentence. */
  readonly reason: string;
  /** A version of the same training that may have to be judged; `''` for none. */
  readonly judge: string;
  /** A folder with the result of the same training that is no version yet; `''` for none. */
  readonly unpublished: string;
}

type Wanted = Pick<Inputs, 'compareWith' | 'dataset' | 'datasetSha256' | 'dataIdentity' | 'owncloudFolder'> &
  Parameters<typeof trainingOf>[0];

/**
 * Decides whether to train, by the newest version of the model and by results that were not published.
 *
 * @throws DiatomError `INPUT` when `compare-with` does not name a model's production, `OWNCLOUD`, `NETWORK`, `CANCELLED`
 */
export async function decide(inputs: Wanted, remote: Remote, options: RemoteOptions): Promise<Decision> {
  const folder = modelFolder(inputs.compareWith);
  const identity = inputs.dataIdentity ?? (await recordedIdentity(inputs, remote, options));
  const wanted = trainingOf(inputs, identity, undefined);
  return decisionOf(wanted, await readStanding(remote, { folder, parent: inputs.owncloudFolder }, options));
}

/** @param standing what there is of the model */
export function decisionOf(wanted: Training, { newest, production, unpublished }: Standing): Decision {
  const yes = (reason: string): Decision => ({
    train: true,
    reason: `Training: ${reason}.`,
    judge: '',
    unpublished: '',
  });
  const no = (reason: string, more: Partial<Decision> = {}): Decision => ({
    ...{ train: false, reason: `Nothing to train: ${reason}.`, judge: '', unpublished: '' },
    ...more,
  });
  if (trainingSum(wanted) === undefined) return yes(unknownIn(wanted));
  const isSame = (training: Training | undefined) =>
    training !== undefined && differences(wanted, training).length === 0;
  if (newest && isSame(newest.training)) {
    const { name } = newest;
    const same = `data, image, commands, GPUs and settings are those of version ${name}`;
    if (production === name) return no(`${same}, which is in production`);
    if (newest.wasPromoted) {
      const now = production === undefined ? 'nothing is in production now' : `${production} is in production now`;
      return no(`${same}, which was in production; ${now}, and a person has to change that (promote-version: ${name})`);
    }
    return no(`${same}; publishing says whether it may go to production`, { judge: name });
  }
  const result = unpublished.findLast(({ training }) => isSame(training));
  if (result) {
    const { folder } = result;
    return no(`the result of the same training is in the folder “${folder}”, to be published`, { unpublished: folder });
  }
  if (!newest) return yes('the model has no version yet');
  const { name, training } = newest;
  if (!training)
    return yes(`version ${name} does not say from what it was made (its provenance.json is of an older format)`);
  return yes(`changed since version ${name}: ${differences(wanted, training).join(', ')}`);
}

function unknownIn({ imageDigest }: Training): string {
  return imageDigest === undefined
    ? 'the image is given by a tag, which may be another image every day (name@sha256:… would tell)'
    : 'whether the data set is another one is not known (it has no record beside it)';
}

/** The model's folder is the one that production lies in. */
function modelFolder(compareWith: string): string {
  const folder = modelFolderOf(compareWith);
  if (folder !== undefined) return folder;
  throw new DiatomError(
    'INPUT',
    `Input compare-with is “${compareWith}”: to decide whether to train, it has to be the folder production of a model in ownCloud, such as models/diatoms/production.`,
  );
}

const recordSchema = z.object({ archive: z.object({ sha256: z.string() }), data_identity: z.string() });

/** What lies beside an archive tells the identity of its data, when it is about this archive. */
async function recordedIdentity(
  { dataset, datasetSha256 }: Wanted,
  remote: Remote,
  options: RemoteOptions,
): Promise<string | undefined> {
  if (/^https?:/i.test(dataset)) return undefined;
  const text = await readText(remote, remotePath('', `${dataset.replace(/^\/+/, '')}.run.json`), options);
  try {
    const { archive, data_identity: identity } = recordSchema.parse(JSON.parse(text ?? ''));
    return datasetSha256 === undefined || archive.sha256 === datasetSha256 ? identity : undefined;
  } catch {
    return undefined;
  }
}
