import { messageOf, throwIfCancelled } from '../errors.ts';
import { formatBytes } from '../format.ts';
import { PRODUCTION } from '../model/model-folder.ts';
import { checkWriteAccess } from '../owncloud/check-access.ts';
import { connect, type OwncloudSettings } from '../owncloud/connect.ts';
import { freeOnServer } from '../owncloud/free-space.ts';
import { markOf } from '../owncloud/leftovers.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { lookUpIfThere, type RemoteFile } from '../owncloud/look-up.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remoteFolder } from '../owncloud/remote-path.ts';
import { escapeMarkdown, markdownTable } from '../runner/markdown.ts';
import type { Context } from './context.ts';
import type { Inputs } from './inputs.ts';
import { requireFullAccess, signIn } from './with-locked-folder.ts';

/** One line of the check. Only `bad` makes it red. */
export interface CheckFinding {
  readonly subject: string;
  readonly state: 'good' | 'doubtful' | 'bad';
  readonly sentence: string;
}

type CheckContext = Pick<Context, 'env' | 'http' | 'signal' | 'policy'>;

/**
 * Finds out in seconds whether a model could be published, and whether the account that trains could replace production
 * by itself. Of the first account, writing is tried with a tiny file; of the second one only asked what it may do.
 */
export async function check(inputs: Inputs, context: CheckContext): Promise<CheckFinding[]> {
  const { training, modelsFolder, modelName } = inputs;
  const publishing = await find('Publishing', context, () => canPublish(inputs, context));
  if (!training) {
    const sentence =
      'not protected from the training: it has the same account as publishing. With models-username and the secret MODELS_PASSWORD, publishing has one of its own, and the training’s needs to read production only';
    return [publishing, { subject: 'Production', state: 'doubtful', sentence }];
  }
  const folders = [`${modelsFolder}/${modelName}/${PRODUCTION}`, `${modelsFolder}/${modelName}`, modelsFolder];
  return [publishing, await find('Production', context, () => mayReplace(training, folders, context))];
}

/** The check as one table. */
export function checkMarkdown(findings: readonly CheckFinding[]): string {
  const signs = { good: '✅', doubtful: '⚠️', bad: '❌' };
  const rows = findings.map(({ subject, state, sentence }) => [
    signs[state],
    escapeMarkdown(subject),
    escapeMarkdown(sentence),
  ]);
  return `## Check of publishing\n\n${markdownTable(['', 'What', 'Found'], rows)}\n`;
}

type Found = Pick<CheckFinding, 'state' | 'sentence'>;

async function find(subject: string, { signal }: CheckContext, look: () => Promise<Found>): Promise<CheckFinding> {
  try {
    return { subject, ...(await look()) };
  } catch (error) {
    throwIfCancelled(signal);
    return { subject, state: 'bad', sentence: messageOf(error) };
  }
}

async function canPublish(inputs: Inputs, context: CheckContext): Promise<Found> {
  const models = inputs.modelsFolder;
  const warnings: string[] = [];
  const options = { ...context, onWarning: (message: string) => void warnings.push(message) };
  const mark = markOf(context.env['GITHUB_REPOSITORY'], context.env['GITHUB_RUN_ID']);
  const remote = await signIn(inputs, { ...options, mark });
  requireFullAccess(remote);
  if ((await checkWriteAccess(remote, models, options)) === 'not tried') {
    const sentence = `${remote.description}: the folder “${models}” allows adding files only. Publishing renames and deletes, too: share it with this account with all permissions`;
    return { state: 'bad', sentence };
  }
  const room = await roomFor(inputs, remote, options);
  const sentence = `${remote.description}: signed in, wrote and deleted a file in “${models}”; ${room.sentence}`;
  const isGood = warnings.length === 0 && room.isEnough;
  return { state: isGood ? 'good' : 'doubtful', sentence: [sentence, ...warnings].join('. ') };
}

/** What is left of the account's quota, and whether another version like the one in production has room. */
async function roomFor(
  { modelsFolder, modelName }: Inputs,
  remote: Remote,
  options: RemoteOptions,
): Promise<{ readonly sentence: string; readonly isEnough: boolean }> {
  const folder = `${modelsFolder}/${modelName}`;
  const free = await freeOnServer(remote, folder, options);
  if (free === undefined) {
    return { sentence: 'the server does not say how much is left for this account', isEnough: true };
  }
  const left = `${formatBytes(free)} left for this account`;
  const files = (await listFolder(remote, `${folder}/${PRODUCTION}`, options)) ?? [];
  // A version, and the copy of it that becomes production.
  const needed = 2 * files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  if (needed === 0) return { sentence: left, isEnough: true };
  const comparison = `a version like the one in production takes about ${formatBytes(needed)} with its copy`;
  return free >= needed
    ? { sentence: `${left}, and ${comparison}`, isEnough: true }
    : { sentence: `${left}, but ${comparison}: delete something there, or ask for a larger quota`, isEnough: false };
}

/** @param folders production’s, and those above it, which tell when there is none yet */
async function mayReplace(
  training: OwncloudSettings,
  folders: readonly string[],
  context: CheckContext,
): Promise<Found> {
  const remote = await connect(training, context);
  const [place, found] = (await firstThere(remote, folders, context)) ?? [];
  if (place === undefined || found === undefined) {
    const sentence = `the training’s account sees no folder “${folders.at(-1)}” (yet), so its models can’t be compared with production: share it with that account, to read`;
    return { state: 'doubtful', sentence };
  }
  if (found.permissions === undefined) {
    return {
      state: 'doubtful',
      sentence: `is not known here: ${remote.description} does not say what the training’s account may do in “${place}”`,
    };
  }
  const letters = place === folders[0] ? /[CKDNV]/ : /[CK]/;
  return letters.test(found.permissions)
    ? {
        state: 'doubtful',
        sentence: `the training’s account may write “${place}” too: share it with that account to read only, so that nothing but publishing can replace production`,
      }
    : { state: 'good', sentence: `the training’s account may read “${place}” and not write it` };
}

async function firstThere(
  remote: Remote,
  folders: readonly string[],
  options: RemoteOptions,
): Promise<readonly [string, RemoteFile] | undefined> {
  for (const folder of folders) {
    const found = await retrying(options, () => lookUpIfThere(remote.client, remoteFolder(folder), options.signal));
    if (found) return [folder, found];
  }
  return undefined;
}
