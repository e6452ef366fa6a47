import { type HttpClient, headerOf } from '../http/client.ts';
import { PREFLIGHT_POLICY, withRetries } from '../http/retry.ts';
import { networkChunks } from './attempt.ts';
import { judgeFailure, pageOf, statusFailure } from './failure.ts';
import { notAZip, zipChunks } from './not-a-zip.ts';
import { contentLengthOf, contentRangeOf } from './part-file.ts';
import { getFollowingRedirects } from './redirect.ts';
import { downloadAddressOf } from './share-link.ts';

/**
 * Of how many zips something is asked at a time, whose answers are short: what takes time is the way there and back.
 *
 * @param concurrency of downloads; where that is one, a server may not like more
 */
export function askedAtOnce(concurrency: number): number {
  return concurrency === 1 ? 1 : Math.max(4, concurrency);
}

/** Enough to see a zip's first four bytes, and of a page enough to see whose it is. */
const PROBE_RANGE = 'bytes=0-4095';

/**
 * Looks whether a download would work, by its first bytes; nothing is stored. `bytes` is the size of the whole file,
 * where the server tells.
 *
 * @param fileUrl the file's address, a secret
 * @throws the same errors as `downloadFile`, apart from those about the file's end and sum, and without the file's name:
 *   the caller says which file it is
 */
export async function probeDownload(
  fileUrl: string,
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<{ bytes: number | undefined }> {
  const url = downloadAddressOf(fileUrl);
  return withRetries(() => probe(url, options), {
    policy: PREFLIGHT_POLICY,
    signal: options.signal,
    judge: judgeFailure,
  });
}

async function probe(
  asked: URL,
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<{ bytes: number | undefined }> {
  const answer = await getFollowingRedirects(asked, { range: PROBE_RANGE }, options);
  const { response, url } = answer;
  const origin = { asked, answered: url, contentType: headerOf(response, 'content-type') };
  if (response.status === 200 || response.status === 206) {
    // The first chunk that gets through is a zip's; leaving the loop ends the connection if there is more to come.
    for await (const _ of zipChunks(networkChunks(answer, options.signal), (sample) => notAZip(sample, origin))) break;
    return { bytes: response.status === 206 ? contentRangeOf(response)?.total : contentLengthOf(response) };
  }
  const page = await pageOf(response);
  // An empty file has no first byte to send.
  if (response.status === 416) throw notAZip(Buffer.alloc(0), origin);
  throw statusFailure(response, asked, url, page);
}
