import { DiatomError } from '../errors.ts';

/**
 * What an `owncloud-url` points to, as far as its text tells. Every address ends in `/`.
 *
 * - `server`       the address of a server (or of one of its browser pages), or of any other WebDAV folder: only asking tells
 * - `dav`          a WebDAV address of an ownCloud or Nextcloud; `base` is the server's address
 * - `public-link`  a link that somebody shared; `token` is its last part
 */
export type OwncloudAddress =
  | { readonly kind: 'server'; readonly base: URL }
  | { readonly kind: 'dav'; readonly base: URL; readonly root: URL }
  | { readonly kind: 'public-link'; readonly base: URL; readonly token: string };

/** Ends of browser addresses that people copy: the server's own address is what comes before. */
const BROWSER_PAGE =
  /\/(?:index\.php(?:\/.*)?|apps\/[a-z_]+(?:\/.*)?|login(?:\/.*)?|f\/\d+|files\/spaces(?:\/.*)?|status\.php|remote\.php(?:\/dav(?:\/files)?)?)$/;

/**
 * A shared link: `/s/<token>` (ownCloud, Nextcloud and Infinite Scale), also behind `/index.php`, and the two WebDAV
 * addresses that stand for the same link (see public-link.ts).
 */
const PUBLIC_LINK =
  /^(?<base>.*?)(?:\/index\.php)?(?:\/s|\/remote\.php\/dav\/public-files|\/public\.php\/dav\/files)\/(?<token>[A-Za-z0-9_-]+)(?:\/(?:download|authenticate.*))?$/;

const DAV = /^(?<base>.*?)(?<dav>\/(?:remote\.php\/(?:webdav|dav\/[^/]+\/[^/]+)|public\.php\/webdav)(?:\/.*)?)$/;

/**
 * Sorts out what a person wrote into `owncloud-url`: a server's address (also under a sub-path, also copied from the
 * browser), a WebDAV address, or a public link. Asks nobody.
 *
 * @throws DiatomError `INPUT` when it is not a web address, or holds a user name or password (the address is shown in
 *   logs), or a part after `?` that has no meaning here
 */
export function parseOwncloudAddress(text: string): OwncloudAddress {
  const url = parseUrl(text.trim());
  const path = url.pathname.replace(/\/+$/, '');
  const link = PUBLIC_LINK.exec(path)?.groups;
  if (link?.['token'] !== undefined) {
    return { kind: 'public-link', base: folderUrl(url, link['base'] ?? ''), token: link['token'] };
  }
  const dav = DAV.exec(path)?.groups;
  if (dav) {
    refuseQuery(url);
    return { kind: 'dav', base: folderUrl(url, dav['base'] ?? ''), root: folderUrl(url, path) };
  }
  const base = path.replace(BROWSER_PAGE, '');
  if (base === path) refuseQuery(url);
  return { kind: 'server', base: folderUrl(url, base) };
}

function parseUrl(text: string): URL {
  const expected = 'expected an address such as https://cloud.example.org, copied from the browser';
  if (text === '') throw new DiatomError('INPUT', `owncloud-url is empty: ${expected}.`);
  const url = URL.parse(text);
  if (url?.username || url?.password || /^(?:[a-z]+:\/\/)?[^/?#]*@/i.test(text)) {
    throw new DiatomError(
      'INPUT',
      'owncloud-url holds a user name or a password (the part before “@”). The address is shown in logs: remove that part, use the inputs owncloud-username and owncloud-password, and change the password if a log may have shown it.',
    );
  }
  if (!url || url.host === '') throw new DiatomError('INPUT', `owncloud-url is “${text}”: ${expected}.`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new DiatomError('INPUT', `owncloud-url is “${text}”: it has to begin with https:// (or http://).`);
  }
  return url;
}

function refuseQuery(url: URL): void {
  if (url.search === '') return;
  throw new DiatomError(
    'INPUT',
    `owncloud-url has a part after “?” that is not needed for ${url.host}${url.pathname}: remove it.`,
  );
}

function folderUrl(url: URL, path: string): URL {
  return new URL(`${path}/`, url.origin);
}
