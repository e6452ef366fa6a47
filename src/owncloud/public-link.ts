import type { RemoteFile } from './look-up.ts';
import type { Product } from './server-status.ts';

/**
 * What may be done in the remote's folders.
 *
 * - `full`         files can be added, renamed and deleted
 * - `add-only`     a public link for viewing and adding: nothing can be renamed or deleted
 * - `upload-only`  a public link for adding only (a "file drop"): nothing can be listed or read back
 */
export type Access = 'full' | 'add-only' | 'upload-only';

/** A WebDAV address that may stand for a public link, and the user name that goes with the link's password there. */
export interface LinkEndpoint {
  readonly root: URL;
  readonly username: string;
  /** Whether the user name is sent even without a password: it tells the server which link is meant. */
  readonly alwaysSignIn: boolean;
}

/**
 * Where a server offers a public link by WebDAV, newest way first.
 *
 * - ownCloud ≥ 10.3 and Infinite Scale: `/remote.php/dav/public-files/<token>/`, user `public` (owncloud/core
 *   apps/dav/lib/Files/PublicFiles, owncloud/docs pull 1879, owncloud/ocis issue 11346)
 * - Nextcloud ≥ 29: `/public.php/dav/files/<token>/`, user `anonymous` (Nextcloud developer manual, client APIs, WebDAV,
 *   "Public shares"; apps/dav/lib/Connector/Sabre/PublicAuth.php looks at the password only)
 * - older ones: `/public.php/webdav/`, the token as user name (owncloud/core pull 8353)
 */
export function linkEndpoints(product: Product, base: URL, token: string): LinkEndpoint[] {
  const current =
    product === 'nextcloud'
      ? { root: new URL(`public.php/dav/files/${token}/`, base), username: 'anonymous', alwaysSignIn: false }
      : { root: new URL(`remote.php/dav/public-files/${token}/`, base), username: 'public', alwaysSignIn: false };
  const older = { root: new URL('public.php/webdav/', base), username: token, alwaysSignIn: true };
  return product === 'infinite-scale' ? [current] : [current, older];
}

/**
 * What a link allows, from what its top folder says about itself. ownCloud and Infinite Scale give the sum of permissions
 * (owncloud/core PublicFilesPlugin.php; cs3org/reva ocdav propfind), Nextcloud the letters.
 *
 * @returns `undefined` when nothing may be uploaded
 */
export function linkAccess({ linkPermissions, permissions }: RemoteFile): Access | undefined {
  if (linkPermissions !== undefined) {
    if ((linkPermissions & 4) === 0) return undefined;
    if ((linkPermissions & 1) === 0) return 'upload-only';
    return (linkPermissions & 10) === 10 ? 'full' : 'add-only';
  }
  if (permissions === undefined) return 'full';
  if (!permissions.includes('C')) return undefined;
  return permissions.includes('D') && permissions.includes('N') ? 'full' : 'add-only';
}
