import { DiatomError } from '../errors.ts';

/** A service whose links are known here: they lead to a page about the file, not to the file. */
export interface ShareService {
  readonly name: ServiceName;
  /** Whether an address is one of its links, told from its host or, for servers that anybody runs, from its path. */
  readonly owns: (url: URL) => boolean;
  /**
   * The address that downloads what the link shows; an address that is not one of its share links comes back unchanged.
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
  | 'browser-only'
  | RepositoryName;

/** Where data and code are published. */
export type RepositoryName =
  | 'zenodo'
  | 'figshare'
  | 'dataverse'
  | 'osf'
  | 'dryad'
  | 'kaggle'
  | 'hugging-face'
  | 'github'
  | 'gitlab'
  | 's3'
  | 'google-storage';

export function withQuery(url: URL, parameters: Readonly<Record<string, string>>): URL {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value);
  return changed;
}

export function withPath(url: URL, path: string): URL {
  const changed = new URL(url);
  changed.pathname = path;
  return changed;
}

export function sharedFolder(url: URL, service: string, advice: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `The link to ${url.host} is one to a folder of ${service}, and a folder can’t be downloaded: share the zip itself. ${advice}`,
  );
}
