import type { ArchiveFacts } from '../archive/archive-writer.ts';
import { runNameOf } from '../dataset/archive-names.ts';
import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { removeOldArchives } from '../owncloud/keep-last.ts';
import type { Remote } from '../owncloud/remote.ts';
import { type Uploaded, uploadText } from '../owncloud/upload.ts';
import { uploadGrowing } from '../owncloud/upload-growing.ts';
import { info, warn } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import type { Inputs, UploadInputs } from './inputs.ts';
import { createLineGuard, type Guarded, type LocalSides } from './line-guard.ts';
import { removeArchive } from './local-archive.ts';
import type { Delivery } from './outcome.ts';
import type { BegunArchive } from './write-dataset.ts';

/** An upload under way. */
export interface Sending {
  /** Its failure is no failure of anybody but who waits for it. */
  readonly result: Promise<Uploaded>;
  /** Tells from now on how many bytes the connection has taken. */
  watch(onProgress: (doneBytes: number) => void): void;
  /** Takes the sides of its images, without which an archive of a line gets no name. */
  sidesReady(sides: LocalSides): void;
}

/** With little disk, the pieces stay small: what of the archive is under way can't be freed. */
const LOW_DISK_CHUNKS = { start: 10_000_000, min: 1_000_000, max: 20_000_000 };

/**
 * Begins to upload an archive, while it is still written where the server can take it so.
 *
 * @param target `line` of an archive that keeps sides: the archives that there were, one of which it follows on
 */
export function beginSending(
  remote: Remote,
  { folder, line }: Pick<UploadInputs, 'folder'> & { readonly line: Pick<Guarded, 'prefix' | 'before'> | undefined },
  { name, file, saver }: BegunArchive,
  signal: AbortSignal,
): Sending {
  let onProgress = (_doneBytes: number): void => {};
  const guard =
    line && createLineGuard({ remote, folder, name, ...line }, { signal, onWarning: warn, onWaiting: info });
  const result = uploadGrowing(
    remote,
    { source: file, folder, name },
    {
      signal,
      ...(saver ? { onStored: saver.onStored, sizes: LOW_DISK_CHUNKS } : {}),
      onProgress: (done) => onProgress(done),
      onRetry: ({ attempt, tries, waitMs, error }) =>
        info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
      onWarning: warn,
      ...(guard ? { beforeNamed: guard.beforeNamed } : {}),
    },
  ).catch(async (error: unknown) => {
    await guard?.withdraw();
    throw error;
  });
  result.catch(() => undefined);
  return {
    result,
    watch(watcher) {
      onProgress = watcher;
    },
    sidesReady: (sides) => guard?.ready(sides),
  };
}

/**
 * Waits for the upload of a finished archive, puts beside it from what it was made, and deletes the local one when the
 * server’s copy is verified.
 *
 * @throws DiatomError when the upload fails: the local archive stays, and the message says where
 */
export async function deliver(
  remote: Remote,
  upload: UploadInputs,
  archive: { readonly name: string; readonly path: string; readonly facts: ArchiveFacts; readonly record: string },
  inputs: Pick<Inputs, 'archivePrefix' | 'keepArchive'>,
  { sending, signal }: { readonly sending: Sending; readonly signal: AbortSignal },
): Promise<Delivery> {
  const { folder, keepLast } = upload;
  const uploaded = await finishSending(sending, archive);
  info(`Uploaded to ${remote.description}: ${uploaded.url} (${VERIFIED[uploaded.verified]})`);
  await storeRecord(remote, folder, archive, signal);
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
  if (!archiveKept) await removeArchive(archive.path);
  return { ...uploaded, archiveKept, server: remote.description, folder, page: remote.folderPage(folder), removed };
}

/** Without it, the next run makes a new data set although nothing is new: that is no reason to fail. */
async function storeRecord(
  remote: Remote,
  folder: string,
  { name, record }: { readonly name: string; readonly record: string },
  signal: AbortSignal,
): Promise<void> {
  // Of no use where it can't be read.
  if (remote.access === 'upload-only') return;
  try {
    await uploadText(remote, { folder, name: runNameOf(name), text: record }, { signal, onWarning: warn });
  } catch (error) {
    throwIfCancelled(signal);
    warn(
      `The archive is uploaded, but not the file “${runNameOf(name)}”, by which the next run tells whether anything is new: ${messageOf(error)}`,
    );
  }
}

/** What was checked after the upload, for people. */
export const VERIFIED: Record<Uploaded['verified'], string> = {
  checksum: 'verified by checksum',
  size: 'verified by size',
  no: 'not verified: this link can’t be read back',
};

async function finishSending(
  sending: Sending,
  { path, facts }: { readonly path: string; readonly facts: ArchiveFacts },
): Promise<Uploaded> {
  const progress = createProgress('Uploading');
  try {
    sending.watch((done) => progress.update(done, facts.bytes));
    return await sending.result;
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
