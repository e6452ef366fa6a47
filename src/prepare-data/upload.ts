import { rm } from 'node:fs/promises';
import type { ArchiveFacts } from '../archive/archive-writer.ts';
import { DiatomError, messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import type { Remote } from '../owncloud/connect.ts';
import { removeOldArchives } from '../owncloud/keep-last.ts';
import { type Uploaded, uploadFile } from '../owncloud/upload.ts';
import { info, warn } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import type { Inputs, UploadInputs } from './inputs.ts';

/** Where the archive is on the server. */
export interface Delivery extends Uploaded {
  /** For people: the server. */
  readonly server: string;
  readonly folder: string;
  /** The address a person opens, when the server has one. */
  readonly page: string | undefined;
  /** Names of the archives that `keep-last` deleted. */
  readonly removed: readonly string[];
  /** Whether the local archive stays. */
  readonly archiveKept: boolean;
}

/**
 * Uploads the archive, and deletes the local one when the server’s copy is verified.
 *
 * @throws DiatomError when the upload fails: the local archive stays, and the message says where
 */
export async function deliver(
  remote: Remote,
  upload: UploadInputs,
  archive: { readonly name: string; readonly path: string; readonly facts: ArchiveFacts },
  inputs: Pick<Inputs, 'archivePrefix' | 'keepArchive'>,
  { signal }: { readonly signal: AbortSignal },
): Promise<Delivery> {
  const { folder, keepLast } = upload;
  const uploaded = await uploadWithProgress(remote, folder, archive, signal);
  info(`Uploaded to ${remote.description}: ${uploaded.url} (${VERIFIED[uploaded.verified]})`);
  const removed: string[] = [];
  if (keepLast !== undefined) {
    try {
      const options = { folder, prefix: inputs.archivePrefix, keepLast, current: archive.name };
      removed.push(...(await removeOldArchives(remote, options, { signal })));
      if (removed.length > 0) info(`Deleted older archives (keep-last ${keepLast}): ${removed.join(', ')}`);
    } catch (error) {
      warn(`The archive is uploaded, but older ones could not be deleted: ${messageOf(error)}`);
    }
  }
  // What could not be verified may not have arrived whole: only the user can know, so the local archive stays.
  const archiveKept = inputs.keepArchive || uploaded.verified === 'no';
  if (!archiveKept) await rm(archive.path, { force: true });
  return { ...uploaded, archiveKept, server: remote.description, folder, page: remote.folderPage(folder), removed };
}

/** What was checked after the upload, for people. */
export const VERIFIED: Record<Uploaded['verified'], string> = {
  checksum: 'verified by checksum',
  size: 'verified by size',
  no: 'not verified: this link can’t be read back',
};

async function uploadWithProgress(
  remote: Remote,
  folder: string,
  { name, path, facts }: { readonly name: string; readonly path: string; readonly facts: ArchiveFacts },
  signal: AbortSignal,
): Promise<Uploaded> {
  const progress = createProgress('Uploading');
  try {
    return await uploadFile(
      remote,
      { localPath: path, folder, name, bytes: facts.bytes, sha1: facts.sha1 },
      {
        signal,
        onProgress: (done) => progress.update(done, facts.bytes),
        onRetry: ({ attempt, tries, waitMs, error }) =>
          info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
        onWarning: warn,
      },
    );
  } catch (error) {
    const code = error instanceof DiatomError ? error.code : 'OWNCLOUD';
    throw new DiatomError(
      code,
      `The archive was not uploaded: ${messageOf(error)}\nNothing is lost: the archive is kept at ${path} (on a hosted runner only until the job ends).`,
      { cause: error },
    );
  } finally {
    progress.end();
  }
}
