import { DiatomError } from '../errors.ts';
import { PAGE_FILE, PRODUCTION, VERSION_FILE } from '../model/model-folder.ts';
import { temporaryPath } from '../owncloud/confirmed-writes.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { allEnded } from '../parallel/all-ended.ts';
import { asWarning } from './as-warning.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';
import { readVersions } from './version-facts.ts';
import type { InProduction } from './version-history.ts';
import type { VersionRecord } from './version-record.ts';
import { PAGE_MARK, versionsHtml } from './versions-page.ts';

/** Ten years of months. Of more versions, the page has the names only. */
const MAX_VERSIONS = 120;

/**
 * Writes the page of all versions again from what the versions say about themselves. Whatever goes wrong here is a warning:
 * the page is for people, and the next run makes it again.
 *
 * @param record the version's, where it is known without reading it
 * @param confirmed waited for before anything is written
 */
export async function keepPage(
  { modelName, version, promoted, removed }: Outcome,
  place: LockedFolder,
  record: VersionRecord | undefined,
  confirmed: Promise<void>,
): Promise<void> {
  const { remote, folder, content } = place;
  const failed = `The page of all versions, “${folder}/${PAGE_FILE}”, was not brought up to date`;
  await asWarning(place, failed, async (options) => {
    const path = remotePath(folder, PAGE_FILE);
    const versions = [...new Set([...content.versions, version])].filter((name) => !removed.includes(name)).sort();
    const known = new Map(record && [[version, record]]);
    // Names that begin with their time sort by it.
    const [before, read, production] = await allEnded([
      content.files.some(({ name }) => name === PAGE_FILE) ? readText(remote, path, options) : undefined,
      readVersions(remote, folder, { versions: versions.slice(-MAX_VERSIONS), known }, options),
      content.hasProduction || promoted ? inProduction(promoted ? version : undefined, place, options) : undefined,
      confirmed,
    ]);
    if (before !== undefined && !before.includes(PAGE_MARK)) {
      throw new DiatomError(
        'OWNCLOUD',
        'the file of that name was made by somebody else. Rename it, and the next run makes the page.',
      );
    }
    const text = versionsHtml({ modelName, versions: read, production, unread: versions.slice(0, -MAX_VERSIONS) });
    if (text !== before) await replaceText(remote, { path, temporary: temporaryPath(path), text }, options);
  });
}

async function inProduction(
  promoted: string | undefined,
  { remote, folder, production }: LockedFolder,
  options: RemoteOptions,
): Promise<InProduction> {
  const path = remotePath(`${folder}/${PRODUCTION}`, VERSION_FILE);
  const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
  return { version: promoted ?? production?.version, since: found?.modified };
}
