import { type HttpClient, headerOf } from '../http/client.ts';
import { PREFLIGHT_POLICY, withRetries } from '../http/retry.ts';
import { contentEncodingOf } from './content-encoding.ts';
import { judgeFailure } from './failure.ts';
import { contentLengthOf, contentRangeOf, strongValidatorOf } from './part-file.ts';
import { getFollowingRedirects } from './redirect.ts';
import { downloadAddressOf } from './share-link.ts';

/** A file as a run before has seen it. */
export interface SeenFile {
  readonly bytes: number;
  /** See `strongValidatorOf`; `undefined` where its server gives none, or it has another address now. */
  readonly validator: string | undefined;
}

/**
 * Asks a server whether a file is still the one that was seen, without having it sent: by its headers alone, or where these
 * tell too little and the server sends pieces, with one byte of it. A link that is good for one download is not used up.
 *
 * @param fileUrl the file's address, a secret
 * @returns `unknown` where only its content can tell, or nobody can: a download then says why
 * @throws NetworkError, PassingFailure; DiatomError `DOWNLOAD` for redirects that are refused; `CANCELLED`
 */
export async function askWhetherChanged(
  fileUrl: string,
  seen: SeenFile,
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<'same' | 'changed' | 'unknown'> {
  const url = downloadAddressOf(fileUrl);
  const { signal } = options;
  const ask = (method: 'HEAD' | 'GET') =>
    withRetries(() => askForVersion(url, method, options), { policy: PREFLIGHT_POLICY, signal, judge: judgeFailure });
  let now = await ask('HEAD');
  const { sendsPieces } = now;
  if (sendsPieces && (now.validator === undefined || now.bytes === undefined)) now = await ask('GET');
  const { bytes = seen.bytes, validator } = now;
  if (bytes !== seen.bytes) return 'changed';
  return validator !== undefined && validator === seen.validator ? 'same' : 'unknown';
}

interface Version {
  readonly bytes: number | undefined;
  readonly validator: string | undefined;
  readonly sendsPieces: boolean;
}

const NOTHING: Version = { bytes: undefined, validator: undefined, sendsPieces: false };

/** What a server says about a file, without having it sent. */
export async function askForVersion(
  url: URL,
  method: 'HEAD' | 'GET',
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<Version> {
  const headers = method === 'GET' ? { range: 'bytes=0-0' } : {};
  const { response } = await getFollowingRedirects(url, headers, { ...options, method });
  // What would come instead of one byte may be the whole file.
  response.body.destroy();
  const { status } = response;
  // Packed on the way, a file has another size.
  if (status !== (method === 'GET' ? 206 : 200) || contentEncodingOf(response) !== undefined) return NOTHING;
  return {
    bytes: method === 'GET' ? contentRangeOf(response)?.total : contentLengthOf(response) || undefined,
    validator: strongValidatorOf(response),
    sendsPieces: headerOf(response, 'accept-ranges') === 'bytes',
  };
}
