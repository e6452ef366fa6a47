import { downloadAll } from '../download/download-all.ts';
import { messageOf } from '../errors.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { createDownloadCache } from '../runner/download-cache.ts';
import { info, warn } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import type { Inputs } from './inputs.ts';
import type { RunContext } from './prepare.ts';
import type { DownloadedZip } from './sources.ts';

/** Downloads the zips of the file list into `directory`, several at a time, with one progress for all. */
export async function downloadZips(
  inputs: Pick<Inputs, 'fileList' | 'concurrency' | 'cache'>,
  directory: string,
  { http, signal, env }: RunContext,
): Promise<DownloadedZip[]> {
  const { fileList, concurrency } = inputs;
  const requests = fileList.map((entry) => ({
    url: entry.fileUrl,
    fileName: entry.downloadedFileName,
    sha256: entry.sha256,
  }));
  const progress = createProgress(`Downloading ${requests.length} zips`);
  const files = new Map<string, { done: number; total: number | undefined }>();
  try {
    const downloads = await downloadAll(requests, {
      directory,
      concurrency,
      http,
      signal,
      cache: inputs.cache ? createDownloadCache(env) : undefined,
      onProgress: ({ fileName, doneBytes, totalBytes }) => {
        files.set(fileName, { done: doneBytes, total: totalBytes });
        const { done, total } = sumUp([...files.values()], requests.length);
        progress.update(done, total);
      },
      onRetry: ({ attempt, tries, waitMs, error }) => {
        // The message of the error begins with the file's name.
        info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`);
      },
      onWarning: warn,
    });
    return downloads.map((download, index) => {
      const entry = fileList[index];
      if (!entry) throw new Error('More downloads than entries');
      const origin = download.fromCache ? ' (unchanged, from the cache)' : '';
      info(`${entry.downloadedFileName}: ${formatBytes(download.bytes)}${origin}`);
      return { entry, path: download.path, sha256: download.sha256 };
    });
  } finally {
    progress.end();
  }
}

/** The total is known once every file has begun and every server has told its size. */
function sumUp(
  files: readonly { done: number; total: number | undefined }[],
  expected: number,
): { done: number; total: number | undefined } {
  const done = files.reduce((sum, file) => sum + file.done, 0);
  const totals = files.flatMap(({ total }) => (total === undefined ? [] : [total]));
  return { done, total: totals.length === expected ? totals.reduce((sum, total) => sum + total, 0) : undefined };
}
