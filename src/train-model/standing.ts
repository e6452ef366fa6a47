import {
  METRICS_FILE,
  PRODUCTION,
  PROVENANCE_FILE,
  RECORD_FILE,
  SUMS_FILE,
  sortOut,
  timeInName,
  VERSION_FILE,
  WEIGHTS_FILE,
} from '../model/model-folder.ts';
import { promotionsIn } from '../model/promotions.ts';
import { parseTraining, type Training } from '../model/training-recipe.ts';
import { listUnpublished, readUnpublished } from '../model/unpublished.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';

/** A version of a model. */
export interface NewestVersion {
  readonly name: string;
  /** `undefined` when it does not say. */
  readonly training: Training | undefined;
  /** Whether it is in production or was, as far as it is recorded. */
  readonly wasPromoted: boolean;
}

/** A complete result that is no version yet. */
export interface UnpublishedResult {
  readonly folder: string;
  readonly training: Training | undefined;
}

/** What there is of a model already. */
export interface Standing {
  readonly newest: NewestVersion | undefined;
  /** The version in production. */
  readonly production: string | undefined;
  /** The newest last, as far as their names tell. */
  readonly unpublished: readonly UnpublishedResult[];
}

/**
 * Looks what there is of a model, in the model's folder and among the results that were not published.
 *
 * @param parent folder of the data sets
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `CANCELLED`: what can't be read is never taken for what is not there
 */
export async function readStanding(
  remote: Remote,
  { folder, parent }: { readonly folder: string; readonly parent: string },
  options: RemoteOptions,
): Promise<Standing> {
  const { versions, hasProduction } = sortOut((await listFolder(remote, folder, options)) ?? []);
  const text = (path: string, name: string) => readText(remote, remotePath(path, name), options);
  const name = await newestOf(remote, folder, versions, options);
  const production = hasProduction ? (await text(`${folder}/${PRODUCTION}`, VERSION_FILE))?.trim() : undefined;
  const unpublished: UnpublishedResult[] = [];
  for (const place of await listUnpublished(remote, parent, options)) {
    const names = (await readUnpublished(remote, place, options))?.map((file) => file.name) ?? [];
    if (![WEIGHTS_FILE, METRICS_FILE, PROVENANCE_FILE].every((file) => names.includes(file))) continue;
    unpublished.push({ folder: place, training: trainingIn(await text(place, PROVENANCE_FILE)) });
  }
  if (name === undefined) return { newest: undefined, production, unpublished };
  const training = trainingIn(await text(`${folder}/${name}`, PROVENANCE_FILE));
  const wasPromoted = name === production || promotionsIn(await text(`${folder}/${name}`, RECORD_FILE)).length > 0;
  return { newest: { name, training, wasPromoted }, production, unpublished };
}

/**
 * A name tells its time, unless a person has chosen it: then the server does. Of those that tell it, the newest whole one is
 * enough, however many there are.
 */
async function newestOf(
  remote: Remote,
  folder: string,
  versions: readonly string[],
  options: RemoteOptions,
): Promise<string | undefined> {
  const sumsOf = (name: string) => {
    const path = remotePath(`${folder}/${name}`, SUMS_FILE);
    return retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
  };
  const dated = versions.flatMap((name) => {
    const time = timeInName(name)?.getTime();
    return time === undefined ? [] : [{ name, time }];
  });
  let newest: { readonly name: string; readonly time: number } | undefined;
  for (const version of dated.toSorted((a, b) => b.time - a.time || (a.name < b.name ? 1 : -1))) {
    if (!(await sumsOf(version.name))) continue;
    newest = version;
    break;
  }
  for (const name of versions) {
    if (timeInName(name) !== undefined) continue;
    const sums = await sumsOf(name);
    const time = sums?.modified?.getTime() ?? 0;
    if (sums && (newest === undefined || time >= newest.time)) newest = { name, time };
  }
  return newest?.name;
}

function trainingIn(json: string | undefined): Training | undefined {
  return json === undefined ? undefined : parseTraining(json);
}
