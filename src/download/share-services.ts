import { DiatomError } from '../errors.ts';

/** A service whose links are known here: they lead to a page about the file, not to the file. */
export interface ShareService {
  readonly name: ServiceName;
  /** Whether an address is one of its links, told from its host or, for servers that anybody runs, from its path. */
  readonly owns: (url: URL) => boolean;
  /**
   * The address that downloads what the link shows; an address that is none of its share links comes back unchanged.
   *
   * @throws DiatomError `DOWNLOAD` for links that can't work
   */
  readonly direct: (url: URL) => URL;
  /** What its page is, when one comes instead of the file: the rest of “… looks like”. */
  readonly page: string;
  /** What the owner of a file has to do so that its link downloads it, with the words of the service's own menus. */
  readonly advice: string;
}

export type ServiceName =
  | 'onedrive-personal'
  | 'microsoft'
  | 'owncloud'
  | 'dropbox'
  | 'google'
  | 'seafile'
  | 'box'
  | 'zenodo'
  | 'figshare'
  | 'dataverse'
  | 'github'
  | 's3';

const PUBLIC_RECORD =
  'a page about a data set: the address is that of the page and not of a file in it, or the file is restricted';

/** The first that owns an address counts. */
export const SHARE_SERVICES: readonly ShareService[] = [
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
      if (/\/folders\//.test(url.pathname)) throw sharedFolder(url, 'Google Drive', this.advice);
      const inPath = /^\/file\/(?:u\/\d+\/)?d\/([\w-]+)/.exec(url.pathname)?.[1];
      const inQuery = /^(\/u\/\d+)?\/(open|uc|download)$/.test(url.pathname) ? url.searchParams.get('id') : null;
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
      const name = /^\/s\/(\w+)\/?$/.exec(url.pathname)?.[1];
      return name === undefined ? url : withPath(url, `/shared/static/${name}.zip`);
    },
    page: 'a page of Box: the link is not open to everybody, or its owner’s plan has no direct links',
    advice:
      'In Box share the zip with “People with the link”, downloads allowed, then under Link settings copy the “Direct Link” (/shared/static/….zip), and put it into file_url.',
  },
  {
    name: 'zenodo',
    owns: ({ hostname }) => /(^|\.)zenodo\.org$/.test(hostname),
    // InvenioRDM's routes: /records/<id>/preview/<file> shows a file, /records/<id>/files/<file> sends it.
    direct(url) {
      const [, record, file] = /^\/records?\/(\d+)\/(?:preview|files)\/(.+)$/.exec(url.pathname) ?? [];
      return file === undefined ? url : withQuery(withPath(url, `/records/${record}/files/${file}`), { download: '1' });
    },
    page: PUBLIC_RECORD,
    advice:
      'On the page of the Zenodo record copy the address of the Download button beside the zip (https://zenodo.org/records/<number>/files/<name>.zip), and put it into file_url.',
  },
  {
    name: 'figshare',
    owns: ({ hostname }) => /(^|\.)figshare\.com$/.test(hostname),
    // Since 2026 ndownloader answers programs with a challenge; the API's address of the same file does not.
    direct(url) {
      const file = /^\/(?:ndownloader\/)?files\/(\d+)\/?$/.exec(url.pathname)?.[1];
      const isDownload = url.pathname.startsWith('/ndownloader/') || url.hostname.startsWith('ndownloader.');
      if (file === undefined || !isDownload) return url;
      const direct = new URL(`https://api.figshare.com/v2/file/download/${file}`);
      direct.search = url.search;
      return direct;
    },
    page: PUBLIC_RECORD,
    advice:
      'On the page of the Figshare item copy the address of the Download button beside the zip, and put https://api.figshare.com/v2/file/download/<number of the file> into file_url: the download addresses of the pages themselves are closed to programs.',
  },
  {
    name: 'dataverse',
    owns: ({ pathname, searchParams }) =>
      /\/(dataset|file)\.xhtml$/.test(pathname) && (searchParams.has('persistentId') || searchParams.has('fileId')),
    // Dataverse API guide, “Data Access API”.
    direct(url) {
      const [fileId, persistentId] = [url.searchParams.get('fileId'), url.searchParams.get('persistentId')];
      const root = url.pathname.replace(/\/(dataset|file)\.xhtml$/, '');
      const direct = (path: string, query: Readonly<Record<string, string>>) => {
        const changed = withPath(url, `${root}/api/access/${path}`);
        changed.search = '';
        return withQuery(changed, query);
      };
      if (url.pathname.endsWith('/dataset.xhtml')) {
        return persistentId === null ? url : direct('dataset/:persistentId/', { persistentId });
      }
      if (fileId !== null) return direct(`datafile/${fileId}`, {});
      return persistentId === null ? url : direct('datafile/:persistentId', { persistentId });
    },
    page: PUBLIC_RECORD,
    advice:
      'On the page of the Dataverse file choose Access File, copy the address of the download (…/api/access/datafile/<number>), and put it into file_url.',
  },
  {
    name: 'github',
    owns: ({ hostname }) => /^(github\.com|raw\.githubusercontent\.com)$/.test(hostname),
    // github.com/…/raw/… leads on to the file, also to one in Git LFS, of which raw.githubusercontent.com has the pointer
    // only.
    direct(url) {
      const parts = url.pathname.split('/').slice(1);
      const [owner, repository, ...rest] = parts;
      if (url.hostname === 'github.com') {
        return rest[0] === 'blob' ? withPath(url, `/${owner}/${repository}/raw/${rest.slice(1).join('/')}`) : url;
      }
      // A token in the query belongs to this host and path.
      if (url.search !== '' || rest.length < 2) return url;
      return new URL(`https://github.com/${owner}/${repository}/raw/${rest.join('/')}`);
    },
    page: 'a page of GitHub: the repository is private, or the address is that of a page and not of a file',
    advice:
      'On GitHub copy the address of the file under Releases (Assets), or of the button “Download raw file”, of a public repository, and put it into file_url.',
  },
  {
    name: 's3',
    owns: ({ hostname }) => /(^|\.)s3([.-][\w-]+)*\.amazonaws\.com$/.test(hostname),
    direct: (url) => url,
    page: 'a page of Amazon S3',
    advice:
      'Make the object public, or make a presigned address that is valid long enough (aws s3 presign --expires-in), and put it into file_url. Addresses signed with temporary credentials end with these.',
  },
  {
    name: 'owncloud',
    owns: ({ pathname }) => OWNCLOUD_PUBLIC_LINK.test(pathname),
    // ownCloud's and Nextcloud's route `downloadShare`: `/s/<token>/download`, also below a sub-path and `index.php`; a
    // query (`path`, `files`) picks a folder or file of a shared folder. Pages call the folder `dir` too.
    direct(url) {
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
      'In ownCloud or Nextcloud create a public link to the zip itself, without a password, with “download” allowed and an expiry date that is late enough, and put it into file_url. On ownCloud Infinite Scale, whose public links lead to a page only, write https://<server>/remote.php/dav/public-files/<token of the link>/<name of the zip>.',
  },
  {
    name: 'seafile',
    // Seafile's share pages: /f/<token>/ is a file, /d/<token>/files/?p=… one in a shared folder, /d/<token>/ a folder.
    owns: ({ pathname }) => /\/f\/[0-9a-f]{10,32}\/?$|\/d\/[0-9a-f]{10,32}\/(files\/?)?$/.test(pathname),
    direct(url) {
      if (/\/d\/[0-9a-f]+\/$/.test(url.pathname)) throw sharedFolder(url, 'Seafile', this.advice);
      return withQuery(url, { dl: '1' });
    },
    page: 'a page of Seafile: the link has expired, or wants a password',
    advice:
      'In Seafile share the zip itself with a link without a password, and put that link into file_url (https://<server>/f/<token>/?dl=1).',
  },
];

/** Tokens are letters and digits, custom ones (Nextcloud) also `-` and `_`; a dot would be a file in a folder “s”. */
const OWNCLOUD_PUBLIC_LINK = /\/s\/[\w-]+(\/download)?\/?$/;

function withQuery(url: URL, parameters: Readonly<Record<string, string>>): URL {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value);
  return changed;
}

function withPath(url: URL, path: string): URL {
  const changed = new URL(url);
  changed.pathname = path;
  return changed;
}

function sharedFolder(url: URL, service: string, advice: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `The link to ${url.host} is one to a folder of ${service}, and a folder can’t be downloaded: share the zip itself. ${advice}`,
  );
}
