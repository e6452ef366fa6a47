import { rename, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { archiveName, runNameOf } from '../dataset/archive-names.ts';
import { messageOf, throwIfCancelled } from '../errors.ts';
import { partOf } from '../files/whole-file.ts';
import type { ArchiveFolder } from '../owncloud/archive-folder.ts';
import { putVerified, textContent } from '../owncloud/confirmed-writes.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import { retrying } from '../owncloud/options.ts';
import { readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';
import type { StandingArchive } from './outcome.ts';
import { type Base, newestOf } from './previous.ts';
import type { RunContext } from './run-context.ts';
import { agreesWith, formatRecord, parseRecord, type RecordedEntry, type RunRecord } from './run-record.ts';

/** An archive on the server that today's options would give again, as far as its zips are the same. */
export interface LastArchive {
  readonly record: RunRecord;
  /** From the remote's root, beginning with `/`. */
  readonly path: string;
  /** Its WebDAV address. */
  readonly url: string;
}

/** What a run has found on the server before it begins. */
export interface Found {
  readonly remote: Remote;
  /** Whose sides are kept. */
  readonly base: Base | undefined;
  /** `undefined` where nobody has looked, or could. */
  readonly folder: ArchiveFolder | undefined;
}

/**
 * Finds the last archive of the line, when it was made by today's rules with today's options and is there as it was stored.
 *
 * @throws DiatomError `CANCELLED`; nothing else: what can't be read is made again
 */
export async function findLastArchive(
  inputs: Inputs,
  { remote, base, folder }: Found,
  signal: AbortSignal,
): Promise<LastArchive | undefined> {
  if (inputs.force || inputs.previous === 'none') return undefined;
  const keeps = inputs.plan.split === 'keep';
  const path = keeps ? base?.archive : folder?.archives[0]?.path;
  if (path === undefined) return undefined;
  // Later runs would follow on another one, or find none at all, as in a new folder.
  const newest = folder && newestOf(folder);
  if (keeps && !(newest?.sides && newest.path === path)) return undefined;
  try {
    const record = base ? base.record : await readRecord(remote, path, signal);
    if (record?.archive.name !== posix.basename(path) || !agreesWith(record, inputs)) return undefined;
    const stored = await retrying({ signal }, () => lookUpIfThere(remote.client, path, signal));
    if (stored?.type !== 'file' || stored.size !== record.archive.bytes) return undefined;
    return { record, path, url: remote.fileUrl(path) };
  } catch (error) {
    throwIfCancelled(signal);
    info(`Whether anything is new could not be found out: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * @returns `undefined` when a copy was asked for, and the archive turns out not to be what was stored
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `DISK`, `CANCELLED` when the copy can't be fetched
 */
export async function standingArchive(
  { record, path, url }: LastArchive,
  {
    inputs,
    remote,
    signal,
    now,
  }: { readonly inputs: Inputs; readonly remote: Remote } & Pick<RunContext, 'signal' | 'now'>,
): Promise<StandingArchive | undefined> {
  const { name, bytes, sha256 } = record.archive;
  const local = inputs.keepArchive ? join(inputs.workspace, posix.basename(name)) : undefined;
  if (local !== undefined) {
    // Under the name by which the next run knows what one that was cut short has left.
    const part = partOf(join(inputs.workspace, archiveName(inputs.archivePrefix, now)));
    if ((await saveRemote(remote, path, part, { signal })) !== sha256) {
      info(`“${name}” on the server is damaged: its SHA-256 is another than ${sha256}. A new archive is made.`);
      await rm(part, { force: true });
      return undefined;
    }
    await rename(part, local);
  }
  return { name, url, bytes, sha256, server: remote.description, path: local, manifestPath: undefined };
}

/**
 * Records what servers say now of zips that are the same, so that the next run need not download them to find out.
 *
 * @throws DiatomError `CANCELLED`; nothing else: the next run then looks at their content again
 */
export async function updateRecord(
  { record, path }: LastArchive,
  entries: readonly RecordedEntry[],
  { remote, signal }: { readonly remote: Remote; readonly signal: AbortSignal },
): Promise<void> {
  const text = formatRecord({ ...record, entries: [...entries] });
  if (remote.access !== 'full' || text === formatRecord(record)) return;
  try {
    await putVerified(remote, runNameOf(path), textContent(text), { signal });
  } catch (error) {
    throwIfCancelled(signal);
    info(`What the servers say about the zips could not be recorded: ${messageOf(error)}`);
  }
}

async function readRecord(remote: Remote, path: string, signal: AbortSignal): Promise<RunRecord | undefined> {
  const name = runNameOf(path);
  const text = await readText(remote, name, { signal });
  return text === undefined ? undefined : parseRecord(text, name);
}
