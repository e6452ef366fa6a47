import { DiatomError, messageOf } from '../errors.ts';
import { nextName, PRODUCTION, previousName, VERSION_FILE } from '../model/model-folder.ts';
import { putUntilAnswered, removeTemporary, textContent } from '../owncloud/confirmed-writes.ts';
import { copyFolder } from '../owncloud/copy-folder.ts';
import type { Lock } from '../owncloud/lock.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remoteFolder, remotePath } from '../owncloud/remote-path.ts';
import { isFolderThere, replaceFolder } from '../owncloud/replace-folder.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';
import { allEnded } from '../parallel/all-ended.ts';

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
 * there is kept. Whether production then says so is still to be asked (`requireInProduction`).
 *
 * @returns the name of the folder that keeps what was in production; `undefined` when nothing was
 * @throws DiatomError `OWNCLOUD`, `NETWORK` or `CANCELLED`: production is as it was, or the message says how to put it back
 */
export async function swapProduction(
  remote: Remote,
  { folder, version, files, lock, now }: Promotion,
  options: RemoteOptions,
): Promise<string | undefined> {
  const production = `${folder}/${PRODUCTION}`;
  let next: string | undefined;
  let isThere: boolean;
  try {
    next = await copyFolder(remote, `${folder}/${version}`, () => `${folder}/${nextName()}`, options);
    const [path, note] = [remotePath(next, VERSION_FILE), noteOf(version)];
    await putUntilAnswered(remote, path, textContent(note), options);
    const look = async () => (await allEnded([isFolderThere(remote, production, options), lock.requireHeld()]))[0];
    const asked = performance.now();
    [isThere] = await allEnded([
      look(),
      verifyFolder(remote, next, files, options),
      requireNote(remote, path, note, options),
    ]);
    // To read everything back may have taken long.
    if (performance.now() - asked > FRESH_MS) isThere = await look();
  } catch (error) {
    if (next !== undefined) await removeTemporary(remote, remoteFolder(next), options);
    throw notPromoted(`${folder}/${version}`, version, error);
  }
  const previous = previousName(now());
  const replacement = { folder: production, next, previous: `${folder}/${previous}`, isThere };
  return (await replaceFolder(remote, replacement, options)) ? previous : undefined;
}

/**
 * How old the last look at the lock and at production may be when they are swapped. As soon as GitHub says that this run has
 * ended, another run may pass its note over, delete it, and promote something else.
 */
const FRESH_MS = 1_000;

/** @throws DiatomError `OWNCLOUD` when production does not say that it is the version */
export async function requireInProduction(
  remote: Remote,
  { folder, version }: Pick<Promotion, 'folder' | 'version'>,
  options: RemoteOptions,
): Promise<void> {
  const production = `${folder}/${PRODUCTION}`;
  const found = await readText(remote, remotePath(production, VERSION_FILE), options);
  if (found === noteOf(version)) return;
  throw new DiatomError(
    'OWNCLOUD',
    `The server ${remote.rootUrl.host} said that ${version} is in production now, but “${production}” says ${found?.trim() ?? 'nothing'}: somebody or something else has changed it. Look there.`,
  );
}

/**
 * Reads VERSION back: by its size alone, one version's is not known from another's. What differs is sent again once.
 *
 * @throws DiatomError `OWNCLOUD` when it is not what was sent then, either
 */
async function requireNote(remote: Remote, path: string, note: string, options: RemoteOptions): Promise<void> {
  for (let isSecond = false; ; isSecond = true) {
    const found = await readText(remote, path, options);
    if (found === note) return;
    const message = `The server ${remote.rootUrl.host} said that it stored “${path}”, but it says ${found?.trim() || 'nothing'}.`;
    if (isSecond) {
      throw new DiatomError(
        'OWNCLOUD',
        `${message} A full disk, a proxy or a sign-in page can be the cause: ask the server’s administrator.`,
      );
    }
    options.onWarning?.(`${message} It is sent again.`);
    await putUntilAnswered(remote, path, textContent(note), options);
  }
}

/** What VERSION says. */
function noteOf(version: string): string {
  return `${version}\n`;
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
