import { DiatomError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';

/**
 * Where the file of a public link with a password is: its page asks people, and knows no Basic authentication. The servers
 * have it by WebDAV too, under a name that has to be asked for: `/remote.php/dav/public-files/<token>/<name>` (ownCloud
 * 10.3 and later, Infinite Scale, OpenCloud), or `/public.php/dav/files/<token>/` (Nextcloud 29 and later).
 *
 * @param url may be any address; one that is no such link with a password comes back as it is
 * @throws DiatomError `DOWNLOAD` for a wrong password, and a folder with more than one zip; NetworkError; `CANCELLED`
 */
export async function locateLockedLink(
  url: URL,
  authorization: string | undefined,
  { http, signal }: { readonly http: HttpClient; readonly signal?: AbortSignal | undefined },
): Promise<URL> {
  const [, above = '', token] = /^(.*?\/)(?:index\.php\/)?s\/([\w-]+)\/download$/.exec(url.pathname) ?? [];
  if (token === undefined || url.password === '' || authorization === undefined) return url;
  const folder = (url.searchParams.get('path') ?? '').split('/').filter((part) => part !== '');
  const below = [token, ...folder.map(encodeURIComponent)].join('/');
  const top = at(url, `${above}remote.php/dav/public-files/${below}/`);
  const response = await http.send({
    method: 'PROPFIND',
    url: top,
    headers: { authorization, depth: '1', 'x-requested-with': 'XMLHttpRequest' },
    signal,
  });
  const text = await response.body.text();
  if (response.status === 207) return fileIn(text, top);
  if (response.status === 401) {
    throw new DiatomError(
      'DOWNLOAD',
      `The server ${url.host} does not take the password of the public link (status 401): check the entry’s password, and open the link in a private browser window with it.`,
    );
  }
  return at(url, `${above}public.php/dav/files/${below}`);
}

/** Another path of the same server, with the same sign-in. */
function at(url: URL, path: string): URL {
  const other = new URL(url);
  [other.pathname, other.search] = [path, ''];
  return other;
}

/** The one file of a listing, or the one zip among several. */
function fileIn(listing: string, top: URL): URL {
  const files = listing.split(/<(?:[\w-]+:)?response[\s>]/).flatMap((part) => {
    const href = /<(?:[\w-]+:)?href[^>]*>([^<]*)</.exec(part)?.[1]?.trim();
    if (href === undefined || /<(?:[\w-]+:)?collection[\s/>]/.test(part)) return [];
    const file = URL.parse(href.replaceAll('&amp;', '&'), top.href);
    return file && file.origin === top.origin ? [at(top, file.pathname)] : [];
  });
  const zips = files.filter(({ pathname }) => /\.zip$/i.test(pathname));
  const [only, ...others] = files.length === 1 ? files : zips;
  if (only !== undefined && others.length === 0) return only;
  throw new DiatomError(
    'DOWNLOAD',
    `The public link at ${top.host} shows ${files.length === 0 ? 'no file' : `${files.length} files, ${zips.length === 0 ? 'no zip' : `${zips.length} zips`} among them`}, expected one zip: share the zip itself, or name it (https://${top.host}/remote.php/dav/public-files/<token of the link>/<name of the zip>).`,
  );
}
