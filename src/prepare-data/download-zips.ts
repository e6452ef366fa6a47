import { createFileSums } from '../archive/file-sums.ts';
import { oncePerZip } from '../dataset/one-zip.ts';
import { type CachedDownload, cacheKeyOf, type DownloadCache } from '../download/cache.ts';
import { downloadAll } from '../download/download-all.ts';
import type { Downloaded } from '../download/download-file.ts';
import { downloadPaths } from '../download/part-file.ts';
import { askedAtOnce } from '../download/probe.ts';
import { openForRangeReads } from '../download/range-reads.ts';
import { messageOf } from '../errors.ts';
import type { RandomAccess } from '../files/random-access.ts';
import { createWrittenLength, type WrittenLength } from '../files/written-length.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { createDownloadCache } from '../runner/download-cache.ts';
import { info, warn } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import type { Inputs } from './inputs.ts';
import { createKeptDownloads, firstOf } from './kept-downloads.ts';
import type { RunContext } from './run-context.ts';

/** Downloads under way. */
export interface Downloads {
  /** One for each entry of the file list: the same for those with one zip. */
  readonly zips: readonly DownloadingZip[];
  /** Settles when all have ended; a failure names every file that could not be downloaded. */
  readonly all: Promise<void>;
}

export interface DownloadingZip {
  /** Lets the download begin, where they begin on demand. */
  readonly begin: () => void;
  /**
   * Waits until the file, or its part, has so many bytes.
   *
   * @throws as `file`
   */
  readonly reach: (bytes: number) => Promise<void>;
  /** Where it lies until it is whole. A download that has to start from the beginning removes it. */
  readonly part: string;
  /**
   * Settles when the file is there. When one of the list fails, those that are not there yet fail with `all`; where they
   * begin on demand, it fails at once: nobody would ask for the others.
   */
  readonly file: Promise<Downloaded>;
  /**
   * The file on its server, where it can be read in pieces and has to come from there at all. Of no use to anybody once
   * the file is there.
   */
  readonly remote: Promise<RandomAccess | undefined>;
}

const NOWHERE = Promise.resolve(undefined);

/**
 * Begins to download the zips of the file list into `directory`, several at a time, with one progress for all.
 *
 * @param here what is there already, by `cacheKeyOf`
 */
export function startDownloads(
  inputs: Pick<Inputs, 'fileList' | 'concurrency' | 'cache' | 'lowDisk'>,
  directory: string,
  { http, signal, env }: Pick<RunContext, 'http' | 'signal' | 'env'>,
  here: ReadonlyMap<string, CachedDownload> = new Map(),
): Downloads {
  const { lowDisk } = inputs;
  const fileList = oncePerZip(inputs.fileList, ({ downloadedFileName }) => downloadedFileName);
  // With little disk, each begins when it is asked for, so that not more lie here than somebody works on.
  const concurrency = lowDisk ? fileList.length : inputs.concurrency;
  const begun = fileList.map(() => Promise.withResolvers<void>());
  if (!lowDisk) for (const { resolve } of begun) resolve();
  const requests = fileList.map((entry) => ({
    url: entry.fileUrl,
    fileName: entry.downloadedFileName,
    // What is here is known by its sum, so that its server is not asked.
    sha256: entry.sha256 ?? here.get(cacheKeyOf(entry.fileUrl))?.sha256,
  }));
  // With little disk, nothing lies here that is not worked on.
  const kept = lowDisk
    ? undefined
    : firstOf(createKeptDownloads(directory), inputs.cache ? createDownloadCache(env) : undefined);
  const cache = here.size > 0 ? withThese(here, kept) : kept;
  const remotes = requests.map(() => Promise.withResolvers<RandomAccess | undefined>());
  void mapParallel(requests, askedAtOnce(inputs.concurrency), async ({ url }, index) => {
    const cached = await cache?.find(cacheKeyOf(url)).catch(() => undefined);
    // Whatever is wrong with the address, the download says it better.
    const remote = cached ? undefined : await openForRangeReads(url, { http, signal }).catch(() => undefined);
    remotes[index]?.resolve(remote);
  });
  const files = requests.map(() => Promise.withResolvers<Downloaded>());
  for (const { promise } of files) promise.catch(() => undefined); // whoever waits for one has the failure
  const progress = createProgress(`Downloading ${requests.length} zips`);
  const growing = new Map(requests.map(({ fileName }) => [fileName, createGrowing()]));
  const sums = createFileSums();
  const all = downloadAll(requests, {
    directory,
    concurrency,
    http,
    signal,
    cache,
    sha256Of: sums.sha256,
    onProgress: ({ fileName, doneBytes, totalBytes }) => {
      const file = growing.get(fileName);
      if (!file) return;
      file.total = totalBytes;
      file.line.set(doneBytes);
      const { done, total } = sumUp([...growing.values()]);
      progress.update(done, total);
    },
    onRetry: ({ attempt, tries, waitMs, error }) => {
      // The message of the error begins with the file's name.
      info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`);
    },
    onWarning: warn,
    mayBegin: (index) => begun[index]?.promise,
    onDownloaded: (downloaded, index) => {
      const origin =
        downloaded.fromCache && !here.has(cacheKeyOf(requests[index]?.url ?? '')) ? ' (unchanged, from the cache)' : '';
      info(`${requests[index]?.fileName}: ${formatBytes(downloaded.bytes)}${origin}`);
      files[index]?.resolve(downloaded);
    },
    onFailed: (error, index) => {
      if (lowDisk) files[index]?.reject(error);
    },
  })
    .then(
      () => undefined,
      (error: unknown) => {
        for (const { reject } of files) reject(error);
        throw error;
      },
    )
    .finally(async () => {
      progress.end();
      await sums.close();
    });
  all.catch(() => undefined);
  const zips = new Map(
    requests.map(({ fileName }, index): [string, DownloadingZip] => [
      fileName,
      {
        begin: () => begun[index]?.resolve(),
        file: files[index]?.promise ?? Promise.reject(new Error('A request without a file')),
        remote: remotes[index]?.promise ?? NOWHERE,
        part: downloadPaths(directory, fileName).part,
        reach: async (bytes) => {
          await Promise.race([growing.get(fileName)?.line.reach(bytes), files[index]?.promise]);
        },
      },
    ]),
  );
  return { zips: inputs.fileList.flatMap(({ downloadedFileName }) => zips.get(downloadedFileName) ?? []), all };
}

/** A cache that has these too. */
function withThese(here: ReadonlyMap<string, CachedDownload>, cache: DownloadCache | undefined): DownloadCache {
  return {
    find: async (key) => here.get(key) ?? cache?.find(key),
    store: async (key, file) => cache?.store(key, file),
  };
}

/** How much of a file is here, and how much there will be, where its server has told that. */
interface Growing {
  readonly line: WrittenLength;
  total: number | undefined;
}

function createGrowing(): Growing {
  return { line: createWrittenLength(), total: undefined };
}

/** The total is known once every file has begun and every server has told its size. */
function sumUp(files: readonly Growing[]): { done: number; total: number | undefined } {
  const done = files.reduce((sum, { line }) => sum + line.level, 0);
  const totals = files.flatMap(({ total }) => (total === undefined ? [] : [total]));
  return { done, total: totals.length === files.length ? totals.reduce((sum, total) => sum + total, 0) : undefined };
}
