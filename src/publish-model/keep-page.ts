import { DiatomError } from '../errors.ts';
import { PAGE_FILE, PRODUCTION, sortOut, VERSION_FILE } from '../model/model-folder.ts';
import { temporaryPath } from '../owncloud/confirmed-writes.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { asWarning } from './as-warning.ts';
import type { LockedFolder } from './locked-folder.ts';
import { readVersions } from './version-facts.ts';
import type { InProduction } from './version-history.ts';
import { PAGE_MARK, versionsHtml } from './versions-page.ts';

/** Ten years of months. Of more versions, the page has the names only. */
const MAX_VERSIONS = 120;

/**
 * Writes the page of all versions again from what the versions say about themselves. Whatever goes wrong here is a warning:
 * the page is for people, and the next run makes it again.
 */
export async function keepPage(modelName: string, place: LockedFolder): Promise<void> {
  const { remote, folder } = place;
  const failed = `The page of all versions, “${folder}/${PAGE_FILE}”, was not brought up to date`;
  await asWarning(place, failed, async (options) => {
    const path = remotePath(folder, PAGE_FILE);
    const entries = (await listFolder(remote, folder, options)) ?? [];
    const before = entries.some(({ name }) => name === PAGE_FILE) ? await readText(remote, path, options) : undefined;
    if (before !== undefined && !before.includes(PAGE_MARK)) {
      throw new DiatomError(
        'OWNCLOUD',
        'the file of that name was made by somebody else. Rename it, and the next run makes the page.',
      );
    }
    const { versions, hasProduction } = sortOut(entries);
    // Names that begin with their time sort by it.
    const [read, production] = await Promise.all([
      readVersions(remote, folder, versions.slice(-MAX_VERSIONS), options),
      hasProduction ? inProduction(place, options) : undefined,
    ]);
    const text = versionsHtml({ modelName, versions: read, production, unread: versions.slice(0, -MAX_VERSIONS) });
    if (text !== before) await replaceText(remote, { path, temporary: temporaryPath(path), text }, options);
  });
}

async function inProduction(
  { remote, folder }: Pick<LockedFolder, 'remote' | 'folder'>,
  options: RemoteOptions,
): Promise<InProduction> {
  const path = remotePath(`${folder}/${PRODUCTION}`, VERSION_FILE);
  const [version, found] = await Promise.all([
    readText(remote, path, options),
    retrying(options, () => lookUpIfThere(remote.client, path, options.signal)),
  ]);
  return { version: version?.trim() || undefined, since: found?.modified };
}
