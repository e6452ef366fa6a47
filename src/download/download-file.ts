import { constants, copyFile, link, rename, rm, stat } from 'node:fs/promises';
import { DiatomError, messageOf, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import type { HttpClient } from '../http/client.ts';
import { DEFAULT_RETRY_POLICY, type RetryNotice, type RetryPolicy, withRetries } from '../http/retry.ts';
import { attemptDownload, type DownloadJob, type Received } from './attempt.ts';
import { type CachedDownload, cacheKeyOf, type DownloadCache } from './cache.ts';
import { judgeFailure, withFileName } from './failure.ts';
import { type DownloadPaths, downloadPaths, findPart, hashOfFile, removePart } from './part-file.ts';
import { downloadAddressOf } from './share-link.ts';

/** A zip to download. */
export interface DownloadRequest {
  /** http or https; a share link of a known service will do. A secret: it appears in no message except for its host. */
  readonly url: string;
  /** The name under which it is stored: a plain file name that has been checked to be safe. */
  readonly fileName: string;
  /** In hex; what is downloaded must have it. */
  readonly sha256?: string | undefined;
}

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Whether the bytes came from the cache instead of the network. */
  readonly fromCache: boolean;
  /** What its server says that it changes with (see `strongValidatorOf`); `undefined` where it says nothing, or was not asked. */
  readonly validator: string | undefined;
}

export interface DownloadOptions {
  /** An existing folder: the file goes to `<directory>/<fileName>`, meanwhile to `.part` and `.part.json` beside it. */
  readonly directory: string;
  readonly http: HttpClient;
  readonly cache?: DownloadCache | undefined;
  readonly policy?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called for every piece that is on the disk, in the file or in its part (`downloadPaths`); `doneBytes` becomes less when a
   * download starts from the beginning. `totalBytes` is unknown with some servers.
   */
  readonly onProgress?:
    | ((progress: { fileName: string; doneBytes: number; totalBytes: number | undefined }) => void)
    | undefined;
  readonly onRetry?: ((notice: { fileName: string } & RetryNotice) => void) | undefined;
  /** What went wrong without harm to the download: a cache that is damaged or can't be written. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Makes the SHA-256 of a file that was in the cache, in lower-case hex. Default: here, between other things. */
  readonly sha256Of?: ((path: string) => Promise<string>) | undefined;
}

/**
 * An attempt that has added this much to a part that stays makes the count of tries start again: a big file on a bad
 * line arrives, and the attempts are still bounded by its size.
 */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * Downloads one zip, with flat memory.
 *
 * - What passes (broken connections, time-outs, 408, 425, 429, 5xx) is tried again, and resumed where it stopped as
 *   long as the server's file has not changed (Range with If-Range; RFC 9110, 13.1.5 and 14).
 * - A page instead of a zip, a zip without its end and a wrong SHA-256 are errors, and nothing of them stays.
 * - With a cache, a file whose `sha256` is given and known is not asked for at all, and one that the server calls
 *   unchanged (304) is not sent again. Servers that give no validator are never cached, unless `sha256` is given.
 * - When it fails or is cancelled, the part stays if a later run can resume it.
 *
 * @throws DiatomError whose message begins with the file's name: `DOWNLOAD`, `NETWORK`, `DISK`; or `CANCELLED`.
 */
export async function downloadFile(request: DownloadRequest, options: DownloadOptions): Promise<Downloaded> {
  const paths = downloadPaths(options.directory, request.fileName);
  try {
    return await download(request, options, paths);
  } catch (error) {
    const part = await findPart(paths, cacheKeyOf(request.url));
    if (!part?.note.ranges) await removePart(paths).catch(() => {});
    throwIfCancelled(options.signal);
    throw withFileName(diskFailure('write', paths.file, error), request.fileName);
  }
}

