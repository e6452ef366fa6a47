import type { Remote } from './connect.ts';
import { ensureFolder, requireUsableFolder } from './folder.ts';
import { type RemoteOptions, retrying } from './options.ts';
import { remotePath } from './remote-path.ts';
import {
  type Content,
  moveIntoPlace,
  put,
  putVerified,
  refuseTakenName,
  removeTemporary,
  temporaryPath,
  textContent,
  type Verified,
  verifyStored,
} from './store.ts';
import { checkLocalFile, uploadBody } from './upload-body.ts';

export interface UploadRequest {
  readonly localPath: string;
  /** Below the remote's root; created when missing. */
  readonly folder: string;
  /** The name it gets there. */
  readonly name: string;
  readonly bytes: number;
  /** Of the local file, hexadecimal. */
  readonly sha1: string;
}

export interface Uploaded {
  /** The WebDAV address of the file. */
  readonly url: string;
  readonly verified: Verified;
}

export interface UploadOptions extends RemoteOptions {
  /** Called with the bytes sent so far; starts again from the beginning when an attempt failed. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  /** How long the server may take nothing of the file before the attempt has failed. Default: two minutes. */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * Waited for when all of the file is on the server and before it gets its name; what it throws ends the upload. Where a
   * file can't be renamed, it is waited for before the file is sent.
   */
  readonly beforeNamed?: (() => Promise<void>) | undefined;
}

/** Stores a short text in the way of `uploadFile`. */
export async function uploadText(
  remote: Remote,
  { folder, name, text }: { readonly folder: string; readonly name: string; readonly text: string },
  options: RemoteOptions,
): Promise<Uploaded> {
  const path = remotePath(folder, name);
  const verified = await storeAs(remote, { folder, path, content: textContent(text) }, options);
  return { url: remote.fileUrl(path), verified };
}

/**
 * Uploads a file so that its name on the server never stands for anything but the whole file: it goes to a temporary
 * name, is compared, and is then moved into place. Memory use does not depend on its size.
 *
 * Where a public link allows no renaming it goes to its final name, and where nothing can be read back it is not
 * compared. After a failure the temporary file is deleted; what has the final name never is.
 *
 * @throws DiatomError `OWNCLOUD` when the server refuses or stores something else, `DISK` when the local file is gone or
 *   has changed, `NETWORK`, `CANCELLED`
 */
export async function uploadFile(remote: Remote, request: UploadRequest, options: UploadOptions): Promise<Uploaded> {
  const { localPath, folder, name, bytes } = request;
  const sha1 = request.sha1.toLowerCase();
  const { onProgress, stallTimeoutMs = 120_000 } = options;
  const path = remotePath(folder, name);
  const content: Content = {
    bytes,
    sha1,
    body: () => uploadBody({ localPath, bytes, sha1, host: remote.rootUrl.host, onProgress, stallTimeoutMs }),
  };
  await checkLocalFile(localPath, bytes);
  const verified = await storeAs(remote, { folder, path, content }, options);
  return { url: remote.fileUrl(path), verified };
}

interface Target {
  readonly folder: string;
  readonly path: string;
  readonly content: Content;
}

type StoreOptions = Pick<UploadOptions, keyof RemoteOptions | 'beforeNamed'>;

function storeAs(remote: Remote, target: Target, options: StoreOptions): Promise<Verified> {
  switch (remote.access) {
    case 'full':
      return storeByMoving(remote, target, options);
    case 'add-only':
      return storeInPlace(remote, target, options);
    case 'upload-only':
      return storeUnseen(remote, target, options);
  }
}

async function storeByMoving(remote: Remote, { folder, path, content }: Target, options: StoreOptions) {
  await ensureFolder(remote, folder, options);
  await refuseTakenName(remote, path, options);
  const temporary = temporaryPath(path, remote.mark);
  let verified: Verified;
  try {
    verified = await putVerified(remote, temporary, content, options);
    await options.beforeNamed?.();
    await moveIntoPlace(remote, { from: temporary, to: path, content }, options);
  } catch (error) {
    await removeTemporary(remote, temporary, options);
    throw error;
  }
  const final = await verifyStored(remote, path, content, options);
  return final === 'checksum' ? final : verified;
}

/** Nothing can be renamed or deleted there, so the first attempt that stores anything is the only one. */
async function storeInPlace(remote: Remote, { folder, path, content }: Target, options: StoreOptions) {
  await ensureFolder(remote, folder, options);
  await refuseTakenName(remote, path, options);
  await options.beforeNamed?.();
  return putVerified(remote, path, content, options);
}

/**
 * A file drop. ownCloud and Nextcloud give a second file of the same name another one (PublicFilesPlugin.php,
 * FilesDropPlugin.php), so that a repeated attempt does no harm; and they take files at the top only.
 */
async function storeUnseen(remote: Remote, { folder, path, content }: Target, options: StoreOptions) {
  requireUsableFolder(remote, folder);
  await options.beforeNamed?.();
  await retrying(options, async (number) => {
    if (number === 2) {
      options.onWarning?.(
        `The upload of “${path}” is tried again. The public link can’t be read back, so the file may be there twice.`,
      );
    }
    await put(remote, path, content, options);
  });
  return 'no' as const;
}
