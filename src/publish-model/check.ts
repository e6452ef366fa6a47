import { messageOf, throwIfCancelled } from '../errors.ts';
import { PRODUCTION } from '../model/model-folder.ts';
import { checkWriteAccess } from '../owncloud/check-access.ts';
import { connect, type OwncloudSettings, type Remote } from '../owncloud/connect.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { lookUpIfThere, type RemoteFile } from '../owncloud/remote-file.ts';
import { remoteFolder } from '../owncloud/remote-path.ts';
import { escapeMarkdown, markdownTable } from '../runner/markdown.ts';
import type { Inputs } from './inputs.ts';
import { type Context, requireFullAccess, signIn } from './workplace.ts';

/** One line of the check. Only `bad` makes it red. */
export interface CheckFinding {
  readonly subject: string;
  readonly state: 'good' | 'doubtful' | 'bad';
  readonly sentence: string;
}

type CheckContext = Pick<Context, 'http' | 'signal' | 'policy'>;

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
  const remote = await signIn(inputs, options);
  requireFullAccess(remote);
  await checkWriteAccess(remote, models, options);
  const sentence = `${remote.description}: signed in, wrote and deleted a file in “${models}”`;
  return { state: warnings.length > 0 ? 'doubtful' : 'good', sentence: [sentence, ...warnings].join('. ') };
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
      sentence: `can’t be told here: ${remote.description} does not say what the training’s account may do in “${place}”`,
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
