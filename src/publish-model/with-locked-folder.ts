import { DiatomError, messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { LOCK, PRODUCTION, sortOut } from '../model/model-folder.ts';
import { removeTemporary } from '../owncloud/confirmed-writes.ts';
import { type ConnectOptions, connect } from '../owncloud/connect.ts';
import { markOf, removeLeftovers } from '../owncloud/leftovers.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { takeLock } from '../owncloud/lock.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import { type RemoteOptions, SIDE_BY_SIDE } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { allEnded, mapAllEnded } from '../parallel/all-ended.ts';
import { group, info } from '../runner/log.ts';
import type { Context, Patience } from './context.ts';
import type { Inputs } from './inputs.ts';
import { cleanUp } from './into-production.ts';
import { keepDownload } from './keep-download.ts';
import { keepPage } from './keep-page.ts';
import { keepRecord } from './keep-record.ts';
import { endOfOwners, ownerOf } from './lock-owner.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';
import { readPublished } from './published-model.ts';
import { removeUnfinished } from './remove-old-versions.ts';
import { requireInProduction } from './swap-production.ts';
import { type VersionRecord, withPromotion } from './version-record.ts';

/** Publishing takes minutes, so a run that holds the folder for two hours is over, however it ended. */
export const PATIENCE: Patience = { staleMs: 2 * 3_600_000, waitMs: 15 * 60_000, pollMs: 5_000 };

/** Signs in, takes the lock, repairs and tidies up what a run before left unfinished, and gives the lock back in the end. */
export async function withLockedFolder(
  inputs: Inputs,
  context: Context,
  work: (place: LockedFolder) => Promise<Outcome>,
): Promise<Outcome> {
  const { modelsFolder, modelName, task } = inputs;
  const { http, signal, policy, onWarning, patience, now, env } = context;
  const folder = `${modelsFolder}/${modelName}`;
  const options: RemoteOptions = {
    signal,
    policy,
    onWarning,
    onRetry: ({ attempt, tries, waitMs, error }) =>
      info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
  };
  const remote = await group('Sign in', async () => {
    const mark = markOf(env['GITHUB_REPOSITORY'], env['GITHUB_RUN_ID']);
    const signedIn = await signIn(inputs, { http, signal, policy, onWarning, mark });
    info(`Signed in: ${signedIn.description}.`);
    return signedIn;
  });
  requireFullAccess(remote);
  if (task.kind !== 'publish') await requireModel(remote, modelsFolder, modelName, options);
  // None of it is in anybody's use, so it needs no lock. A failure is heard where the end is waited for.
  const tidying = removeOfKilledRuns(remote, [modelsFolder, folder], context, options);
  tidying.catch(() => {});
  const hasEnded = endOfOwners(inputs, context);
  const request = { folder: `${folder}/${LOCK}`, owner: ownerOf(env), ...patience, now, hasEnded, onWait: info };
  const lock = await takeLock(remote, request, options).catch(async (error: unknown) => {
    await tidying.catch(() => {});
    throw error;
  });
  try {
    const [found] = await allEnded([repaired(remote, folder, options), tidying]);
    const place = { remote, folder, ...found, lock, options, sideLimitMs: patience.sideLimitMs };
    const outcome = await work(place);
    return await group('Download and page of all versions', () => finished(outcome, inputs, place));
  } finally {
    await lock.release();
  }
}

/**
 * Makes sure that production is what it has become, and does side by side what follows from that: what is in the way of nobody
 * is prepared at once, all else waits for it.
 */
async function finished(outcome: Outcome, inputs: Inputs, place: LockedFolder): Promise<Outcome> {
  const { remote, options } = place;
  const { version, promotion, record: before } = outcome;
  const confirm = async () => {
    if (!promotion) return;
    await requireInProduction(remote, outcome, options);
    info(`${version} is in production now.`);
  };
  const confirmed = confirm();
  const add = (record: VersionRecord) => (promotion ? withPromotion(record, promotion) : record);
  const recorded = promotion && confirmed.then(() => keepRecord(place, version, add, before));
  const removing = confirmed.then(() => cleanUp(outcome, inputs, place));
  const writePage = async () => {
    // The page reads what is not known here, and no version that is about to be deleted.
    if (!before) await recorded;
    const removed = inputs.keepVersions === undefined ? [] : await removing;
    await keepPage({ ...outcome, removed }, place, before && add(before), confirmed);
  };
  const [download, removed] = await allEnded([
    keepDownload(outcome, place, confirmed),
    removing,
    confirmed,
    recorded,
    writePage(),
  ]);
  return { ...outcome, removed, download };
}

/** What has no name in the model's folder that tells what it is: trial files, and uploads to where anybody may write. */
async function removeOfKilledRuns(
  remote: Remote,
  folders: readonly string[],
  { env, now }: Pick<Context, 'env' | 'now'>,
  options: RemoteOptions,
): Promise<void> {
  const search = { folders, repository: env['GITHUB_REPOSITORY'], now: now() };
  const removed = await removeLeftovers(remote, search, { ...options, onWarning: info });
  if (removed.length > 0) info(`Deleted there, left by runs that were cut short: ${removed.join(', ')}`);
}

/** Signs in with the account that publishes, and tells which one it is where there are two. */
export async function signIn(
  { owncloud, training }: Pick<Inputs, 'owncloud' | 'training'>,
  options: ConnectOptions,
): Promise<Remote> {
  try {
    return await connect(owncloud, options);
  } catch (error) {
    if (!training || !(error instanceof DiatomError)) throw error;
    throw new DiatomError(error.code, `With the account of models-username: ${error.message}`, { cause: error });
  }
}

/** @throws DiatomError `INPUT` for a public link that only takes files */
export function requireFullAccess({ access }: Pick<Remote, 'access'>): void {
  if (access === 'full') return;
  throw new DiatomError(
    'INPUT',
    'Input owncloud-url is a public link that does not allow renaming and deleting, which publishing needs: give a user name and an app password, or share the folder again with all permissions.',
  );
}

/** A roll-back of a misspelt model should not make a folder for it. */
async function requireModel(remote: Remote, models: string, name: string, options: RemoteOptions): Promise<void> {
  const entries = (await listFolder(remote, models, options)) ?? [];
  if (entries.some((entry) => entry.name === name && entry.type === 'directory')) return;
  const names = entries.filter(({ type }) => type === 'directory').map((entry) => entry.name);
  throw new DiatomError(
    'INPUT',
    `Input model-name: there is no model “${name}” in the folder “${models}” at ${remote.rootUrl.host}; there is ${names.sort().join(', ') || 'none at all'}.`,
  );
}

/** What is in the model's folder, after production was put back if a run ended between the two renames of a promotion. */
async function repaired(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<Pick<LockedFolder, 'content' | 'production'>> {
  const [entries, production] = await allEnded([
    listFolder(remote, folder, options),
    // Where there is none, nothing is found in it, and nothing is said.
    readPublished(remote, `${folder}/${PRODUCTION}`, options),
  ]);
  const content = sortOut(entries ?? []);
  const [newest] = content.previous;
  if (!content.hasProduction && newest !== undefined) {
    await moveFolder(remote, `${folder}/${newest}`, `${folder}/${PRODUCTION}`, options);
    options.onWarning?.(
      `There was no folder “${folder}/${PRODUCTION}”, because an earlier run ended in the middle of a promotion: what was in it has been put back from “${newest}”.`,
    );
    return repaired(remote, folder, options);
  }
  await allEnded([
    removeUnfinished(remote, folder, content.unfinished, options),
    mapAllEnded(content.unfinishedFiles, SIDE_BY_SIDE, (name) =>
      removeTemporary(remote, remotePath(folder, name), options),
    ),
  ]);
  return { content, production: content.hasProduction ? production : undefined };
}
