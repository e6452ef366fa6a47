import { DiatomError } from '../errors.ts';

/**
 * The parts of a folder below the remote's root: `/a/b/`, `a/b` and `a//b` mean the same, an empty text is the root.
 *
 * @throws DiatomError `INPUT` when a part can't be a folder's name on an ownCloud server
 */
export function folderParts(folder: string): string[] {
  const parts = folder.split('/').filter((part) => part !== '');
  for (const part of parts) {
    const fault = faultOf(part);
    if (fault) {
      throw new DiatomError(
        'INPUT',
        `owncloud-folder is ${JSON.stringify(folder)}: the part ${JSON.stringify(part)} ${fault}. Expected folder names separated by “/”.`,
      );
    }
  }
  return parts;
}

/** A folder and a name as one path from the remote's root, beginning with `/`. */
export function remotePath(folder: string, name: string): string {
  return `/${[...folderParts(folder), name].join('/')}`;
}

/** A folder as a path that begins and ends with `/`: some servers redirect a folder's address without the last one. */
export function remoteFolder(folder: string): string {
  return folderParts(folder)
    .map((part) => `/${part}`)
    .concat('/')
    .join('');
}

/** The address of a path below `root`, each part percent-encoded. */
export function urlBelow(root: URL, path: string): URL {
  return new URL(
    path
      .split('/')
      .filter((part) => part !== '')
      .map(encodeURIComponent)
      .join('/'),
    root,
  );
}

/** The address of a folder below `root`; ends in `/`. */
export function folderUrl(root: URL, folder: string): URL {
  return folder === '' ? root : new URL(`${urlBelow(root, folder).href}/`);
}

/** The path of an address for people; one that is not valid percent-encoding stays as it is. */
export function decodedPath(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

function faultOf(part: string): string | undefined {
  if (part === '.' || part === '..') return 'leads elsewhere';
  // ownCloud refuses both slashes in names (doc.owncloud.com, user manual, "Invalid characters in file names").
  if (part.includes('\\')) return 'has a backslash';
  if (/\p{Cc}/u.test(part)) return 'has a control character';
  if (!part.isWellFormed()) return 'is not valid Unicode';
  return undefined;
}
