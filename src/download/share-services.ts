import { DiatomError } from '../errors.ts';
import { DATA_REPOSITORIES } from './data-repositories.ts';
import { type ShareService, sharedFolder, withPath, withQuery } from './share-service.ts';

/** The first that owns an address counts. */
export const SHARE_SERVICES: readonly ShareService[] = [
  {
    name: 'browser-only',
    owns: ({ hostname }) => BROWSER_ONLY.test(hostname),
    direct(url) {
      throw new DiatomError('DOWNLOAD', `The link to ${url.host} can’t be used. ${this.advice}`);
    },
    page: 'a page of a service that gives files to browsers only',
    advice:
      'This service gives its files only to browsers, where somebody presses a button, and often for a few days only. Put the zip into ownCloud, Nextcloud, SharePoint, Dropbox, Google Drive or Zenodo, and put that link into file_url.',
  },
  {
    name: 'onedrive-personal',
    owns: ({ hostname }) => /(^|\.)(1drv\.(ms|com)|onedrive\.live\.com|login\.live\.com)$/.test(hostname),
    direct(url) {
      throw new DiatomError('DOWNLOAD', `The link to ${url.host} can’t be used. ${this.advice}`);
    },
    page: 'the sign-in page of a personal OneDrive',
    advice:
      'Links of a personal OneDrive (1drv.ms, onedrive.live.com) need a sign-in by now. Share the zip from ownCloud, Nextcloud, SharePoint, OneDrive for work or school, Dropbox or Google Drive instead.',
  },
  {
    name: 'microsoft',
    owns: ({ hostname }) => /\.sharepoint\.(com|us|cn|de)$|^login\.microsoftonline\./.test(hostname),
    // `/:u:/…` links answer with the file when asked with `download=1`. The letter is the kind of what is shared: f a
    // folder, u a file without a viewer, x a workbook, and so on.
    direct(url) {
      const kind = /^\/:([a-z]):\//.exec(url.pathname)?.[1];
      if (kind === undefined && /\/(AllItems|onedrive)\.aspx$/i.test(url.pathname)) {
        throw new DiatomError(
          'DOWNLOAD',
          `The address on ${url.host} is that of a page which shows a folder to those who are signed in. ${this.advice}`,
        );
      }
      if (kind === undefined) return url;
      if (kind === 'f') throw sharedFolder(url, 'SharePoint or OneDrive', this.advice);
      return withQuery(url, { download: '1' });
    },
    page: 'the sign-in or error page of SharePoint or OneDrive: the link has expired, or is not open to everybody',
    advice:
      'In SharePoint or OneDrive choose Share, then in the link settings “Anyone with the link” (not “People in …”), set an expiry date that is late enough, allow downloads, and put the new link into file_url.',
  },
  {
    name: 'dropbox',
    owns: ({ hostname }) => /(^|\.)dropbox\.com$/.test(hostname),
    // `dl=1`; the `rlkey` of newer links grants the access and must stay (Dropbox' forum on `/scl/` links).
    direct(url) {
      if (!/^\/(s|sh|scl)\//.test(url.pathname)) return url;
      const direct = withQuery(url, { dl: '1' });
      direct.searchParams.delete('raw');
      return direct;
    },
    page: 'a page of Dropbox: the link has expired, was withdrawn, or is not open to everybody',
    advice:
      'In Dropbox share the zip with “Anyone with the link”, downloads allowed, and put the whole link (with its rlkey) into file_url.',
  },
  {
    name: 'google',
    owns: ({ hostname }) => /^(drive|docs|accounts|drive\.usercontent)\.google\.com$/.test(hostname),
    // `drive.usercontent.google.com/download`; `confirm=t` skips the page that warns of files too big for the virus scan;
    // older files need their `resourcekey` (Drive API guide, “resource keys”).
    direct(url) {
      // Those of an organisation have its name before the rest.
      const path = url.pathname.replace(/^\/a\/[^/]+/, '');
      if (/\/folders\/|^\/folderview$/.test(path)) throw sharedFolder(url, 'Google Drive', this.advice);
      const inPath = /^\/file\/(?:u\/\d+\/)?d\/([\w-]+)/.exec(path)?.[1];
      const inQuery = /^(\/u\/\d+)?\/(open|uc|download)$/.test(path) ? url.searchParams.get('id') : null;
      const id = inPath ?? inQuery;
      if (!id) return url;
      const resourceKey = url.searchParams.get('resourcekey');
      const known = url.hostname === 'drive.usercontent.google.com';
      const direct = known ? url : new URL('https://drive.usercontent.google.com/download');
      return withQuery(direct, {
        id,
        export: 'download',
        confirm: 't',
        ...(resourceKey && { resourcekey: resourceKey }),
      });
    },
    page: 'a page of Google Drive: the file is not open to everybody, was deleted, or is no zip but a Google document',
    advice:
      'In Google Drive choose Share, then under “General access” “Anyone with the link”, and put the new link into file_url.',
  },
  {
    name: 'box',
    owns: ({ hostname }) => /(^|\.)box\.com$/.test(hostname),
    // The file itself has `/shared/static/<name>.<ending>` (Box support, “Direct links”).
    direct(url) {
      const [, name, kind] = /^\/s\/(\w+)(?:\/(file|folder)\/\d+)?\/?$/.exec(url.pathname) ?? [];
      if (kind === 'folder') throw sharedFolder(url, 'Box', this.advice);
      return name === undefined ? url : withPath(url, `/shared/static/${name}.zip`);
    },
    page: 'a page of Box: the link is not open to everybody, or its owner’s plan has no direct links',
    advice:
      'In Box share the zip with “People with the link”, downloads allowed, then under Link settings copy the “Direct Link” (/shared/static/….zip), and put it into file_url.',
  },
  ...DATA_REPOSITORIES,
  {
    name: 'owncloud',
    owns: ({ pathname }) => OWNCLOUD_PUBLIC_LINK.test(pathname) || OWNCLOUD_INTERNAL_LINK.test(pathname),
    // ownCloud's and Nextcloud's route `downloadShare`: `/s/<token>/download`, also below a sub-path and `index.php`; a
    // query (`path`, `files`) picks a folder or file of a shared folder. Pages call the folder `dir` too.
    direct(url) {
      if (OWNCLOUD_INTERNAL_LINK.test(url.pathname)) {
        throw new DiatomError(
          'DOWNLOAD',
          `The address on ${url.host} is an internal link, for those who are signed in to that server. ${this.advice}`,
        );
      }
      const direct = withPath(url, url.pathname.replace(/(\/download)?\/?$/, '/download'));
      const folder = direct.searchParams.get('dir');
      if (folder !== null && !direct.searchParams.has('path')) {
        direct.searchParams.delete('dir');
        if (folder !== '/') direct.searchParams.set('path', folder);
      }
      return direct;
    },
    page: 'a page of ownCloud or Nextcloud: the link has expired, wants a password or a sign-in, or shows the file instead of downloading it',
    advice:
      'In ownCloud or Nextcloud create a public link to the zip itself, with “download” allowed and an expiry date that is late enough, and put it into file_url. A link with a password, as all are on ownCloud Infinite Scale and OpenCloud, needs it in the entry’s password.',
  },
  {
    name: 'seafile',
    // Seafile's share pages: /f/<token>/ is a file, /d/<token>/files/?p=… one in a shared folder, /d/<token>/ a folder.
    owns: ({ pathname }) => /\/f\/[0-9a-f]{10,32}\/?$|\/d\/[0-9a-f]{10,32}(\/(files\/?)?)?$/.test(pathname),
    direct(url) {
      if (/\/d\/[0-9a-f]+\/?$/.test(url.pathname)) throw sharedFolder(url, 'Seafile', this.advice);
      return withQuery(url, { dl: '1' });
    },
    page: 'a page of Seafile: the link has expired, or wants a password',
    advice:
      'In Seafile share the zip itself with a link without a password, and put that link into file_url (https://<server>/f/<token>/?dl=1).',
  },
];

/** WeTransfer, MEGA, MediaFire, SwissTransfer, Smash, iCloud, Proton, Yandex and Baidu: their pages fetch, or decrypt, the file. */
const BROWSER_ONLY =
  /^(www\.)?(wetransfer\.com|we\.tl|mega\.nz|mega\.io|mediafire\.com|swisstransfer\.com|fromsmash\.com|icloud\.com|drive\.proton\.me|disk\.yandex\.(com|ru)|yadi\.sk|pan\.baidu\.com)$/;

/** What the address bar, or “Internal link”, shows to who is signed in: `/apps/files/…`, `/f/<number of a file>`. */
const OWNCLOUD_INTERNAL_LINK = /\/apps\/files(\/|$)|^(\/[\w-]+)*(\/index\.php)?\/f\/\d{1,9}$/;

/** Tokens are letters and digits, custom ones (Nextcloud) also `-` and `_`; a dot would be a file in a folder “s”. */
const OWNCLOUD_PUBLIC_LINK = /\/s\/[\w-]+(\/download)?\/?$/;
