import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { type HttpClient, type HttpResponse, headerOf, NetworkError } from '../http/client.ts';
import { isPassingStatus } from '../http/passing-status.ts';
import { parseRetryAfter, type RetryPolicy, type RetryVerdict, withRetries } from '../http/retry.ts';

/** What GitHub's REST API refused. */
export class GithubError extends DiatomError {
  readonly status: number;
  /** When trying again may help: after so many milliseconds, when GitHub says so. */
  readonly retry: RetryVerdict;

  constructor(message: string, options: { status: number; retry: RetryVerdict }) {
    super('GITHUB', message);
    this.name = 'GithubError';
    this.status = options.status;
    this.retry = options.retry;
  }
}

export interface GithubApiOptions {
  readonly http: HttpClient;
  /** `https://api.github.com`, or that of a GitHub Enterprise Server. */
  readonly baseUrl: string;
  /** A token for the next request: one of an App is replaced when it is about to end. */
  readonly token: () => Promise<string>;
  /** Whose token it is, for sentences: “runner-token”. */
  readonly tokenName: string;
  /** What the token must be allowed, for sentences: “administration: write (of the repository)”. */
  readonly permission: string;
  readonly signal: AbortSignal;
  readonly policy?: RetryPolicy | undefined;
}

export interface GithubRequest<T> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** From the base, with the query: `/repos/…`. */
  readonly path: string;
  readonly body?: object | undefined;
  readonly schema: { parse(value: unknown): T };
}

/** GitHub's REST API, with one token. */
export interface GithubApi {
  /**
   * Sends a request, again when GitHub is out of breath, and returns the answer's JSON, checked; `undefined` is parsed
   * for an answer without any.
   *
   * @throws GithubError with a sentence; NetworkError; DiatomError `CANCELLED`
   */
  request<T>(request: GithubRequest<T>): Promise<T>;
}

/** A run waits on nobody for long: what it asks is either there within two minutes or said to be missing. */
const POLICY: RetryPolicy = { tries: 6, firstDelayMs: 1_000, maxDelayMs: 20_000, maxRetryAfterMs: 120_000 };

/** The version of the API that is meant (docs.github.com/rest, “API Versions”). */
const API_VERSION = '2022-11-28';

const errorSchema = z.object({ message: z.string() });

export function createGithubApi(options: GithubApiOptions): GithubApi {
  const { http, baseUrl, token, signal, policy = POLICY } = options;
  async function attempt<T>({ method, path, body, schema }: GithubRequest<T>): Promise<T> {
    const secret = await token();
    const response = await http.send({
      method,
      url: new URL(`${baseUrl.replace(/\/+$/, '')}${path}`),
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${secret}`,
        'x-github-api-version': API_VERSION,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
      signal,
    });
    const text = await response.body.text();
    if (response.status < 200 || response.status > 299) {
      throw refusal(response, messageIn(text, secret), method, path, options);
    }
    return schema.parse(text === '' ? undefined : parseJson(text, method, path));
  }
  return { request: (request) => withRetries(() => attempt(request), { policy, judge, signal }) };
}

/** Whether another try may help: for what GitHub says so of, and for a connection that broke. */
function judge(error: unknown): RetryVerdict {
  if (error instanceof GithubError) return error.retry;
  return { retry: error instanceof NetworkError && error.transient };
}

function parseJson(text: string, method: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DiatomError('GITHUB', `GitHub answered ${method} ${path} with something that is not JSON.`, { cause });
  }
}

function refusal(
  response: HttpResponse,
  said: string,
  method: string,
  path: string,
  { tokenName, permission }: GithubApiOptions,
): GithubError {
  const { status } = response;
  const asked = `${method} ${path.replace(/\?.*$/, '')}`;
  const limit = rateLimit(response, said);
  const transient = isPassingStatus(status);
  const retry: RetryVerdict = limit ?? (transient ? { retry: true } : { retry: false });
  const advice = limit
    ? `it gets too many requests with this token just now${limit.afterMs === undefined ? '' : `; the limit ends in ${Math.ceil(limit.afterMs / 60_000)} min`}. Try again later`
    : (adviceFor(status, tokenName, permission) ??
      (transient ? 'it has a fault of its own. Try again later' : undefined));
  return new GithubError(
    `GitHub refused ${asked} (HTTP ${status}${said === '' ? '' : `, “${said}”`})${advice === undefined ? '' : `: ${advice}`}.`,
    { status, retry },
  );
}

function adviceFor(status: number, tokenName: string, permission: string): string | undefined {
  if (status === 401) return `${tokenName} is wrong, has expired or was revoked. Make a new one`;
  if (status === 403) return `${tokenName} is not allowed to do this. It needs ${permission}`;
  if (status === 404) {
    return `there is no such thing, or ${tokenName} may not see it. It needs ${permission}, and access to this repository`;
  }
  return undefined;
}

/**
 * Whether it is a rate limit that refused, and for how long (docs.github.com/rest, “Rate limits”: `retry-after`, or the
 * time in `x-ratelimit-reset` once `x-ratelimit-remaining` is 0, or at least a minute for a secondary limit).
 */
function rateLimit(response: HttpResponse, said: string): Extract<RetryVerdict, { retry: true }> | undefined {
  if (response.status !== 403 && response.status !== 429) return undefined;
  const after = parseRetryAfter(headerOf(response, 'retry-after'));
  if (after !== undefined) return { retry: true, afterMs: after };
  if (headerOf(response, 'x-ratelimit-remaining') === '0') {
    const reset = Number(headerOf(response, 'x-ratelimit-reset')) * 1_000;
    return { retry: true, afterMs: Number.isFinite(reset) ? Math.max(1_000, reset - Date.now()) : 60_000 };
  }
  if (response.status === 429 || /rate limit/i.test(said)) return { retry: true, afterMs: 60_000 };
  return undefined;
}

/** GitHub's own words; a proxy's may quote what it was sent. */
function messageIn(text: string, secret: string): string {
  try {
    return errorSchema
      .parse(JSON.parse(text))
      .message.split(secret || '\0')
      .join('***')
      .slice(0, 300)
      .replace(/\.$/, '');
  } catch {
    return '';
  }
}
