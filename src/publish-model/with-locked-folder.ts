import { DiatomError, messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { LOCK, type ModelFolder, PRODUCTION, sortOut } from '../model/model-folder.ts';
import { removeTemporary } from '../owncloud/confirmed-writes.ts';
import { type ConnectOptions, connect } from '../owncloud/connect.ts';
import { markOf, removeLeftovers } from '../owncloud/leftovers.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { takeLock } from '../owncloud/lock.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { group, info } from '../runner/log.ts';
import type { Context, Patience } from './context.ts';
import type { Inputs } from './inputs.ts';
import { keepDownload } from './keep-download.ts';
import { keepPage } from './keep-page.ts';
import { endOfOwners, ownerOf } from './lock-owner.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';
import { readPublished } from './published-model.ts';
import { removeUnfinished } from './remove-old-versions.ts';

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
  const hasEnded = endOfOwners(inputs, context);
  const request = { folder: `${folder}/${LOCK}`, owner: ownerOf(env), ...patience, now, hasEnded, onWait: info };
  const lock = await takeLock(remote, request, options);
  try {
    await removeOfKilledRuns(remote, [modelsFolder, folder], context, options);
    const content = await repaired(remote, folder, options);
    const production = content.hasProduction
      ? await readPublished(remote, `${folder}/${PRODUCTION}`, options)
      : undefined;
    const place = { remote, folder, content, production, lock, options, sideLimitMs: patience.sideLimitMs };
    const outcome = await work(place);
    const [download] = await group('Download and page of all versions', () =>
      Promise.all([keepDownload(outcome, place), keepPage(modelName, place)]),
    );
    return { ...outcome, download };
  } finally {
    await lock.release();
  }
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
async function repaired(remote: Remote, folder: string, options: RemoteOptions): Promise<ModelFolder> {
  const content = sortOut((await listFolder(remote, folder, options)) ?? []);
  const [newest] = content.previous;
  if (!content.hasProduction && newest !== undefined) {
    await moveFolder(remote, `${folder}/${newest}`, `${folder}/${PRODUCTION}`, options);
    options.onWarning?.(
      `There was no folder “${folder}/${PRODUCTION}”, because an earlier run ended in the middle of a promotion: what was in it has been put back from “${newest}”.`,
    );
    return repaired(remote, folder, options);
  }
  await removeUnfinished(remote, folder, content.unfinished, options);
  for (const name of content.unfinishedFiles) await removeTemporary(remote, remotePath(folder, name), options);
  return content;
}
