import { rm } from 'node:fs/promises';
import type { FileListEntry } from '../dataset/file-list-entry.ts';
import { oncePerZip } from '../dataset/one-zip.ts';
import { askWhetherChanged } from '../download/ask-whether-changed.ts';
import { type CachedDownload, cacheKeyOf } from '../download/cache.ts';
import { downloadAll } from '../download/download-all.ts';
import { askedAtOnce } from '../download/probe.ts';
import { throwIfCancelled } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';
import type { RecordedEntry } from './run-record.ts';

/** Whether the zips are those that the last archive was made of. */
export interface Comparison {
  readonly isSame: boolean;
  /** What had to be downloaded to find out, by `cacheKeyOf`, so that it need not come again. */
  readonly here: Map<string, CachedDownload>;
  /** The zips as they are to be recorded, where they are the same: what their servers say about them may be new. */
  readonly entries: readonly RecordedEntry[];
}

/**
 * Compares the zips of the file list with those of the last archive: by what their servers say about them, and only where
 * these say too little by their bytes. A server that can't be asked counts as new: the download then says why.
 *
 * @param directory where what has to be downloaded lies then, under its name
 * @throws DiatomError what a download fails with; `CANCELLED`
 */
export async function compareSources(
  inputs: Pick<Inputs, 'fileList' | 'concurrency' | 'lowDisk'>,
  recorded: readonly RecordedEntry[],
  directory: string,
  options: { readonly http: HttpClient; readonly signal: AbortSignal },
): Promise<Comparison> {
  const { concurrency, lowDisk } = inputs;
  const verdicts = await askAll(inputs, recorded, options);
  const here = new Map<string, CachedDownload>();
  const changed = verdicts?.find(({ verdict }) => verdict === 'changed');
  if (changed) info(`${changed.entry.downloadedFileName} is new or has changed, at least.`);
  if (changed || !verdicts) return { isSame: false, here, entries: recorded };
  const unclear = verdicts.filter(({ verdict }) => verdict === 'unknown');
  if (unclear.length === 0) return { isSame: true, here, entries: recorded };
  info(
    `Whether ${unclear.length} of ${verdicts.length} zips have changed, only their content tells: downloading them.`,
  );
  // With little disk, one at a time, and none stays.
  const parts = lowDisk ? unclear.map((one) => [one]) : [unclear];
  const now = new Map<string, Pick<RecordedEntry, 'url_sha256' | 'validator'>>();
  for (const part of parts) {
    const found = await download(part, directory, here, { ...options, concurrency });
    if (lowDisk) await dropAll(here);
    if (!found) return { isSame: false, here, entries: recorded };
    for (const [index, { before }] of part.entries()) now.set(before.zip, found[index] ?? before);
  }
  return { isSame: true, here, entries: recorded.map((entry) => ({ ...entry, ...now.get(entry.zip) })) };
}

/** Whether all zips are those of the last archive, as far as their servers say so without sending any of them. */
export async function serversSaySame(
  inputs: Pick<Inputs, 'fileList' | 'concurrency'>,
  recorded: readonly RecordedEntry[],
  options: { readonly http: HttpClient; readonly signal: AbortSignal },
): Promise<boolean> {
  const verdicts = await askAll(inputs, recorded, options);
  return verdicts?.every(({ verdict }) => verdict === 'same') ?? false;
}

/** Deletes what was downloaded to find out. */
export async function dropAll(here: Map<string, CachedDownload>): Promise<void> {
  for (const { path } of here.values()) await rm(path, { force: true });
  here.clear();
}

interface Pair {
  readonly entry: FileListEntry;
  readonly before: RecordedEntry;
}

interface Judged extends Pair {
  readonly verdict: 'same' | 'changed' | 'unknown';
}

/** Asks for every zip once. @returns `undefined` when there are more entries than recorded ones */
async function askAll(
  { fileList, concurrency }: Pick<Inputs, 'fileList' | 'concurrency'>,
  recorded: readonly RecordedEntry[],
  options: { readonly http: HttpClient; readonly signal: AbortSignal },
): Promise<Judged[] | undefined> {
  const all = fileList.flatMap((entry, index) => {
    const before = recorded[index];
    return before ? [{ entry, before }] : [];
  });
  if (all.length < fileList.length) return undefined;
  return mapParallel(
    oncePerZip(all, ({ before }) => before.zip),
    askedAtOnce(concurrency),
    async (pair) => ({
      ...pair,
      verdict: await ask(pair.entry, pair.before, options).catch(() => {
        throwIfCancelled(options.signal);
        return 'changed' as const;
      }),
    }),
  );
}

async function ask(
  { fileUrl, sha256 }: FileListEntry,
  before: RecordedEntry,
  options: { readonly http: HttpClient; readonly signal: AbortSignal },
): Promise<Judged['verdict']> {
  const isPinned = sha256?.toLowerCase() === before.sha256;
  if (sha256 !== undefined && !isPinned) return 'changed';
  const isSameAddress = cacheKeyOf(fileUrl) === before.url_sha256;
  const seen = { bytes: before.bytes, validator: (isSameAddress && before.validator) || undefined };
  const verdict = await askWhetherChanged(fileUrl, seen, options);
  // The list vouches for the content.
  return verdict === 'unknown' && isPinned ? 'same' : verdict;
}

/** @returns what is to be recorded of them; `undefined` when one has not the content that it had */
async function download(
  pairs: readonly Pair[],
  directory: string,
  here: Map<string, CachedDownload>,
  options: { readonly http: HttpClient; readonly signal: AbortSignal; readonly concurrency: number },
): Promise<Pick<RecordedEntry, 'url_sha256' | 'validator'>[] | undefined> {
  const requests = pairs.map(({ entry }) => ({ url: entry.fileUrl, fileName: entry.downloadedFileName }));
  const downloaded = await downloadAll(requests, {
    ...options,
    directory,
    onDownloaded: ({ path, sha256, bytes }, index) => {
      const url = requests[index]?.url;
      if (url !== undefined) here.set(cacheKeyOf(url), { path, sha256, bytes });
    },
  });
  if (downloaded.some(({ sha256 }, index) => sha256 !== pairs[index]?.before.sha256)) return undefined;
  return pairs.map(({ entry }, index) => ({
    url_sha256: cacheKeyOf(entry.fileUrl),
    validator: downloaded[index]?.validator ?? null,
  }));
}
