import { CookieJar } from 'tough-cookie';
import { DiatomError } from '../errors.ts';
import { type HttpClient, type HttpResponse, headerOf } from '../http/client.ts';
import { locateLockedLink } from './locked-link.ts';
import { redirectedShare } from './share-link.ts';

/** curl and browsers allow 50 and 20; share links take one to four. */
const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface FollowedAnswer {
  readonly response: HttpResponse;
  /** Where the answer came from, after all redirects. */
  readonly url: URL;
}

/**
 * Asks an address and follows its redirects. Cookies that a redirect sets go along (share links of SharePoint need
 * theirs), to the hosts and paths they were set for only (RFC 6265). A user name and password in the address become
 * Basic authentication for its own origin and are never sent to another.
 *
 * @throws DiatomError `DOWNLOAD` for a redirect that is refused, goes in a circle or never ends; NetworkError;
 * `CANCELLED`.
 */
export async function getFollowingRedirects(
  start: URL,
  headers: Readonly<Record<string, string>>,
  options: {
    readonly http: HttpClient;
    readonly signal?: AbortSignal | undefined;
    /** Default GET. */
    readonly method?: 'GET' | 'HEAD';
  },
): Promise<FollowedAnswer> {
  const { http, signal, method = 'GET' } = options;
  const authorization = basicAuthorization(start);
  const cookies = new CookieJar();
  const seen = new Set<string>();
  let url = await locateLockedLink(start, authorization, options);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const cookie = await cookies.getCookieString(url.href);
    // The same address with a new cookie is no circle: that is how a server checks whether cookies are kept.
    const visit = `${url.href}\n${cookie}`;
    if (seen.has(visit)) {
      throw refused(start, `sends us in a circle (${url.host}), as a link does that needs a sign-in or has expired`);
    }
    seen.add(visit);
    const response = await http.send({
      method,
      url,
      headers: {
        accept: '*/*',
        'accept-encoding': 'identity',
        ...headers,
        ...(cookie && { cookie }),
        ...(authorization && url.origin === start.origin && { authorization }),
      },
      signal,
    });
    const location = headerOf(response, 'location');
    if (!REDIRECTS.has(response.status) || location === undefined) return { response, url };
    for (const line of [response.headers['set-cookie'] ?? []].flat()) {
      await cookies.setCookie(line, url.href, { ignoreError: true });
    }
    await response.body.dump();
    url = redirectedShare(url, redirectTarget(url, location));
  }
  throw refused(start, `redirects more than ${MAX_REDIRECTS} times`);
}

/**
 * Where a redirect leads. Pure.
 *
 * @throws DiatomError `DOWNLOAD` when that is no http(s) address, or an http one seen from https: what is sent there
 * could be read and changed on the way.
 */
export function redirectTarget(from: URL, location: string): URL {
  // A failed `new URL` would carry the address, which is a secret, in its error.
  const target = URL.parse(location, from.href);
  if (!target || !/^https?:$/.test(target.protocol))
    throw refused(from, 'redirects to something that is not a web address');
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw refused(from, `redirects from https to http (${target.host}), which is not safe and therefore not followed`);
  }
  return target;
}

function refused(url: URL, what: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `The server ${url.host} ${what}. Open the link in a private browser window, and put the address of the download itself into file_url.`,
  );
}

/** `https://user:password@host/` → `Basic …` (RFC 7617, in UTF-8). */
function basicAuthorization({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined;
  return `Basic ${Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`).toString('base64')}`;
}

/** A `%` that encodes nothing stands for itself: passwords are often pasted in as they are. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
