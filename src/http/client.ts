import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { DiatomError, systemCodeOf, unlessCancelled } from '../errors.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { explainNetworkFailure } from './network-failure.ts';
import { speaksPlainHttp } from './plain-http.ts';
import { endTrickle, LEAST_RATE, type LeastRate } from './trickle.ts';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A stream needs a `content-length` among the headers: many WebDAV servers store nothing without it. */
  readonly body?: Readable | Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the server may think before it answers; uploads of large files need more than the default. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Must be read to its end or destroyed, else the connection stays open. */
  readonly body: Readable & { text(): Promise<string>; dump(): Promise<void> };
}

/** A request that got no answer, or an answer that broke off. Trying again may help when `transient`. */
export class NetworkError extends DiatomError {
  readonly transient: boolean;

  constructor(message: string, options: { transient: boolean; cause: unknown }) {
    super('NETWORK', message, { cause: options.cause });
    this.name = 'NetworkError';
    this.transient = options.transient;
  }
}

export interface HttpClientOptions {
  /** The proxy for an address, or `undefined` for a direct connection. */
  readonly proxyFor?: ((url: URL) => URL | undefined) | undefined;
  /** How long a connection may take to open. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a server may send nothing in the middle of an answer, or think before one. */
  readonly idleTimeoutMs?: number | undefined;
  /** Answers that come more slowly are given up. */
  readonly leastRate?: LeastRate | undefined;
  /** After how long without an answer a server of https is asked whether it speaks http. */
  readonly doubtMs?: number | undefined;
}

/**
 * Sends single requests: it never follows a redirect (a redirect may carry a password or a body to another place, so
 * whoever asks decides), never decompresses, has a time-out on everything, and honours proxies.
 */
export interface HttpClient {
  /** @throws NetworkError when no answer comes; DiatomError `CANCELLED` when the signal is aborted. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { proxyFor, connectTimeoutMs = 30_000, idleTimeoutMs = 60_000, leastRate = LEAST_RATE } = options;
  const settings = {
    connect: { timeout: connectTimeoutMs },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
  };
  const direct = new Agent(settings);
  const proxies = new Map<string, Dispatcher>();

  function dispatcherFor(url: URL, proxy: URL | undefined): Dispatcher {
    if (!proxy) return direct;
    // Proxies commonly allow CONNECT to port 443 only (Squid's default), so plain http goes through without a tunnel.
    const proxyTunnel = url.protocol === 'https:';
    const key = `${proxyTunnel} ${proxy.href}`;
    const known = proxies.get(key);
    if (known) return known;
    const made = new ProxyAgent({ ...settings, proxyTls: settings.connect, uri: proxy.href, proxyTunnel });
    proxies.set(key, made);
    return made;
  }

  /** Those that have answered in TLS. */
  const proven = new Set<string>();

  return {
    async send({ method, url, headers, body, signal: wanted, answerTimeoutMs }) {
      const proxy = proxyFor?.(url);
      const inVain = new AbortController();
      const isUnproven = () => url.protocol === 'https:' && !proxy && !proven.has(url.origin);
      const isPlainHttp = async () => isUnproven() && (await speaksPlainHttp(url));
      const doubt = isUnproven()
        ? setTimeout(async () => {
            if ((await isPlainHttp()) && isUnproven()) inVain.abort();
          }, options.doubtMs ?? 5_000)
        : undefined;
      const signal = doubt ? AbortSignal.any([inVain.signal, ...(wanted ? [wanted] : [])]) : wanted;
      try {
        const asked = dispatcherFor(url, proxy).request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: checkedMethod(method),
          headers: { 'user-agent': 'diatom-actions', ...headers },
          ...(body === undefined ? {} : { body }),
          ...(signal ? { signal } : {}),
          // Said with every request too: behind a proxy without a tunnel, undici forgets the agent's own settings.
          headersTimeout: answerTimeoutMs ?? idleTimeoutMs,
          bodyTimeout: idleTimeoutMs,
        });
        // An answer that breaks before anybody reads it would end the process with an unhandled 'error' event; whoever
        // reads it later still gets the error.
        asked.then(
          ({ body }) => body.on('error', () => {}),
          () => {},
        );
        // undici itself looks at the signal of a request only when it has a connection for it.
        const answer = await unlessCancelled(asked, signal);
        proven.add(url.origin);
        endTrickle(answer.body, leastRate, () => trickles(url, leastRate));
        return { status: answer.statusCode, headers: answer.headers, body: answer.body };
      } catch (error) {
        if (wanted?.aborted) throw asNetworkError(error, url, wanted, proxy);
        const isBroken = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT'].includes(
          systemCodeOf(error) ?? '',
        );
        if (inVain.signal.aborted || (isBroken && (await isPlainHttp()))) throw notTls(url, error);
        throw asNetworkError(error, url, wanted, proxy);
      } finally {
        clearTimeout(doubt);
      }
    },
    async close() {
      await Promise.all([direct, ...proxies.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function notTls({ host }: URL, cause: unknown): NetworkError {
  const sentence = `The server ${host} did not answer in TLS, but it answers without: the address says https, and should begin with http://.`;
  return new NetworkError(sentence, { transient: false, cause });
}

function trickles({ host }: URL, { bytes, overMs }: LeastRate): NetworkError {
  const sentence = `The server ${host} sent less than ${formatBytes(bytes)} a second for ${formatDuration(overMs / 1_000)}: it, or the way to it, is too slow.`;
  return new NetworkError(sentence, { transient: true, cause: undefined });
}

/** undici sends every method that is a token (RFC 9110, 5.6.2), WebDAV's too; its type lists the common ones only. */
function isSendable(method: string): method is Dispatcher.HttpMethod {
  return /^[A-Z]+$/.test(method);
}

function checkedMethod(method: string): Dispatcher.HttpMethod {
  if (isSendable(method)) return method;
  throw new TypeError(`An HTTP method must be upper-case letters, found “${method}”`);
}

/**
 * What a failed request or a broken answer is to the user: a cancelled run, one of our own errors (a body that we
 * generate can fail with one), or a NetworkError with a sentence about it.
 */
export function asNetworkError(error: unknown, url: URL, signal?: AbortSignal, proxy?: URL): DiatomError {
  if (signal?.aborted) return new DiatomError('CANCELLED', 'The run was cancelled.', { cause: error });
  if (error instanceof DiatomError) return error;
  const { sentence, transient } = explainNetworkFailure(systemCodeOf(error), url, error, proxy);
  return new NetworkError(sentence, { transient, cause: error });
}

/** One value of a header that may come more than once: the first. */
export function headerOf(response: Pick<HttpResponse, 'headers'>, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
