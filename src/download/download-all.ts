import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { type Downloaded, type DownloadOptions, type DownloadRequest, downloadFile } from './download-file.ts';

/**
 * Downloads several files, `concurrency` (1 or more) at a time, and returns them in the order of the requests. A failure
 * does not stop the others: who has ten links to renew should learn of all ten at once.
 *
 * @throws DiatomError: the failure itself when there is one; `DOWNLOAD` with a line a file when there are several;
 * `CANCELLED`.
 */
export async function downloadAll(
  requests: readonly DownloadRequest[],
  options: DownloadOptions & { readonly concurrency: number },
): Promise<Downloaded[]> {
  const results: (Downloaded | undefined)[] = requests.map(() => undefined);
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  const waiting = requests.entries();

  async function work(): Promise<void> {
    // The workers share the iterator: each takes the next request that nobody has.
    for (const [index, request] of waiting) {
      try {
        results[index] = await downloadFile(request, options);
      } catch (error) {
        failures.push({ index, error });
      }
    }
  }

  await Promise.all(Array.from({ length: Math.max(1, options.concurrency) }, work));
  throwIfCancelled(options.signal);
  const errors = failures.sort((a, b) => a.index - b.index).map(({ error }) => error);
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) {
    const lines = errors.map((error) => `- ${messageOf(error)}`);
    throw new DiatomError(
      'DOWNLOAD',
      `${errors.length} of ${requests.length} files could not be downloaded:\n${lines.join('\n')}`,
      { cause: new AggregateError(errors) },
    );
  }
  return results.filter((result) => result !== undefined);
}
