import { messageOf } from '../errors.ts';
import { DEFAULT_RETRY_POLICY } from '../http/retry.ts';
import { PAGE_FILE, PRODUCTION, sortOut, VERSION_FILE } from '../model/model-folder.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import { lookUpIfThere } from '../owncloud/remote-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { temporaryPath } from '../owncloud/store.ts';
import { readVersions } from './version-facts.ts';
import type { InProduction } from './version-history.ts';
import { PAGE_MARK, versionsHtml } from './versions-page.ts';
import type { Workplace } from './workplace.ts';

/** Ten years of months. Of more versions, the page has the names only. */
const MAX_VERSIONS = 120;

/**
 * Makes the page of all versions anew from what the versions say of themselves. Whatever goes wrong here is a warning:
 * the page is for people, and the next run makes it again.
 */
export async function keepPage(
  modelName: string,
  { remote, folder, lock, options }: Pick<Workplace, 'remote' | 'folder' | 'lock' | 'options'>,
): Promise<void> {
  const policy = options.policy ?? DEFAULT_RETRY_POLICY;
  const brief: RemoteOptions = { ...options, policy: { ...policy, tries: Math.min(policy.tries, 3) } };
  const path = remotePath(folder, PAGE_FILE);
  try {
    const entries = (await listFolder(remote, folder, brief)) ?? [];
    const before = entries.some(({ name }) => name === PAGE_FILE) ? await readText(remote, path, brief) : undefined;
    if (before !== undefined && !before.includes(PAGE_MARK)) {
      throw new Error(
        'the file of that name there was made by somebody else. Rename it, and the next run makes the page',
      );
    }
    const { versions, hasProduction } = sortOut(entries);
    // Names that begin with their time sort by it.
    const read = versions.slice(-MAX_VERSIONS);
    const text = versionsHtml({
      modelName,
      versions: await readVersions(remote, folder, read, brief),
      production: hasProduction ? await inProduction({ remote, folder }, brief) : undefined,
      unread: versions.slice(0, -MAX_VERSIONS),
    });
    if (text === before) return;
    await lock.requireHeld();
    await replaceText(remote, { path, temporary: temporaryPath(path), text }, brief);
  } catch (error) {
    options.onWarning?.(
      `The page of all versions, “${folder}/${PAGE_FILE}”, was not brought up to date: ${messageOf(error)}`,
    );
  }
}

async function inProduction(
  { remote, folder }: Pick<Workplace, 'remote' | 'folder'>,
  options: RemoteOptions,
): Promise<InProduction> {
  const path = remotePath(`${folder}/${PRODUCTION}`, VERSION_FILE);
  const version = (await readText(remote, path, options))?.trim() || undefined;
  const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
  return { version, since: found?.modified };
}
