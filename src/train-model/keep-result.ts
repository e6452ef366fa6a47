import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failureMessage } from '../errors.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { removeHalfFiles, saveUnpublished, UNPUBLISHED } from '../model/unpublished.ts';
import { connect } from '../owncloud/connect.ts';
import { markOf } from '../owncloud/leftovers.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { type Patience, uploadPatiently } from '../runner/artifact.ts';
import { group, info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';
import { outputFiles, UNSTORED_MARK } from './output-dir.ts';

/** Where a result is besides the output folder. */
export interface Kept {
  /** Name of the workflow artifact, `''` when there is none. */
  readonly artifactName: string;
  /** Folder in ownCloud, `''` when there is none. */
  readonly unpublished: string;
  /** Why it is nowhere else, though it should be: one message. */
  readonly failure: string | undefined;
  /** Whether an upload goes on that nobody waits for any more. */
  readonly hangs: boolean;
}

export interface KeepContext {
  readonly http: HttpClient;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
  readonly patience?: Patience | undefined;
  readonly policy?: RetryPolicy | undefined;
}

/** Of an upload that goes on at least this fast, the limit never ends one. Bytes a second. */
const SLOWEST = 250_000;
const WAITS_MS = [20_000, 60_000];

const NOWHERE: Kept = { artifactName: '', unpublished: '', failure: undefined, hangs: false };

/**
 * Puts what a training has left where it outlives this machine: into a workflow artifact, and when GitHub does not take
 * it, into ownCloud. Never throws.
 */
export async function keepResult(inputs: Inputs, context: KeepContext): Promise<Kept> {
  const { artifactName: name, outputDir: root, retentionDays } = inputs;
  const files = name === '' ? [] : await outputFiles(root);
  if (files.length === 0) return NOWHERE;
  const bytes = await logSizes(files, root);
  const limitMs = 15 * 60_000 + (bytes / SLOWEST) * 1_000;
  const patience = context.patience ?? { waitsMs: WAITS_MS, limitMs };
  const artifact = await group('Artifact', () => uploadPatiently({ name, files, root, retentionDays }, patience));
  if (artifact.stored) {
    return { ...NOWHERE, artifactName: artifact.name, unpublished: await saveForLater(inputs, files, context) };
  }
  const { reason, hangs } = artifact;
  const noArtifact = `The result could not be stored as the workflow artifact “${name}”: ${reason}`;
  try {
    const saved = await group('ownCloud', () => save(inputs, files, context));
    if (saved !== undefined) {
      context.onWarning(
        `${noArtifact} It is in ownCloud instead, complete, in the folder “${saved}”: publish-model takes it from there (input unpublished) and then deletes it.`,
      );
      return { ...NOWHERE, unpublished: saved, hangs };
    }
    await markUnstored(root);
    const failure = `${noArtifact} There is no owncloud-url that could take it instead. All of it is in ${root}, of this machine only: copy it from there. Give owncloud-url, or leave artifact-name empty if the folder is enough.`;
    return { ...NOWHERE, failure, hangs };
  } catch (error) {
    await markUnstored(root);
    const failure = `${noArtifact} Nor could it be stored in ownCloud: ${failureMessage(error)} All of it is in ${root}, of this machine only: copy it from there.`;
    return { ...NOWHERE, failure, hangs };
  }
}

/**
 * Stores what is safe already where a later run finds it.
 *
 * @returns the folder, `''` for none: then a later run trains again
 */
async function saveForLater(inputs: Inputs, files: readonly string[], context: KeepContext): Promise<string> {
  if (!inputs.keepUnpublished) return '';
  try {
    return (await group('ownCloud', () => save(inputs, files, context))) ?? '';
  } catch (error) {
    context.onWarning(
      `The result is in the workflow artifact only, as it could not be stored in ownCloud, too: ${failureMessage(error)} To publish it, train again.`,
    );
    return '';
  }
}

/** @returns the folder; `undefined` when there is no server */
async function save(inputs: Inputs, files: readonly string[], context: KeepContext): Promise<string | undefined> {
  const { owncloud, outputDir: root, owncloudFolder, key } = inputs;
  if (!owncloud) return undefined;
  const { http, env, signal, policy, onWarning } = context;
  const repository = env['GITHUB_REPOSITORY'];
  const mark = markOf(repository, env['GITHUB_RUN_ID']);
  const remote = await connect(owncloud, { http, signal, policy, onWarning, mark });
  const options: RemoteOptions = {
    signal,
    policy,
    onWarning,
    onRetry: ({ attempt, tries, waitMs }) =>
      info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}.`),
  };
  const own = `${env['GITHUB_RUN_ID'] || '0'}-${key}`;
  const folder = [owncloudFolder, UNPUBLISHED, own].filter((part) => part !== '').join('/');
  const saved = await saveUnpublished(remote, { root, files, folder }, options);
  info(`Stored: ${remote.fileUrl(saved)}/`);
  const removed = await removeHalfFiles(remote, { parent: owncloudFolder, repository, now: new Date() }, options);
  if (removed.length > 0) info(`Deleted there, left by runs that were cut short: ${removed.join(', ')}`);
  return saved;
}

/** The log tells what of a result takes how much of GitHub's storage. */
async function logSizes(files: readonly string[], root: string): Promise<number> {
  let total = 0;
  for (const path of files) {
    const { size } = await stat(path);
    total += size;
    info(`${formatBytes(size).padStart(8)}  ${path.slice(root.length + 1)}`);
  }
  info(`${formatBytes(total).padStart(8)}  in all`);
  return total;
}

/** The next run moves such a folder out of its way, and does not empty it. */
async function markUnstored(root: string): Promise<void> {
  await writeFile(join(root, UNSTORED_MARK), '').catch(() => {});
}
