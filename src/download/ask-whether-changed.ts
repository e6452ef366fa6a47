import type { HttpClient } from '../http/client.ts';
import { withRetries } from '../http/retry.ts';
import { judgeFailure, statusFailure } from './failure.ts';
import { contentLengthOf, contentRangeOf, strongValidatorOf } from './part-file.ts';
import { PROBE_POLICY } from './probe.ts';
import { getFollowingRedirects } from './redirect.ts';
import { downloadAddressOf } from './share-link.ts';

/** A file as a run before has seen it. */
export interface SeenFile {
  readonly bytes: number;
  /** See `strongValidatorOf`; `undefined` where its server gives none, or it has another address now. */
  readonly validator: string | undefined;
}

/**
 * Asks a server whether a file is still the one that was seen, without having it sent: by its headers alone, or where the
 * server does not tell enough with these, with one byte of it.
 *
 * @param fileUrl the file's address, a secret
 * @returns `unknown` where only its content can tell
 * @throws the same errors as `downloadFile`, without the file's name
 */
export async function askWhetherChanged(
  fileUrl: string,
  seen: SeenFile,
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<'same' | 'changed' | 'unknown'> {
  const url = downloadAddressOf(fileUrl);
  const { signal } = options;
  const ask = (method: 'HEAD' | 'GET') =>
    withRetries(() => versionOf(url, method, options), { policy: PROBE_POLICY, signal, judge: judgeFailure });
  const isSame = ({ bytes = seen.bytes, validator }: Version) =>
    validator !== undefined && validator === seen.validator && bytes === seen.bytes;
  // Servers of links that are signed for GET refuse HEAD, and some answer it with half the truth.
  const byHead = await ask('HEAD').catch(() => undefined);
  if (byHead && isSame(byHead)) return 'same';
  const now = await ask('GET');
  if (isSame(now)) return 'same';
  return now.bytes !== undefined && now.bytes !== seen.bytes ? 'changed' : 'unknown';
}

interface Version {
  readonly bytes: number | undefined;
  readonly validator: string | undefined;
}

async function versionOf(
  asked: URL,
  method: 'HEAD' | 'GET',
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<Version> {
  const headers = method === 'GET' ? { range: 'bytes=0-0' } : {};
  const { response, url } = await getFollowingRedirects(asked, headers, { ...options, method });
  // What would come instead of one byte may be the whole file.
  response.body.destroy();
  const { status } = response;
  if (status !== 200 && status !== 206) throw statusFailure(response, asked, url);
  const bytes = status === 206 ? contentRangeOf(response)?.total : contentLengthOf(response);
  return { bytes, validator: strongValidatorOf(response) };
}
