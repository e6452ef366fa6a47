import { STATUS_CODES } from 'node:http';
import { DiatomError } from '../errors.ts';
import { type HttpResponse, headerOf, NetworkError } from '../http/client.ts';
import { isPassingStatus } from '../http/passing-status.ts';
import { parseRetryAfter, type RetryVerdict } from '../http/retry.ts';
import { closedToPrograms, filterOf, filterOfPage } from './robot-filter.ts';
import { shareAdvice, shareServiceOf } from './share-link.ts';

/** A failure that may be gone when the download is tried again. */
export class PassingFailure extends DiatomError {
  /** The server's wish for the wait before the next try, in milliseconds (Retry-After). */
  readonly afterMs: number | undefined;

  constructor(message: string, afterMs?: number | undefined) {
    super('DOWNLOAD', message);
    this.name = 'PassingFailure';
    this.afterMs = afterMs;
  }
}

/** Whether a failed attempt is worth another one. */
export function judgeFailure(error: unknown): RetryVerdict {
  if (error instanceof NetworkError) return { retry: error.transient };
  if (error instanceof PassingFailure) return { retry: true, afterMs: error.afterMs };
  return { retry: false };
}

/** So much of an answer's text is looked at. */
const PAGE_BYTES = 64 * 1_024;

/** The beginning of what comes with an answer that is not the file. What breaks off here is nobody's matter. */
export async function pageOf({ status, body }: HttpResponse): Promise<string> {
  if (status < 400) {
    await body.dump();
    return '';
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const all: AsyncIterable<Buffer> = body;
    for await (const chunk of all) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= PAGE_BYTES) break;
    }
  } catch {
    // The status says enough.
  }
  return Buffer.concat(chunks).toString('utf8', 0, PAGE_BYTES);
}

/**
 * What an answer that is not the file means, as an error that also knows whether trying again may help.
 *
 * @param page see `pageOf`
 */
export function statusFailure(response: HttpResponse, asked: URL, answered: URL, page: string): DiatomError {
  const { status } = response;
  const name = STATUS_CODES[status];
  const answer = `The server ${answered.host} answers ${status}${name ? ` (${name})` : ''}`;
  const service = shareServiceOf(asked) ?? shareServiceOf(answered);
  const filter = filterOf(response) ?? filterOfPage(page);
  if (filter !== undefined) return new DiatomError('DOWNLOAD', closedToPrograms(answered.host, filter, service));
  if (isPassingStatus(status)) {
    const afterMs = parseRetryAfter(headerOf(response, 'retry-after'));
    const wish = afterMs === undefined ? '' : ` It asks to be left alone for ${Math.ceil(afterMs / 1_000)} seconds.`;
    return new PassingFailure(`${answer}: it is overloaded or out of order.${wish} Run this again later.`, afterMs);
  }
  return new DiatomError('DOWNLOAD', `${answer}${meaningOf(status)}${storesWords(page)}. ${shareAdvice(service)}`);
}

/**
 * What Amazon S3, and stores that speak like it, say about a refusal (S3 API, “Error responses”): by its code, as the rest
 * may repeat what was sent.
 */
function storesWords(page: string): string {
  const code = /^(?:<\?xml[^>]*>)?\s*<Error>.*?<Code>([A-Za-z]{1,40})<\/Code>/s.exec(page)?.[1];
  if (code === undefined) return '';
  return `. The store says “${code}”${/expired/i.test(page) ? ': the address has expired' : ''}`;
}

function meaningOf(status: number): string {
  switch (status) {
    case 401:
      return ': the file needs a sign-in, or the user name or password in its address is wrong';
    case 403:
      return ': the file may not be downloaded with this link, which has expired or is not open to everybody';
    case 404:
      return ': there is no file under this link, which is misspelt, was withdrawn, or its file was moved or deleted';
    case 410:
      return ': the file or its link was withdrawn';
    default:
      return ', expected 200 and the file';
  }
}

/** Puts the name of the file before the message of its failure; a cancelled run is nobody's failure and stays as it is. */
export function withFileName(error: unknown, fileName: string): unknown {
  if (!(error instanceof DiatomError) || error.code === 'CANCELLED') return error;
  return new DiatomError(error.code, `${fileName}: ${error.message}`, { cause: error });
}
