import { Readable } from 'node:stream';
import { arrayBuffer } from 'node:stream/consumers';
import { AuthType, createClient, getPatcher, type WebDAVClient } from 'webdav';
import { DiatomError } from '../errors.ts';
import { asNetworkError, type HttpClient, type HttpResponse, headerOf } from '../http/client.ts';
import { parseRetryAfter } from '../http/retry.ts';
import { field } from '../text/json.ts';
import { decodedPath } from './remote-path.ts';
import { WebdavError } from './webdav-error.ts';

export interface TransportOptions {
  readonly http: HttpClient;
  /** The WebDAV folder that paths are relative to. Requests to any other origin are refused. */
  readonly rootUrl: URL;
  /** For Basic sign-in; without a name no credentials are sent. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  readonly publicLink: boolean;
  /** How long the server may think after a file was sent or has to be moved. */
  readonly answerTimeoutMs: number;
}

/**
 * Carries the requests of one `webdav` client. The library's own transport follows redirects, has no time-outs and
 * takes a redirected upload for a success, so all requests go through our HttpClient, which never follows one.
 *
 * The credentials live here only, in a private field: the `webdav` client and whatever prints it don't have them. The
 * header is made here because the library's Base64 throws on names and passwords outside Latin-1 (RFC 7617 has UTF-8).
 */
export class WebdavTransport {
  readonly #options: TransportOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #secrets: readonly string[];

  constructor(options: TransportOptions) {
    const { credentials, publicLink } = options;
    const basic = credentials && Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    this.#options = options;
    this.#headers = {
      ...(basic === undefined ? {} : { authorization: `Basic ${basic}` }),
      // ownCloud and Nextcloud refuse WebDAV on public links to others than their own page when sharing between servers
      // is switched off (owncloud/core and nextcloud/server, apps/dav/appinfo/v1/publicwebdav.php, v2/publicremote.php).
      ...(publicLink ? { 'x-requested-with': 'XMLHttpRequest' } : {}),
    };
    const { password = '' } = credentials ?? {};
    this.#secrets = basic && password !== '' ? [basic, password, encodeURIComponent(password)] : [];
  }

  /**
   * Sends one request and gives an answer of the shape that the library expects.
   *
   * @throws WebdavError for any status that is not success: not 2xx, a multi-status (some part failed) for anything but
   *   PROPFIND, and anything but a multi-status for PROPFIND
   */
  async send(wanted: URL, request: { method: string; headers: Record<string, string>; body: Body; signal: Signal }) {
    const { http, rootUrl, answerTimeoutMs } = this.#options;
    const { method, headers, body, signal } = request;
    // The library drops a folder's last “/” for the root and for listings, and Apache redirects such an address.
    const isFolder = `${wanted.href}/` === rootUrl.href || (method === 'PROPFIND' && headers['depth'] !== '0');
    const url = isFolder && !wanted.href.endsWith('/') ? new URL(`${wanted.href}/`) : wanted;
    if (url.origin !== rootUrl.origin) {
      throw new DiatomError('OWNCLOUD', `A request for ${rootUrl.origin} was about to go to ${url.origin}: stopped.`);
    }
    const response = await http.send({
      method,
      url,
      headers: { ...headers, ...this.#headers },
      body,
      signal,
      ...(isLong(method) ? { answerTimeoutMs } : {}),
    });
    const { status } = response;
    if (!(method === 'PROPFIND' ? status === 207 : status >= 200 && status < 300 && status !== 207)) {
      throw await this.#refusal(response, method, url);
    }
    const text = async () => {
      try {
        return await response.body.text();
      } catch (error) {
        throw asNetworkError(error, url, signal);
      }
    };
    // Only a GET's body is read by the library in every case; what stays unread would keep its connection.
    const early = method === 'GET' ? undefined : await text();
    return {
      status,
      statusText: '',
      ok: true,
      url: url.href,
      headers: {
        get: (name: string) => headerOf(response, name.toLowerCase()) ?? null,
        forEach: (use: (value: string, key: string) => void) => {
          for (const name of Object.keys(response.headers)) use(headerOf(response, name) ?? '', name);
        },
      },
      body: response.body,
      text: async () => early ?? (await text()),
      json: async (): Promise<unknown> => JSON.parse(early ?? (await text())),
      arrayBuffer: () => arrayBuffer(early === undefined ? response.body : Readable.from([Buffer.from(early)])),
    };
  }

  async #refusal(response: HttpResponse, method: string, url: URL): Promise<WebdavError> {
    const { rootUrl, publicLink } = this.#options;
    const { status } = response;
    const text = await beginningOf(response.body);
    const location = status >= 300 && status < 400 ? headerOf(response, 'location') : undefined;
    return new WebdavError(
      {
        method,
        status,
        host: url.host,
        path: pathBelow(rootUrl, url),
        reason: this.#withoutSecrets(reasonIn(text))?.slice(0, 300),
        redirectsTo: status >= 300 && status < 400 ? redirectTarget(location, url) : undefined,
        offeredSignIn: status === 401 ? signInSchemes(response) : undefined,
        publicLink,
      },
      parseRetryAfter(headerOf(response, 'retry-after')),
    );
  }

  #withoutSecrets(text: string | undefined): string | undefined {
    return this.#secrets.reduce((cleaned, secret) => cleaned?.replaceAll(secret, '***'), text);
  }
}

