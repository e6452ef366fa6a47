import { DiatomError, messageOf } from '../errors.ts';
import { nextName, PRODUCTION, previousName, VERSION_FILE } from '../model/model-folder.ts';
import { putVerified, removeTemporary, textContent } from '../owncloud/confirmed-writes.ts';
import { copyFolder } from '../owncloud/copy-folder.ts';
import type { Lock } from '../owncloud/lock.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remoteFolder, remotePath } from '../owncloud/remote-path.ts';
import { replaceFolder } from '../owncloud/replace-folder.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';

export interface Promotion {
  /** The model's folder. */
  readonly folder: string;
  readonly version: string;
  /** What the version holds. */
  readonly files: readonly ExpectedFile[];
  readonly lock: Pick<Lock, 'requireHeld'>;
  readonly now: () => Date;
}

/**
 * Makes a version production: copies it on the server, verifies the copy, and puts it in production's place; what was
 * there is kept.
 *
 * @returns the name of the folder that keeps what was in production; `undefined` when nothing was
 * @throws DiatomError `OWNCLOUD`, `NETWORK` or `CANCELLED`: production is as it was, or the message says how to put it back
 */
export async function swapProduction(
  remote: Remote,
  { folder, version, files, lock, now }: Promotion,
  options: RemoteOptions,
): Promise<string | undefined> {
  const note = `${version}\n`;
  let next: string | undefined;
  try {
    next = await copyFolder(remote, `${folder}/${version}`, () => `${folder}/${nextName()}`, options);
    await putVerified(remote, remotePath(next, VERSION_FILE), textContent(note), options);
    await verifyFolder(remote, next, files, options);
    await lock.requireHeld();
  } catch (error) {
    if (next !== undefined) await removeTemporary(remote, remoteFolder(next), options);
    throw notPromoted(`${folder}/${version}`, version, error);
  }
  const production = `${folder}/${PRODUCTION}`;
  const previous = previousName(now());
  const replaced = await replaceFolder(
    remote,
    { folder: production, next, previous: `${folder}/${previous}` },
    options,
  );
  const found = await readText(remote, remotePath(production, VERSION_FILE), options);
  if (found !== note) {
    throw new DiatomError(
      'OWNCLOUD',
      `The server ${remote.rootUrl.host} said that ${version} is in production now, but “${production}” says ${found?.trim() ?? 'nothing'}: somebody or something else has changed it. Look there.`,
    );
  }
  return replaced ? previous : undefined;
}

/** Until the swap, production is untouched, and what was stored need not be trained or stored again. */
function notPromoted(place: string, version: string, error: unknown): DiatomError {
  const code = error instanceof DiatomError ? error.code : 'OWNCLOUD';
  return new DiatomError(
    code,
    `The version ${version} lies whole in “${place}”, but is not in production, which is as it was: ${messageOf(error)} Then run with promote-version: ${version}; nothing has to be trained again.`,
    { cause: error },
  );
}