async function download(request: DownloadRequest, options: DownloadOptions, paths: DownloadPaths): Promise<Downloaded> {
  const { http, cache, policy = DEFAULT_RETRY_POLICY, signal, onRetry } = options;
  const { sha256Of = async (path) => (await hashOfFile(path, signal)).digest('hex') } = options;
  throwIfCancelled(signal);
  const { fileName } = request;
  const url = downloadAddressOf(request.url);
  const key = cacheKeyOf(request.url);
  const expected = request.sha256?.toLowerCase();
  const warn = (message: string) => options.onWarning?.(`${fileName}: ${message}`);
  const onBytes = (doneBytes: number, totalBytes: number | undefined) =>
    options.onProgress?.({ fileName, doneBytes, totalBytes });
  const job = { url, key, paths, http, signal, expected, onBytes };

  let cached = await findCached(cache, key, warn);
  if (expected !== undefined && cached) {
    const copy = cached.sha256 === expected ? await copyCached(cached, job, { sha256Of, warn }) : undefined;
    if (copy) return copy;
    cached = undefined;
  }

  let attempts = 0;
  let keptBytes = (await findPart(paths, key))?.bytes ?? 0;
  let progress = false;

  async function attempt(): Promise<Downloaded> {
    attempts++;
    try {
      const received = await attemptDownload(job, cached);
      if (!('unchanged' in received)) return await keep(received);
      const copy = cached && (await copyCached(cached, job, { sha256Of, warn }));
      if (copy) return { ...copy, validator: received.validator };
    } catch (error) {
      const part = await findPart(paths, key);
      progress = part?.note.ranges === true && part.bytes >= keptBytes + PROGRESS_BYTES;
      if (part && progress) keptBytes = part.bytes;
      throw error;
    }
    cached = undefined;
    return attempt();
  }

  async function keep({ bytes, sha256, etag, lastModified, validator }: Received): Promise<Downloaded> {
    await rename(paths.part, paths.file);
    await removePart(paths);
    const validators = { ...(etag && { etag }), ...(lastModified && { lastModified }) };
    if (cache && (etag || lastModified || expected !== undefined)) {
      await cache
        .store(key, { path: paths.file, sha256, bytes, ...validators })
        .catch((error) => warn(`it could not be put into the cache: ${messageOf(error)}`));
    }
    return { path: paths.file, bytes, sha256, fromCache: false, validator };
  }

  try {
    return await withRetries(attempt, {
      policy,
      signal,
      judge: (error) => {
        const verdict = judgeFailure(error);
        return verdict.retry ? { ...verdict, progress } : verdict;
      },
      onRetry: onRetry && ((notice) => onRetry({ fileName, ...notice })),
    });
  } catch (error) {
    if (attempts < 2 || !(error instanceof DiatomError)) throw error;
    throw new DiatomError(error.code, `${error.message} (Tried ${attempts} times.)`, { cause: error });
  }
}

async function findCached(
  cache: DownloadCache | undefined,
  key: string,
  warn: (message: string) => void,
): Promise<CachedDownload | undefined> {
  try {
    return await cache?.find(key);
  } catch (error) {
    warn(`the cache can’t be read: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * A second name for a file, on the same disk: no time, no space. Should somebody write to it, the next run finds that its
 * sum is another and downloads it again. Elsewhere a copy, which shares its blocks with the original where the file system
 * can.
 */
async function linkOrCopy(from: string, to: string): Promise<void> {
  if (from === to) return;
  await rm(to, { force: true });
  await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE));
}

/** The cached file as the download, or nothing when it is damaged: that must cost a download and no more. */
async function copyCached(
  cached: CachedDownload,
  { paths, signal, onBytes }: DownloadJob,
  {
    sha256Of,
    warn,
  }: { readonly sha256Of: (path: string) => Promise<string>; readonly warn: (message: string) => void },
): Promise<Downloaded | undefined> {
  const { sha256 } = cached;
  let bytes: number;
  try {
    await removePart(paths);
    await linkOrCopy(cached.path, paths.file);
    throwIfCancelled(signal);
    const found = await unlessCancelled(sha256Of(paths.file), signal);
    if (found !== sha256) throw new Error(`its SHA-256 is ${found}, expected ${sha256}`);
    bytes = (await stat(paths.file)).size;
  } catch (error) {
    await rm(paths.file, { force: true });
    throwIfCancelled(signal);
    warn(`the copy in the cache can’t be used, it is downloaded again: ${messageOf(error)}`);
    return undefined;
  }
  onBytes(bytes, bytes);
  return { path: paths.file, bytes, sha256, fromCache: true, validator: undefined };
}