type Body = Readable | Uint8Array | string | undefined;
type Signal = AbortSignal | undefined;

/**
 * A client of npm `webdav` whose every request goes through `transport`.
 *
 * The library has one slot for a replacement of its `fetch` in the whole process, and hands it the client's `httpAgent`:
 * there each client keeps its transport. So the function in the slot has no state of its own, and putting it there again
 * for every client changes nothing.
 */
export function createWebdavClient(rootUrl: URL, transport: WebdavTransport): WebDAVClient {
  getPatcher().patch('fetch', fetchThroughTransport);
  return createClient(rootUrl.href, {
    authType: AuthType.None,
    httpAgent: transport,
    httpsAgent: transport,
  });
}

async function fetchThroughTransport(address: unknown, options: unknown) {
  const wanted = new URL(String(address));
  const transport = agentIn(options, wanted);
  if (!(transport instanceof WebdavTransport)) throw new TypeError('A webdav client without our transport');
  return transport.send(wanted, {
    method: String(field(options, 'method')),
    headers: headersIn(options),
    body: bodyIn(options),
    signal: signalIn(options),
  });
}

function agentIn(options: unknown, url: URL): unknown {
  const agent = field(options, 'agent');
  return typeof agent === 'function' ? Reflect.apply(agent, undefined, [url]) : undefined;
}

function headersIn(options: unknown): Record<string, string> {
  const entries = Object.entries(field(options, 'headers') ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function bodyIn(options: unknown): Body {
  const body = field(options, 'body');
  return typeof body === 'string' || body instanceof Uint8Array || isReadable(body) ? body : undefined;
}

function isReadable(value: unknown): value is Readable {
  return typeof field(value, 'pipe') === 'function';
}

function signalIn(options: unknown): Signal {
  const signal = field(options, 'signal');
  return signal instanceof AbortSignal ? signal : undefined;
}

function isLong(method: string): boolean {
  return ['PUT', 'PATCH', 'POST', 'MOVE', 'COPY'].includes(method);
}

/** At most 64 KB of an error's body: enough for its message. */
async function beginningOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(Buffer.from(chunk));
      size += chunk.length;
      if (size > 65_536) break;
    }
  } catch {
    // The status says enough; what broke off here would only have explained it.
  }
  body.destroy();
  return Buffer.concat(chunks).toString('utf8');
}

/** The message in an error of SabreDAV, which ownCloud, Nextcloud and Infinite Scale all speak. */
function reasonIn(text: string): string | undefined {
  const message = /<(?:\w+:)?message>([^<]*)<\/(?:\w+:)?message>/.exec(text)?.[1];
  const cleaned = message
    ?.replaceAll(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([\da-f]{1,6}));/gi, (_, name, decimal, hex) =>
      characterOf(name, decimal === undefined ? hex && Number.parseInt(hex, 16) : Number(decimal)),
    )
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return cleaned || undefined;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function characterOf(name: string | undefined, code: number): string {
  if (name !== undefined) return NAMED[name.toLowerCase()] ?? '';
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** Where a redirect points to: never with its query, which may hold a token of a sign-in. */
export function redirectTarget(location: string | undefined, from: URL): string {
  const target = location === undefined ? null : URL.parse(location, from.href);
  if (!target) return 'another address';
  return target.origin === from.origin ? `${target.origin}${target.pathname}` : target.origin;
}

function signInSchemes(response: HttpResponse): string[] {
  const header = response.headers['www-authenticate'];
  const challenges = Array.isArray(header) ? header : header === undefined ? [] : [header];
  return challenges.flatMap((challenge) =>
    [...challenge.matchAll(/(?:^|,)\s*([A-Za-z][\w-]*)(?=\s|$|,)(?!\s*=)/g)].map((match) =>
      String(match[1]).toLowerCase(),
    ),
  );
}

function pathBelow(root: URL, url: URL): string {
  return decodedPath(
    url.pathname.startsWith(root.pathname) ? url.pathname.slice(root.pathname.length - 1) : url.pathname,
  );
}
