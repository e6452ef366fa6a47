import { DiatomError } from '../errors.ts';

/** A service whose share links are known here: they lead to a page about the file, not to the file. */
export type ShareService = 'microsoft' | 'onedrive-personal' | 'owncloud' | 'dropbox' | 'google';

/** The service an address belongs to, told from its host, or for ownCloud from the form of its public links. */
export function shareServiceOf(url: URL): ShareService | undefined {
  const { hostname } = url;
  if (/(^|\.)(1drv\.(ms|com)|onedrive\.live\.com|login\.live\.com)$/.test(hostname)) return 'onedrive-personal';
  if (/\.sharepoint\.(com|us|cn|de)$|^login\.microsoftonline\./.test(hostname)) return 'microsoft';
  if (/(^|\.)dropbox\.com$/.test(hostname)) return 'dropbox';
  if (/^(drive|docs|accounts|drive\.usercontent)\.google\.com$/.test(hostname)) return 'google';
  if (OWNCLOUD_PUBLIC_LINK.test(url.pathname)) return 'owncloud';
  return undefined;
}

/** What the owner of a file has to do so that its link downloads it, with the words of the service's own menus. */
export function shareAdvice(service: ShareService | undefined): string {
  switch (service) {
    case 'microsoft':
      return 'In SharePoint or OneDrive choose Share, then in the link settings “Anyone with the link” (not “People in …”), set an expiry date that is late enough, allow downloads, and put the new link into file_url.';
    case 'onedrive-personal':
      return 'Links of a personal OneDrive (1drv.ms, onedrive.live.com) need a sign-in by now. Share the zip from ownCloud, Nextcloud, SharePoint, OneDrive for work or school, Dropbox or Google Drive instead.';
    case 'owncloud':
      return 'In ownCloud or Nextcloud create a public link to the zip itself, without a password, with “download” allowed and an expiry date that is late enough, and put it into file_url. On ownCloud Infinite Scale, whose public links lead to a page only, write https://<server>/remote.php/dav/public-files/<token of the link>/<name of the zip>.';
    case 'dropbox':
      return 'In Dropbox share the zip with “Anyone with the link”, downloads allowed, and put the whole link (with its rlkey) into file_url.';
    case 'google':
      return 'In Google Drive choose Share, then under “General access” “Anyone with the link”, and put the new link into file_url.';
    default:
      return 'Open the link in a private browser window: if no download starts there, ask the owner for a link that works without a sign-in, and put it into file_url.';
  }
}

/**
 * A `file_url` as the address to ask.
 *
 * @throws DiatomError `DOWNLOAD` when it is no web address; see also `directDownloadUrl`.
 */
export function downloadAddressOf(fileUrl: string): URL {
  // A failed `new URL` would carry the address, which is a secret, in its error.
  const url = URL.parse(fileUrl);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new DiatomError('DOWNLOAD', 'Its file_url is no web address, which begins with https:// (or http://).');
  }
  return directDownloadUrl(url);
}

/**
 * The address that downloads what a share link shows. An address that is no known share link comes back unchanged.
 *
 * - SharePoint, OneDrive for work or school: `/:u:/…` links answer with the file when asked with `download=1`.
 * - ownCloud 10, Nextcloud: `/s/<token>` + `/download` (route `files_sharing.sharecontroller.downloadShare` of
 *   ownCloud's core), also below a sub-path and `index.php`; a query (`path`, `files`) picks a file of a shared folder.
 * - Dropbox: `dl=1`; the `rlkey` of newer links grants the access and must stay (Dropbox' forum on `/scl/` links).
 * - Google Drive: `drive.usercontent.google.com/download`; `confirm=t` skips the page that warns of files too big for
 *   the virus scan; older files need their `resourcekey` (Drive API guide, "resource keys").
 *
 * @throws DiatomError `DOWNLOAD` for links that can't work: a personal OneDrive, a folder of SharePoint or Google Drive.
 */
export function directDownloadUrl(url: URL): URL {
  switch (shareServiceOf(url)) {
    case 'onedrive-personal':
      throw new DiatomError('DOWNLOAD', `The link to ${url.host} can’t be used. ${shareAdvice('onedrive-personal')}`);
    case 'microsoft':
      return directSharePointUrl(url);
    case 'owncloud':
      return directOwnCloudUrl(url);
    case 'dropbox':
      return directDropboxUrl(url);
    case 'google':
      return directGoogleUrl(url);
    default:
      return url;
  }
}

function directSharePointUrl(url: URL): URL {
  // The letter is the kind of what is shared: f a folder, u a file without a viewer, x a workbook, and so on.
  const kind = /^\/:([a-z]):\//.exec(url.pathname)?.[1];
  if (kind === undefined) return url;
  if (kind === 'f') throw sharedFolder(url, 'SharePoint or OneDrive', 'microsoft');
  return withQuery(url, { download: '1' });
}

/** Tokens are letters and digits, custom ones (Nextcloud) also `-` and `_`; a dot would be a file in a folder “s”. */
const OWNCLOUD_PUBLIC_LINK = /\/s\/[\w-]+(\/download)?\/?$/;

function directOwnCloudUrl(url: URL): URL {
  const direct = new URL(url);
  direct.pathname = url.pathname.replace(/(\/download)?\/?$/, '/download');
  return direct;
}

function directDropboxUrl(url: URL): URL {
  if (!/^\/(s|sh|scl)\//.test(url.pathname)) return url;
  const direct = withQuery(url, { dl: '1' });
  direct.searchParams.delete('raw');
  return direct;
}

function directGoogleUrl(url: URL): URL {
  if (/\/folders\//.test(url.pathname)) throw sharedFolder(url, 'Google Drive', 'google');
  const inPath = /^\/file\/(?:u\/\d+\/)?d\/([\w-]+)/.exec(url.pathname)?.[1];
  const inQuery = /^(\/u\/\d+)?\/(open|uc|download)$/.test(url.pathname) ? url.searchParams.get('id') : null;
  const id = inPath ?? inQuery;
  if (!id) return url;
  const resourceKey = url.searchParams.get('resourcekey');
  const known = url.hostname === 'drive.usercontent.google.com';
  const direct = known ? url : new URL('https://drive.usercontent.google.com/download');
  return withQuery(direct, { id, export: 'download', confirm: 't', ...(resourceKey && { resourcekey: resourceKey }) });
}

function withQuery(url: URL, parameters: Readonly<Record<string, string>>): URL {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value);
  return changed;
}

function sharedFolder(url: URL, service: string, kind: ShareService): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `The link to ${url.host} is one to a folder of ${service}, and a folder can’t be downloaded: share the zip itself. ${shareAdvice(kind)}`,
  );
}
