import { randomBytes } from 'node:crypto';
import { unlessCancelled } from '../errors.ts';
import type { FileDigest } from '../files/digest-file.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { checksumHeader } from './checksums.ts';
import { CHUNK_SIZES, type ChunkSizes } from './chunk-size.ts';
import {
  assemblyMs,
  isStored,
  moveUntilThere,
  refuseTakenName,
  removeLeftover,
  verifyStored,
  warnOfPieces,
} from './confirmed-writes.ts';
import { ensureFolder } from './ensure-folder.ts';
import { chunkFolder } from './leftovers.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Chunking, Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';
import { sendChunks } from './send-chunks.ts';
import { type Uploaded, type UploadOptions, uploadFile } from './upload.ts';
import { namingFile, statusOf } from './webdav-error.ts';

export interface GrowingUpload {
  readonly source: GrowingFile;
  /** Below the remote's root; created when missing. */
  readonly folder: string;
  /** The name it gets there. */
  readonly name: string;
}

export interface GrowingUploadOptions extends UploadOptions {
  /**
   * Told how many bytes from the beginning of the file the server is known to have: they are not read again. A source
   * that waits for this before it grows has to be able to grow by `sizes.max` beyond it.
   */
  readonly onStored?: ((bytes: number) => void) | undefined;
  /** Default: from 10 MB, within 1 and 100 MB. What the server asks for comes first. */
  readonly sizes?: ChunkSizes | undefined;
  /** Pieces that are sent at a time; as many more may be waiting for the server's answer. Default: 3. */
  readonly parallel?: number | undefined;
  /** Default: 400, longer than a server takes that has nothing but the piece to store. */
  readonly longWaitMs?: number | undefined;
  /** How long the server may take to put so many bytes together after a proxy has given up waiting for it. */
  readonly assemblyMs?: ((bytes: number) => number) | undefined;
}

/**
 * Uploads a file while it is still being written, where the server takes files in pieces and the file is larger than one;
 * else it waits until the file is complete and uploads it with `uploadFile`.
 *
 * The name never stands for anything but the whole file: the pieces lie in a folder that people don't see until the
 * server puts them together, and it checks the length and, on ownCloud, the checksum of the whole before the name appears.
 * Nothing is ever overwritten. After a failure or a cancelled run the pieces are deleted; a server that was putting them
 * together at that moment may still end with the whole file at its place.
 *
 * @throws what ended the source; DiatomError `OWNCLOUD` when the server refuses or stores something else, `DISK` when the
 *   local file is gone or has changed, `NETWORK`, `CANCELLED`
 */
export async function uploadGrowing(
  remote: Remote,
  upload: GrowingUpload,
  options: GrowingUploadOptions,
): Promise<Uploaded> {
  const { source, folder, name } = upload;
  const { signal, onStored } = options;
  // A failure is heard where the file is waited for; nobody may be waiting when it comes.
  source.complete.catch(() => {});
  const { chunking } = await remote.ways();
  if (chunking) {
    const path = remotePath(folder, name);
    const sizes = allowedSizes(options.sizes ?? CHUNK_SIZES, chunking);
    await ensureFolder(remote, folder, options);
    await refuseTakenName(remote, path, options);
    if ((await unlessCancelled(source.reach(sizes.start + 1), signal)) > sizes.start) {
      return uploadInChunks(remote, { source, path, chunking, sizes }, options);
    }
  }
  const { bytes, uploadSum } = await unlessCancelled(source.complete, signal);
  const uploaded = await uploadFile(remote, { localPath: source.path, folder, name, bytes, uploadSum }, options);
  onStored?.(bytes);
  return uploaded;
}

interface ChunkedUpload {
  readonly source: GrowingFile;
  readonly path: string;
  readonly chunking: Chunking;
  readonly sizes: ChunkSizes;
}

async function uploadInChunks(
  remote: Remote,
  { source, path, chunking, sizes }: ChunkedUpload,
  options: GrowingUploadOptions,
): Promise<Uploaded> {
  const { uploads, maxParallel = Number.POSITIVE_INFINITY } = chunking;
  const { parallel = 3, longWaitMs = 400, stallTimeoutMs = 120_000, onProgress, onStored } = options;
  const folder = `/${chunkFolder(remote.mark, randomBytes(16).toString('hex'))}`;
  const headers = { destination: chunking.targetUrl(path) };
  let facts: FileDigest;
  try {
    await createUploadFolder(chunking, { folder, headers }, options);
    await sendChunks(
      uploads,
      {
        source,
        folder,
        headers,
        sizes,
        parallel: Math.min(parallel, maxParallel),
        maxUnderWay: Math.min(2 * parallel, maxParallel),
        longWaitMs,
        stallTimeoutMs,
        onProgress,
        onStored,
      },
      options,
    );
    facts = await unlessCancelled(source.complete, options.signal);
    await options.beforeNamed?.();
    await putTogether(remote, { uploads, folder, headers, path, facts }, options);
  } catch (error) {
    if (!(await removeLeftover(uploads, folder, headers))) warnOfPieces(uploads, options);
    throw namingFile(error, path);
  }
  return { url: remote.fileUrl(path), verified: await verifyStored(remote, path, facts, options) };
}

/** An answer that got lost is no reason to fail: nobody else has this name. */
async function createUploadFolder(
  { uploads }: Chunking,
  { folder, headers }: { readonly folder: string; readonly headers: Record<string, string> },
  options: RemoteOptions,
): Promise<void> {
  await retrying(options, async (number) => {
    try {
      await uploads.client.createDirectory(folder, { headers, ...withSignal(options) });
    } catch (error) {
      if (number === 1 || statusOf(error) !== 405) throw error;
    }
  });
}

interface Assembly {
  readonly uploads: Chunking['uploads'];
  readonly folder: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly facts: FileDigest;
}

async function putTogether(
  remote: Remote,
  { uploads, folder, headers, path, facts }: Assembly,
  options: GrowingUploadOptions,
): Promise<void> {
  const { bytes, uploadSum } = facts;
  await moveUntilThere(
    remote,
    {
      to: path,
      // Of the same name nothing was there before, so a file of this size and sum is this one.
      hasMoved: () => isStored(remote, path, facts, options),
      patienceMs: (options.assemblyMs ?? assemblyMs)(bytes),
      move: () =>
        uploads.client.customRequest(`${folder}/.file`, {
          method: 'MOVE',
          headers: {
            ...headers,
            overwrite: 'F',
            'oc-total-length': String(bytes),
            ...checksumHeader(uploadSum),
          },
          ...withSignal(options),
        }),
    },
    options,
  );
}

function allowedSizes({ start, min, max }: ChunkSizes, { minChunkBytes, maxChunkBytes }: Chunking): ChunkSizes {
  const least = Math.max(min, minChunkBytes);
  const most = Math.max(least, Math.min(max, maxChunkBytes ?? max));
  return { start: Math.min(most, Math.max(least, start)), min: least, max: most };
}
