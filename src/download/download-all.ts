import { DiatomError, messageOf, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { type Downloaded, type DownloadOptions, type DownloadRequest, downloadFile } from './download-file.ts';

/**
 * Downloads several files, at most `concurrency` (1 or more) at a time, and returns them in the order of the requests.
 * A failure does not stop the others: who has ten links to renew should learn of all ten at once.
 *
 * @throws DiatomError: the failure itself when there is one; `DOWNLOAD` with a line a file when there are several;
 * `CANCELLED`.
 */
export async function downloadAll(
  requests: readonly DownloadRequest[],
  options: DownloadOptions & {
    readonly concurrency: number;
    /** What a download, by its place in the requests, has to wait for. */
    readonly mayBegin?: ((index: number) => Promise<void> | undefined) | undefined;
    /** Called for each file, by its place in the requests, as soon as it is there. */
    readonly onDownloaded?: ((downloaded: Downloaded, index: number) => void) | undefined;
    /** Called for each that has failed, while the others go on. */
    readonly onFailed?: ((error: unknown, index: number) => void) | undefined;
  },
): Promise<Downloaded[]> {
  const outcomes = await mapParallel(requests, options.concurrency, async (request, index) => {
    throwIfCancelled(options.signal);
    try {
      await unlessCancelled(Promise.resolve(options.mayBegin?.(index)), options.signal);
      const downloaded = await downloadFile(request, options);
      options.onDownloaded?.(downloaded, index);
      return downloaded;
    } catch (error) {
      throwIfCancelled(options.signal);
      options.onFailed?.(error, index);
      return { error };
    }
  });
  const errors = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) {
    const lines = errors.map((error) => `- ${messageOf(error)}`);
    throw new DiatomError(
      'DOWNLOAD',
      `${errors.length} of ${requests.length} files could not be downloaded:\n${lines.join('\n')}`,
      { cause: new AggregateError(errors) },
    );
  }
  return outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome]));
}
