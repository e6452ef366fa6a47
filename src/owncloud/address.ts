import { DiatomError } from '../errors.ts';
import { decodedPath, folderParts } from './remote-path.ts';

/**
 * What an `owncloud-url` points to, as far as its text tells. Every address ends in `/`; `folder` is the one that the page
 * shows, not encoded, `''` for the top.
 *
 * - `server`       the address of a server (or of one of its browser pages), or of any other WebDAV folder: only asking tells
 * - `space`        the page of a project space of Infinite Scale or OpenCloud, which knows it by its `alias`
 * - `dav`          a WebDAV address of an ownCloud or Nextcloud; `base` is the server's address
 * - `public-link`  a link that somebody shared; `token` is its last part
 */
export type OwncloudAddress =
  | { readonly kind: 'server'; readonly base: URL; readonly folder: string }
  | { readonly kind: 'space'; readonly base: URL; readonly alias: string; readonly folder: string }
  | { readonly kind: 'dav'; readonly base: URL; readonly root: URL }
  | { readonly kind: 'public-link'; readonly base: URL; readonly token: string; readonly folder: string };

/** Ends of browser addresses that people copy: the server's own address is what comes before. */
const BROWSER_PAGE =
  /^(?<base>.*?)\/(?<page>index\.php(?:\/.*)?|apps\/[a-z_]+(?:\/.*)?|login(?:\/.*)?|f\/\d+|files\/(?:spaces|shares)(?:\/.*)?|status\.php|remote\.php(?:\/dav(?:\/files)?)?)$/;

/** A page that shows a folder of Infinite Scale or OpenCloud: the kind of its space, the space, and the way in it. */
const SPACE_PAGE = /^files\/spaces\/(?<kind>[^/]+)\/(?<name>[^/]+)(?:\/(?<folder>.*))?$/;

/** A page that tells a file or folder by its number only, or that shows folders of others. */
const UNCLEAR_PAGE = /^(?:index\.php\/)?f\/\d+$|^files\/shares\//;

/**
 * A shared link: `/s/<token>` (ownCloud, Nextcloud and Infinite Scale), also behind `/index.php`, the page it leads to, and
 * the two WebDAV addresses that stand for the same link (see public-link.ts). A folder may follow.
 */
const PUBLIC_LINK =
  /^(?<base>.*?)(?:\/index\.php)?(?:\/s|\/files\/link\/public|\/remote\.php\/dav\/public-files|\/public\.php\/dav\/files)\/(?<token>[A-Za-z0-9_-]+)(?:\/(?:download|authenticate.*|(?<folder>.*)))?$/;

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
    const folder = folderIn(link['folder'] ?? '') || shownFolder(url, ['path', 'dir']);
    return { kind: 'public-link', base: folderUrl(url, link['base'] ?? ''), token: link['token'], folder };
  }
  const dav = DAV.exec(path)?.groups;
  if (dav) {
    refuseQuery(url);
    return { kind: 'dav', base: folderUrl(url, dav['base'] ?? ''), root: folderUrl(url, path) };
  }
  const page = BROWSER_PAGE.exec(path)?.groups;
  if (page) return addressOfPage(url, folderUrl(url, page['base'] ?? ''), page['page'] ?? '');
  refuseQuery(url);
  return { kind: 'server', base: folderUrl(url, path), folder: '' };
}

/** A person who copies the address of a page means the folder that it shows. */
function addressOfPage(url: URL, base: URL, page: string): OwncloudAddress {
  const { kind, name = '', folder = '' } = SPACE_PAGE.exec(page)?.groups ?? {};
  if (kind === 'project') {
    return { kind: 'space', base, alias: decodedPath(`project/${name}`), folder: folderIn(folder) };
  }
  const shown = kind === 'personal' ? folderIn(folder) : shownFolder(url, ['dir']);
  const isUnclear = UNCLEAR_PAGE.test(page) || (kind !== undefined && kind !== 'personal');
  const hasNumberOnly = /\bapps\/files\b/.test(page) && shown === '' && !url.searchParams.has('dir');
  if (!isUnclear && !(hasNumberOnly && (url.searchParams.has('fileid') || /\/files\/\d+$/.test(page)))) {
    return { kind: 'server', base, folder: shown };
  }
  throw new DiatomError(
    'INPUT',
    `owncloud-url is the page “/${page}” of ${base.host}, which does not tell by its address which folder it shows. Write ${base.href} there, and the folder into the input for the folder.`,
  );
}

/** The folder that a page names after `?`. */
function shownFolder(url: URL, names: readonly string[]): string {
  const found = names.map((name) => url.searchParams.get(name)).find((text) => text !== null);
  return folderParts(found ?? '').join('/');
}

function folderIn(encoded: string): string {
  return folderParts(decodedPath(encoded)).join('/');
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
