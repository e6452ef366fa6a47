import type { RandomAccess } from '../files/random-access.ts';
import { type HttpClient, type HttpResponse, headerOf } from '../http/client.ts';
import { askForVersion } from './ask-whether-changed.ts';
import { networkChunks } from './attempt.ts';
import { contentRangeOf } from './part-file.ts';
import { getFollowingRedirects } from './redirect.ts';
import { downloadAddressOf } from './share-link.ts';

/** The end of the file, which is asked for first: most directories fit into it. */
const TAIL_BYTES = 256 * 1024;

/**
 * A file on a server, read in pieces (Range; RFC 9110, 14): a zip's directory stands at its end, and is worth knowing
 * before the rest has come.
 *
 * Whether the server sends pieces is asked first, without asking for any: a link that is good for one download would be
 * used up by a question that is answered with the whole file.
 *
 * @returns `undefined` when the server sends no pieces, or does not say so
 * @throws what asking throws; an Error when the file changes meanwhile. Whether the file is a zip is not looked at.
 */
export async function openForRangeReads(
  address: string,
  options: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<RandomAccess | undefined> {
  const url = downloadAddressOf(address);
  if (!(await askForVersion(url, 'HEAD', options)).sendsPieces) return undefined;
  const first = await readRange(url, `bytes=-${TAIL_BYTES}`, TAIL_BYTES, options);
  if (!first || first.first + first.data.length !== first.total) return undefined;
  const { total, version, data: tail } = first;
  return {
    length: total,
    async read(position, length) {
      const tailStart = total - tail.length;
      if (position >= tailStart) return tail.subarray(position - tailStart, position - tailStart + length);
      const end = Math.min(position + length, total);
      if (end <= position) return Buffer.alloc(0);
      const piece = await readRange(url, `bytes=${position}-${end - 1}`, end - position, options);
      const isSame = piece?.total === total && piece.version === version && piece.first === position;
      if (!isSame || piece.data.length !== end - position) throw new Error('The file changed while it was read');
      return piece.data;
    },
  };
}

/** @returns `undefined` when anything else comes than a piece of at most so many bytes */
async function readRange(url: URL, range: string, most: number, options: Parameters<typeof openForRangeReads>[1]) {
  const answer = await getFollowingRedirects(url, { range }, options);
  const { response } = answer;
  const { first, total } = (response.status === 206 && contentRangeOf(response)) || {};
  if (first === undefined || total === undefined) {
    // What would come instead may be the whole file.
    response.body.destroy();
    return undefined;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of networkChunks(answer, options.signal)) {
    bytes += chunk.length;
    if (bytes > most) return undefined;
    chunks.push(chunk);
  }
  return { first, total, version: versionOf(response), data: Buffer.concat(chunks) };
}

/** What changes when the file does. */
function versionOf(response: HttpResponse): string | undefined {
  return headerOf(response, 'etag') ?? headerOf(response, 'last-modified');
}
