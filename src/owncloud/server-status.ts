import { DiatomError } from '../errors.ts';
import { type HttpClient, headerOf } from '../http/client.ts';
import { jsonOf } from '../text/json.ts';
import { redirectTarget } from './webdav-client.ts';
import { adviceForRedirect, WebdavError } from './webdav-error.ts';

export type Product = 'owncloud' | 'nextcloud' | 'infinite-scale';

/** What a server says about itself in `status.php`. */
export interface ServerStatus {
  readonly product: Product;
  /** Name and version for people, such as “ownCloud 10.15.0”. */
  readonly title: string;
  readonly maintenance: boolean;
}

/**
 * Asks for `status.php`, which ownCloud, Nextcloud and Infinite Scale give to everybody (owncloud/core status.php). Sends
 * no credentials.
 *
 * @returns `undefined` when the address is not one of theirs
 * @throws DiatomError `OWNCLOUD` for a redirect to another server; NetworkError when there is no answer; WebdavError for
 *   an answer that says to come again later
 */
export async function readServerStatus(
  http: HttpClient,
  base: URL,
  signal: AbortSignal | undefined,
): Promise<ServerStatus | undefined> {
  const url = new URL('status.php', base);
  const response = await http.send({ method: 'GET', url, headers: { accept: 'application/json' }, signal });
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body.dump();
    refuseRedirect(redirectTarget(headerOf(response, 'location'), url), base);
    return undefined;
  }
  if (status !== 200) {
    await response.body.dump();
    const refusal = new WebdavError({ method: 'GET', status, host: url.host, path: '/status.php', publicLink: false });
    if (refusal.transient) throw refusal;
    return undefined;
  }
  const text = await response.body.text();
  return interpret(text);
}

/** A redirect within the server may be any product's start page; one to another place is where the server now lives. */
function refuseRedirect(target: string, base: URL): void {
  const moved = target.endsWith('/status.php');
  if (!moved && target.startsWith(`${base.origin}/`)) return;
  throw new DiatomError(
    'OWNCLOUD',
    `The server ${base.host} does not answer itself: ${adviceForRedirect(target.replace(/status\.php$/, ''))}.`,
  );
}

/**
 * - ownCloud 10: `{"installed":true,"maintenance":false,"versionstring":"10.15.0","productname":"ownCloud","product":"ownCloud", …}`
 * - Nextcloud: the same with `extendedSupport`, and the name of the theme as `productname`
 * - Infinite Scale: the same with `productversion`; `versionstring` is the version of the protocol there
 */
function interpret(text: string): ServerStatus | undefined {
  const status = parseObject(text);
  const version = status?.['versionstring'];
  if (!status || typeof version !== 'string' || typeof status['maintenance'] !== 'boolean') return undefined;
  const { maintenance, productversion, productname, product: ownName } = status;
  const name = String(ownName ?? productname ?? '');
  if (productversion !== undefined) {
    return { product: 'infinite-scale', title: `${name || 'Infinite Scale'} ${productversion}`, maintenance };
  }
  const isNextcloud = /nextcloud/i.test(name) || 'extendedSupport' in status;
  const title = `${isNextcloud ? 'Nextcloud' : 'ownCloud'} ${version}`.trim();
  return { product: isNextcloud ? 'nextcloud' : 'owncloud', title, maintenance };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const value = jsonOf(text);
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}
