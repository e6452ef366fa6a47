import { messageOf } from '../errors.ts';
import { findBestOther } from '../model/best-version.ts';
import { PRODUCTION, VERSION_FILE } from '../model/model-folder.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';
import { group, info } from '../runner/log.ts';
import type { Context } from './context.ts';
import type { Inputs } from './inputs.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';
import { readPublished } from './published-model.ts';
import { removeOlderCopies, removeOldVersions } from './remove-old-versions.ts';
import { swapProduction } from './swap-production.ts';
import { type PromotionRecord, recordTime } from './version-record.ts';

/** Promotes, unless production is that version already and whole: then there is nothing to do, and nothing to replace. */
export async function putIntoProduction(
  outcome: Outcome,
  files: readonly ExpectedFile[],
  place: LockedFolder,
  { now }: Pick<Context, 'now'>,
): Promise<Outcome> {
  const { remote, folder, production, lock, options } = place;
  const { version, decidedBy: by } = outcome;
  if (production?.version === version && (await isWhole(files, place))) {
    info(`${version} is in production already.`);
    return { ...outcome, promoted: true };
  }
  const replaced = await group('Promote', () => swapProduction(remote, { folder, version, files, lock, now }, options));
  const promotion: PromotionRecord = { time: recordTime(now()), by, replaced: production?.version ?? null };
  return { ...outcome, promoted: true, replaced, promotion };
}

async function isWhole(files: readonly ExpectedFile[], { remote, folder, options }: LockedFolder): Promise<boolean> {
  return verifyFolder(remote, `${folder}/${PRODUCTION}`, files, options).then(
    () => true,
    (error: unknown) => {
      options.onWarning?.(`${messageOf(error)} Production is made again.`);
      return false;
    },
  );
}

/**
 * Deletes what nobody needs any more. Whatever goes wrong here is a warning: the model is where it should be.
 *
 * @returns the deleted versions, oldest first
 */
export async function cleanUp(
  outcome: Outcome,
  { keepVersions }: Inputs,
  place: LockedFolder,
): Promise<readonly string[]> {
  const { remote, folder, content, production, options } = place;
  try {
    if (outcome.replaced !== undefined) {
      const versions = [...content.versions, outcome.version];
      await removeOlderCopies(remote, { folder, copies: content.previous, versions }, options);
    }
    if (keepVersions === undefined || !outcome.mayTidy) return [];
    const before = outcome.replaced === undefined ? await previousVersion(place) : undefined;
    const best = await bestOther(place);
    const spared = [outcome.version, production?.version, before, best].filter((name) => name !== undefined);
    return await removeOldVersions(remote, { folder, keep: keepVersions, spared }, options);
  } catch (error) {
    options.onWarning?.(`Older versions and copies could not be deleted: ${messageOf(error)}`);
    return [];
  }
}

/** The best version that was ever in production, for the next models to be compared with; `undefined` when it is there. */
async function bestOther({ remote, folder, options }: LockedFolder): Promise<string | undefined> {
  const { version, classes } = await readPublished(remote, `${folder}/${PRODUCTION}`, options);
  if (version === undefined || !classes) return undefined;
  return (await findBestOther(remote, { folder, production: version, classes }, options))?.version;
}

/** The version that production replaced last. */
export async function previousVersion({ remote, folder, content, options }: LockedFolder): Promise<string | undefined> {
  const [copy] = content.previous;
  if (copy === undefined) return undefined;
  return (await readText(remote, remotePath(`${folder}/${copy}`, VERSION_FILE), options))?.trim() || undefined;
}
