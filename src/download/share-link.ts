import { DiatomError } from '../errors.ts';
import type { ServiceName, ShareService } from './share-service.ts';
import { SHARE_SERVICES } from './share-services.ts';

/** The service an address belongs to. */
export function shareServiceOf(url: URL): ShareService | undefined {
  return SHARE_SERVICES.find(({ owns }) => owns(url));
}

export function shareServiceNamed(name: ServiceName): ShareService | undefined {
  return SHARE_SERVICES.find((service) => service.name === name);
}

/** What the owner of a file has to do so that its link downloads it. */
export function shareAdvice(service: ShareService | undefined): string {
  return (
    service?.advice ??
    'Open the link in a private browser window: if no download starts there, ask the owner for a link that works without a sign-in, and put it into file_url.'
  );
}

/**
 * A `file_url` as the address to ask. People copy addresses with characters that stand for themselves in a name: a space,
 * a `%` that encodes nothing, and a `#`, behind which nothing of a download's address would be sent.
 *
 * @throws DiatomError `DOWNLOAD` when it is no web address; see also `directDownloadUrl`.
 */
export function downloadAddressOf(fileUrl: string): URL {
  const encoded = fileUrl
    .trim()
    .replace(/%(?![0-9A-Fa-f]{2})/g, '%25')
    .replace(/#(?=[^#]*\.zip\b)/gi, '%23');
  // A failed `new URL` would carry the address, which is a secret, in its error.
  const url = URL.parse(encoded);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new DiatomError('DOWNLOAD', 'Its file_url is not a web address, which begins with https:// (or http://).');
  }
  return directDownloadUrl(url);
}

/**
 * The address that downloads what a share link shows. An address that is no known share link comes back unchanged.
 *
 * @throws DiatomError `DOWNLOAD` for links that can't work: a personal OneDrive, a folder of SharePoint or Google Drive.
 */
export function directDownloadUrl(url: URL): URL {
  return shareServiceOf(url)?.direct(url) ?? url;
}

/** Where Nextcloud sends whoever asks for a share: the token is all that is left of the question (since version 31). */
const NEXTCLOUD_WHOLE_SHARE = /\/public\.php\/dav\/files\/[\w-]+\/?$/;

/**
 * Where a redirect leads, once the rules for share links are applied to it: a short link leads to one, and Nextcloud
 * forgets on the way which folder of the share was asked for, and would send all of it.
 *
 * @param from the address that redirects
 * @throws DiatomError `DOWNLOAD` for links that can't work
 */
export function redirectedShare(from: URL, target: URL): URL {
  const service = shareServiceOf(from);
  if (service === undefined) return directDownloadUrl(target);
  if (service.name !== 'owncloud' || !NEXTCLOUD_WHOLE_SHARE.test(target.pathname)) return target;
  const [folder, files] = [from.searchParams.get('path') ?? '', from.searchParams.get('files')];
  const names = filesOf(files);
  const [only] = names;
  const parts = [...folder.split('/'), ...(names.length === 1 && only !== undefined ? [only] : [])];
  const kept = new URL(target);
  kept.pathname = [
    target.pathname.replace(/\/$/, ''),
    ...parts.filter((part) => part !== '').map(encodeURIComponent),
  ].join('/');
  if (names.length > 1) kept.searchParams.set('files', JSON.stringify(names));
  return kept;
}

/** Nextcloud's `files`: one name, or several as JSON. */
function filesOf(files: string | null): string[] {
  if (files === null || files === '') return [];
  try {
    const names: unknown = JSON.parse(files);
    if (Array.isArray(names)) return names.map(String);
  } catch {
    // One name as it is.
  }
  return [files];
}
