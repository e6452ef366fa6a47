import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import { systemCodeOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { openRemote, readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { folderParts } from '../owncloud/remote-path.ts';

/** Where data sets lie that were made before. */
export interface PreviousPlace {
  /** For people, such as “at cloud.example.org”. */
  readonly where: string;
  /** The one form of a path there. */
  pathOf(text: string): string;
  /** A whole text; `undefined` when it is not there. */
  readText(path: string): Promise<string | undefined>;
  /** The images of an archive, by its directory alone; `undefined` when it is not there. */
  readEntries(path: string): Promise<readonly ZipEntry[] | undefined>;
}

export function remotePlace(remote: Remote, options: RemoteOptions): PreviousPlace {
  return {
    where: `at ${remote.rootUrl.host}`,
    pathOf: (text) => `/${folderParts(text).join('/')}`,
    readText: (path) => readText(remote, path, options),
    async readEntries(path) {
      const content = await openRemote(remote, path, options);
      return content && (await readZipEntries(content, { name: path, accept: isInDataset }));
    },
  };
}

/** A path is taken from `folder`. */
export function localPlace(folder: string): PreviousPlace {
  const unlessMissing = (path: string) => (error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw diskFailure('read', path, error);
  };
  return {
    where: `in the workspace ${folder}`,
    pathOf: (text) => resolve(folder, text),
    readText: (path) => readFile(path, 'utf8').catch(unlessMissing(path)),
    async readEntries(path) {
      const zip = await openZip(path, { name: path, accept: isInDataset }).catch(unlessMissing(path));
      await zip?.close();
      return zip?.entries;
    },
  };
}

/** What else an archive holds, such as zips of anybody, does not matter here. */
function isInDataset(path: string): boolean {
  return /^(?:results\/)?(?:train|test)\//.test(path);
}
