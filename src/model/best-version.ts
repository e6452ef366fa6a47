import { listFolder } from '../owncloud/list-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { jsonOf } from '../text/json.ts';
import type { BestOfOthers } from './compared-images.ts';
import { metricsSchema } from './metrics.ts';
import { CLASSES_FILE, METRICS_FILE, RECORD_FILE, sortOut } from './model-folder.ts';
import { promotionsIn } from './promotions.ts';

/** How many versions are read at a time. */
const CONCURRENCY = 8;
/** More names than this are counted. */
const MAX_NAMES = 5;

export interface InProductionNow {
  /** The model's folder. */
  readonly folder: string;
  /** The version in production. */
  readonly production: string;
  /** Those of the model that is compared: answers of a model with others mean something else. */
  readonly classes: readonly string[];
}

interface Known {
  readonly name: string;
  readonly accuracy: number | undefined;
  readonly classes: string | undefined;
}

/**
 * Looks for the best version that was ever in production, by the accuracy that each had on its own test images, among those
 * with the same classes.
 *
 * @returns `undefined` when that is the one that is there now, or when no other ever was
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `CANCELLED`
 */
export async function findBestOther(
  remote: Remote,
  { folder, production, classes }: InProductionNow,
  options: RemoteOptions,
): Promise<BestOfOthers | undefined> {
  const { versions } = sortOut((await listFolder(remote, folder, options)) ?? []);
  const others = (await everInProduction(remote, folder, versions, options)).filter((name) => name !== production);
  if (others.length === 0) return undefined;
  const there = others.filter((name) => versions.includes(name));
  const known = await mapParallel(there, CONCURRENCY, (name) => readKnown(remote, folder, name, options));
  const same = known.filter((version) => version.classes === JSON.stringify(classes));
  if (same.length === 0) return { version: undefined, notCompared: whyNone(others, there) };
  const current = versions.includes(production) ? await readKnown(remote, folder, production, options) : undefined;
  const accuracyOf = (version: Known | undefined) => version?.accuracy ?? -1;
  const [best] = same.toSorted((a, b) => accuracyOf(b) - accuracyOf(a) || (a.name < b.name ? 1 : -1));
  if (!best || accuracyOf(best) <= accuracyOf(current)) return undefined;
  return { version: best.name, notCompared: undefined };
}

/** A version's own record tells, and those of others that it was replaced by, where its own could not be written. */
async function everInProduction(
  remote: Remote,
  folder: string,
  versions: readonly string[],
  options: RemoteOptions,
): Promise<string[]> {
  const names = await mapParallel(versions, CONCURRENCY, async (name) => {
    const promotions = promotionsIn(await readText(remote, remotePath(`${folder}/${name}`, RECORD_FILE), options));
    const replaced = promotions.flatMap((promotion) => promotion.replaced ?? []);
    return promotions.length > 0 ? [name, ...replaced] : [];
  });
  return [...new Set(names.flat())];
}

/** A version that can't be read can't be compared: its files are looked at in full when it is needed. */
async function readKnown(remote: Remote, folder: string, name: string, options: RemoteOptions): Promise<Known> {
  const text = async (file: string) => (await readText(remote, remotePath(`${folder}/${name}`, file), options)) ?? '';
  const [metrics, classes] = [await text(METRICS_FILE), await text(CLASSES_FILE)];
  return {
    name,
    accuracy: metricsSchema.safeParse(jsonOf(metrics)).data?.accuracy,
    classes: JSON.stringify(jsonOf(classes)),
  };
}

function whyNone(others: readonly string[], there: readonly string[]): string {
  const gone = others.filter((name) => !there.includes(name));
  return [
    there.length > 0 ? `${listed(there)} ${there.length === 1 ? 'has' : 'have'} other classes` : '',
    gone.length > 0 ? `${listed(gone)} ${gone.length === 1 ? 'is' : 'are'} not there any more` : '',
  ]
    .filter((part) => part !== '')
    .join('; ');
}

function listed(names: readonly string[]): string {
  const sorted = names.toSorted();
  const more = sorted.length - MAX_NAMES;
  return more > 1 ? `${sorted.slice(0, MAX_NAMES).join(', ')} and ${more} more` : sorted.join(', ');
}
