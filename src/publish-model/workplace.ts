import { DiatomError, messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { LOCK, type ModelFolder, PRODUCTION, sortOut } from '../model/model-folder.ts';
import { type ConnectOptions, connect, type Remote } from '../owncloud/connect.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { type Lock, takeLock } from '../owncloud/lock.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { removeTemporary } from '../owncloud/store.ts';
import { group, info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';
import { keepPage } from './keep-page.ts';
import { endOfOwners, ownerOf } from './lock-owner.ts';
import type { Outcome } from './outcome.ts';
import { type PublishedModel, readPublished } from './production.ts';
import { removeUnfinished } from './tidy.ts';

/** How long runs wait for each other; see `takeLock`. Milliseconds. */
export interface Patience {
  readonly staleMs: number;
  readonly waitMs: number;
  readonly pollMs: number;
  /** How long what is done besides may take; see `besides`. */
  readonly sideLimitMs?: number | undefined;
}

/** Publishing takes minutes, so a run that holds the folder for two hours is over, however it ended. */
export const PATIENCE: Patience = { staleMs: 2 * 3_600_000, waitMs: 15 * 60_000, pollMs: 5_000 };

export interface Context {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
  /** Called when the version is stored, before anything becomes of it. */
  readonly onStored: (outcome: Outcome) => void;
  readonly patience: Patience;
  readonly policy?: RetryPolicy | undefined;
}

/** The model's folder, opened for this run alone. */
export interface Workplace {
  readonly remote: Remote;
  readonly folder: string;
  readonly content: ModelFolder;
  readonly production: PublishedModel | undefined;
  readonly lock: Lock;
  readonly options: RemoteOptions;
  readonly sideLimitMs?: number | undefined;
}

/** Signs in, takes the lock, repairs and tidies up what a run before left unfinished, and gives the lock back in the end. */
export async function atWork(
  inputs: Inputs,
  context: Context,
  work: (place: Workplace) => Promise<Outcome>,
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
    const signedIn = await signIn(inputs, { http, signal, policy, onWarning });
    info(`Signed in: ${signedIn.description}.`);
    return signedIn;
  });
  requireFullAccess(remote);
  if (task.kind !== 'publish') await requireModel(remote, modelsFolder, modelName, options);
  const hasEnded = endOfOwners(inputs, context);
  const request = { folder: `${folder}/${LOCK}`, owner: ownerOf(env), ...patience, now, hasEnded, onWait: info };
  const lock = await takeLock(remote, request, options);
  try {
    const content = await repaired(remote, folder, options);
    const production = content.hasProduction
      ? await readPublished(remote, `${folder}/${PRODUCTION}`, options)
      : undefined;
    const place = { remote, folder, content, production, lock, options, sideLimitMs: patience.sideLimitMs };
    const outcome = await work(place);
    await group('List all versions', () => keepPage(modelName, place));
    return outcome;
  } finally {
    await lock.release();
  }
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
    'Input owncloud-url is a public link that does not allow renaming and deleting, which publishing needs: give a user name and an app password, or share the folder anew with all permissions.',
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
