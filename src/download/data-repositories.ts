import { type RepositoryName, type ShareService, withPath, withQuery } from './share-service.ts';

const PUBLIC_RECORD =
  'a page about a data set: the address is that of the page and not of a file in it, or the file is restricted';

/** Repositories of data and code, and stores that hold them. The first that owns an address counts. */
export const DATA_REPOSITORIES: readonly (ShareService & { readonly name: RepositoryName })[] = [
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
      // The page of an item names the file that it shows.
      const shown = url.pathname.startsWith('/articles/')
        ? /^\d+$/.exec(url.searchParams.get('file') ?? '')?.[0]
        : undefined;
      const number = isDownload ? file : shown;
      if (number === undefined) return url;
      const direct = new URL(`https://api.figshare.com/v2/file/download/${number}`);
      direct.search = url.search;
      direct.searchParams.delete('file');
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
    name: 'osf',
    owns: ({ hostname }) => /(^|\.)osf\.io$/.test(hostname),
    // osf.io/download/<id of a file>; files without one have the address of WaterButler, OSF's server of files.
    direct(url) {
      if (url.hostname !== 'osf.io') return url;
      const [, node, file] = /^\/(\w{5})\/files\/osfstorage\/([0-9a-f]{24})\/?$/.exec(url.pathname) ?? [];
      if (file !== undefined) {
        const direct = new URL(`https://files.osf.io/v1/resources/${node}/providers/osfstorage/${file}`);
        direct.search = url.search;
        return direct;
      }
      const id = /^\/(\w{5})\/?$/.exec(url.pathname)?.[1];
      return id === undefined ? url : withPath(url, `/download/${id}/`);
    },
    page: PUBLIC_RECORD,
    advice:
      'On OSF open the zip itself (not the project), which has to be public or have a view-only link, and put https://osf.io/download/<the five letters of its address>/ into file_url.',
  },
  {
    name: 'dryad',
    owns: ({ hostname }) => /(^|\.)datadryad\.org$/.test(hostname),
    direct: (url) => url,
    page: PUBLIC_RECORD,
    advice:
      'Dryad gives its files to browsers, and to programs only with an account. Download the zip there once, put it into your ownCloud, Nextcloud or Zenodo, and put that link into file_url.',
  },
  {
    name: 'kaggle',
    owns: ({ hostname }) => /(^|\.)kaggle\.com$/.test(hostname),
    // The address that Kaggle shows under Download, “cURL”.
    direct(url) {
      const [, owner, name] = /^\/datasets\/([\w-]+)\/([\w-]+)(?:\/|$)/.exec(url.pathname) ?? [];
      return name === undefined ? url : withPath(url, `/api/v1/datasets/download/${owner}/${name}`);
    },
    page: 'a page of Kaggle: the data set is private, belongs to a competition, or its licence has to be accepted',
    advice:
      'On Kaggle copy the address that Download shows under “cURL” (https://www.kaggle.com/api/v1/datasets/download/<owner>/<name>), of a public data set, and put it into file_url.',
  },
  {
    name: 'hugging-face',
    owns: ({ hostname }) => /^(huggingface\.co|hf\.co)$/.test(hostname),
    // `resolve` sends what `blob` shows (Hub documentation, “Downloading datasets”).
    direct(url) {
      const isPage = /^\/(?:datasets\/|spaces\/)?[^/]+\/[^/]+\/blob\//.test(url.pathname);
      return isPage ? withPath(url, url.pathname.replace('/blob/', '/resolve/')) : url;
    },
    page: 'a page of Hugging Face: the repository is private or gated, or the address is that of a page and not of a file',
    advice:
      'On Hugging Face open “Files and versions”, copy the address of the download button beside the zip (…/resolve/main/….zip), of a public repository, and put it into file_url.',
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
    name: 'gitlab',
    // Anybody may run one; no other server has `/-/` there.
    owns: ({ pathname }) => /\/-\/(blob|raw|tree|archive|jobs|releases|package_files)(\/|$)/.test(pathname),
    direct: (url) => withPath(url, url.pathname.replace('/-/blob/', '/-/raw/')),
    page: 'a page of GitLab: the project is private, or the address is that of a page and not of a file',
    advice:
      'In GitLab open the zip, copy the address of its Download button (…/-/raw/…), of a public project, and put it into file_url.',
  },
  {
    name: 's3',
    owns: ({ hostname }) => /(^|\.)s3([.-][\w-]+)*\.amazonaws\.com$|(^|\.)console\.aws\.amazon\.com$/.test(hostname),
    direct: (url) => url,
    page: 'a page of Amazon S3',
    advice:
      'Make the object public, or make a presigned address that is valid long enough (aws s3 presign --expires-in), and put it into file_url. Addresses signed with temporary credentials end with these.',
  },
  {
    name: 'google-storage',
    owns: ({ hostname }) => /^(storage\.cloud|console\.cloud|storage)\.google(apis)?\.com$/.test(hostname),
    // storage.cloud.google.com wants a sign-in also for what is public (Cloud Storage, “Request endpoints”).
    direct(url) {
      if (url.hostname !== 'storage.cloud.google.com') return url;
      const direct = new URL(url);
      direct.hostname = 'storage.googleapis.com';
      return direct;
    },
    page: 'a page of Google Cloud',
    advice:
      'In Google Cloud Storage make the object public, or a signed address that is valid long enough, and put https://storage.googleapis.com/<bucket>/<name> into file_url.',
  },
];
