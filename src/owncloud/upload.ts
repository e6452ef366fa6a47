import { allEnded } from '../parallel/all-ended.ts';
import { CHUNK_SIZES } from './chunk-size.ts';
import {
  type Content,
  moveIntoPlace,
  put,
  putAllVerified,
  putVerified,
  refuseTakenName,
  removeTemporary,
  temporaryPath,
  textContent,
  type Verified,
  verifyStored,
} from './confirmed-writes.ts';
import { ensureFolder, isAddOnly, requireUsableFolder } from './ensure-folder.ts';
import { listFolder } from './list-folder.ts';
import { type RemoteOptions, retrying } from './options.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';
import { type PiecedContent, putResumably } from './tus.ts';
import { checkLocalFile, chunkBody, uploadBody } from './upload-body.ts';

export interface UploadRequest {
  readonly localPath: string;
  /** Below the remote's root; created when missing. */
  readonly folder: string;
  /** The name it gets there. */
  readonly name: string;
  readonly bytes: number;
  /** Of the local file, hexadecimal. */
  readonly uploadSum: string;
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
 * Where a public link or a folder allows no renaming it goes to its final name, and where nothing can be read back it is not
 * compared. After a failure the temporary file is deleted; what has the final name never is.
 *
 * @throws DiatomError `OWNCLOUD` when the server refuses or stores something else, `DISK` when the local file is gone or
 *   has changed, `NETWORK`, `CANCELLED`
 */
export async function uploadFile(remote: Remote, request: UploadRequest, options: UploadOptions): Promise<Uploaded> {
  const { folder, name } = request;
  const path = remotePath(folder, name);
  const content = await fileContent(remote, request, options);
  const verified = await storeAs(remote, { folder, path, content }, options);
  return { url: remote.fileUrl(path), verified };
}

/**
 * Does the same where the folder is known to be there, to allow renaming, and to have nothing of that name.
 *
 * @throws DiatomError as `uploadFile`
 */
export async function uploadNewFile(remote: Remote, request: UploadRequest, options: UploadOptions): Promise<Verified> {
  const path = remotePath(request.folder, request.name);
  return storeThenName(remote, path, await fileContent(remote, request, options), options);
}

/**
 * Stores files under their names at once, side by side, and compares them by one list of the folder: one that is there, and
 * that nobody looks into before all of it is whole.
 *
 * @returns how far all of them were compared
 * @throws DiatomError as `uploadFile`
 */
export async function putFiles(
  remote: Remote,
  folder: string,
  files: readonly { readonly name: string; readonly content: Content | PiecedContent }[],
  options: RemoteOptions,
): Promise<Verified> {
  const placed = files.map(({ name, content }) => ({ path: remotePath(folder, name), content }));
  const ways = await Promise.all(placed.map(({ content }) => wayInPieces(remote, content)));
  const look = async () => {
    const entries = (await listFolder(remote, folder, options)) ?? [];
    return new Map(entries.map((entry) => [remotePath(folder, entry.name), entry]));
  };
  const whole = placed.filter((_, index) => ways[index] === undefined);
  const verified = await allEnded([
    putAllVerified(remote, whole, look, options),
    ...placed.flatMap(({ path }, index) => ways[index]?.(path, options) ?? []),
  ]);
  return verified.every((one) => one === 'checksum') ? 'checksum' : 'size';
}

/** A local file as what is to be stored. */
export async function fileContent(
  { rootUrl: { host } }: Remote,
  { localPath, bytes, uploadSum: sum }: Pick<UploadRequest, 'localPath' | 'bytes' | 'uploadSum'>,
  { onProgress, stallTimeoutMs = 120_000 }: Pick<UploadOptions, 'onProgress' | 'stallTimeoutMs'>,
): Promise<PiecedContent> {
  const uploadSum = sum.toLowerCase();
  await checkLocalFile(localPath, bytes);
  return {
    bytes,
    uploadSum,
    body: () => uploadBody({ localPath, bytes, uploadSum, host, onProgress, stallTimeoutMs }),
    piece: (start, length) =>
      chunkBody({
        file: { path: localPath },
        start,
        bytes: length,
        host,
        onProgress: (done) => onProgress?.(start + done),
        stallTimeoutMs,
      }),
  };
}

interface Target {
  readonly folder: string;
  readonly path: string;
  readonly content: Content | PiecedContent;
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
  const found = await ensureFolder(remote, folder, options);
  await refuseTakenName(remote, path, options);
  if (isAddOnly(remote, found)) {
    await options.beforeNamed?.();
    return putAsCanBe(remote, path, content, options);
  }
  return storeThenName(remote, path, content, options);
}

async function storeThenName(
  remote: Remote,
  path: string,
  content: Content | PiecedContent,
  options: StoreOptions,
): Promise<Verified> {
  const temporary = temporaryPath(path, remote.mark);
  let verified: Verified;
  try {
    verified = await putAsCanBe(remote, temporary, content, options);
    await options.beforeNamed?.();
    await moveIntoPlace(remote, { from: temporary, to: path, content }, options);
  } catch (error) {
    await removeTemporary(remote, temporary, options);
    throw error;
  }
  const final = await verifyStored(remote, path, content, options);
  return final === 'checksum' ? final : verified;
}

/** A file of more than one piece in a way that goes on where it broke off, where the server has one. */
async function putAsCanBe(remote: Remote, path: string, content: Content | PiecedContent, options: RemoteOptions) {
  const inPieces = await wayInPieces(remote, content);
  return inPieces ? inPieces(path, options) : putVerified(remote, path, content, options);
}

/** @returns what sends it so; `undefined` where it goes in one piece */
async function wayInPieces(remote: Remote, content: Content | PiecedContent) {
  if (!('piece' in content) || content.bytes <= CHUNK_SIZES.start) return undefined;
  const { tus } = await remote.ways();
  return tus && ((path: string, options: RemoteOptions) => putResumably(remote, tus, path, content, options));
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
