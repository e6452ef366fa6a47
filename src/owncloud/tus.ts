import type { Readable } from 'node:stream';
import { messageOf } from '../errors.ts';
import { NetworkError } from '../http/client.ts';
import { field } from '../text/json.ts';
import { tusChecksum } from './checksums.ts';
import { CHUNK_SIZES, type ChunkSizes, nextChunkBytes } from './chunk-size.ts';
import {
  assemblyMs,
  type Content,
  comesTrue,
  deleteUntilGone,
  isStored,
  putVerified,
  type Verified,
  verifyStored,
  warnOfPieces,
} from './confirmed-writes.ts';
import { lookUpIfThere } from './look-up.ts';
import { type RemoteOptions, retrying } from './options.ts';
import type { Remote, Tus } from './remote.ts';
import { folderUrl } from './remote-path.ts';
import { namingFile, statusOf } from './webdav-error.ts';

/** What a server says about TUS in its capabilities (`files.tus_support`); `undefined` when it does not offer it. */
export function tusIn(capabilities: unknown, send: Tus['send']): Tus | undefined {
  const offer = field(field(capabilities, 'files'), 'tus_support');
  const lists = (name: string, wanted: string) =>
    String(field(offer, name))
      .split(/\s*,\s*/)
      .includes(wanted);
  if (!lists('version', VERSION) || !lists('extension', 'creation')) return undefined;
  const most = field(offer, 'max_chunk_size');
  return {
    maxPieceBytes: typeof most === 'number' && most > 0 ? most : undefined,
    overridesPatch: Boolean(field(offer, 'http_method_override')),
    send,
  };
}

const VERSION = '1.0.0';
const HEADERS = { 'tus-resumable': VERSION };

/** A file that can be sent from anywhere in it. */
export interface PiecedContent extends Content {
  piece(start: number, bytes: number): Readable;
}

/**
 * Stores a file as `putVerified` does, but a broken connection costs only what the server has not stored of it. What the
 * server has lost altogether is sent once more, and then in one piece. After a failure or a cancelled run the upload is deleted;
 * that of a killed run nobody finds, as only who made it knows its address: it lies there until the server's time for it is over.
 *
 * @throws DiatomError `OWNCLOUD` when the server refuses or stores something else, `DISK`, `NETWORK`, `CANCELLED`
 */
export async function putResumably(
  remote: Remote,
  tus: Tus,
  path: string,
  content: PiecedContent,
  options: RemoteOptions,
): Promise<Verified> {
  const { host } = remote.rootUrl;
  for (const next of ['once more', 'in one piece']) {
    const url = await create(remote, tus, path, content, options);
    if (!url) {
      options.onWarning?.(
        `The server ${host} offers uploads that can go on, but gives no address for them: the file is sent in one piece.`,
      );
      break;
    }
    const upload: Upload = {
      remote,
      path,
      content,
      overridesPatch: tus.overridesPatch,
      maxPieceBytes: tus.maxPieceBytes ?? CHUNK_SIZES.max,
      send: (method, { headers, body, signal = options.signal } = {}) =>
        tus.send(url, { method, headers: { ...HEADERS, ...headers }, body, signal }).catch((error: unknown) => {
          // Whoever knows the address can write to it, so nobody is told.
          throw namingFile(error, path);
        }),
    };
    try {
      return await sendVerified(upload, options);
    } catch (error) {
      const isDeleted = await deleteUntilGone((signal) => upload.send('DELETE', { signal }));
      if (!isLost(error)) {
        if (!isDeleted) warnOfPieces(remote, options);
        throw error;
      }
      options.onWarning?.(
        `The server ${host} has lost what it had of the file (status ${statusOf(error)}): it is sent ${next}.`,
      );
    }
  }
  return putVerified(remote, path, content, options);
}

interface Upload {
  readonly remote: Remote;
  readonly path: string;
  readonly content: PiecedContent;
  readonly overridesPatch: boolean;
  readonly maxPieceBytes: number;
  /** Sends a request to the upload's address. */
  send(
    method: string,
    request?: { headers?: Record<string, string>; body?: Readable; signal?: AbortSignal },
  ): ReturnType<Tus['send']>;
}

/** @returns the address of a new upload; `undefined` where the server does not take one, or gives another server's address */
async function create(
  { rootUrl }: Remote,
  { send }: Tus,
  path: string,
  { bytes, uploadSum }: Content,
  options: RemoteOptions,
): Promise<URL | undefined> {
  const slash = path.lastIndexOf('/');
  const folder = folderUrl(rootUrl, path.slice(1, slash));
  const metadata = { filename: path.slice(slash + 1), checksum: tusChecksum(uploadSum) };
  const headers = {
    ...HEADERS,
    'upload-length': String(bytes),
    'upload-metadata': Object.entries(metadata)
      .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
      .join(),
  };
  try {
    const { signal } = options;
    const answer = await retrying(options, () => send(folder, { method: 'POST', headers, body: undefined, signal }));
    const location = answer.headers.get('location');
    const url = location ? URL.parse(location, folder.href) : null;
    // Like a redirect, it would take password and file to another place.
    return url?.origin === rootUrl.origin ? url : undefined;
  } catch (error) {
    if ([404, 405, 412, 501].includes(statusOf(error) ?? 0)) return undefined;
    throw namingFile(error, path);
  }
}

async function sendVerified(upload: Upload, options: RemoteOptions): Promise<Verified> {
  const { remote, path, content } = upload;
  const isListed = async () => (await lookUpIfThere(remote.client, path, options.signal)) !== undefined;
  await sendPieces(upload, options).catch(async (error: unknown) => {
    // Of the last piece the answer may have got lost, and a server forgets an upload that is whole.
    if (!isLost(error) || !(await isStored(remote, path, content, options))) throw error;
  });
  // Then it may still be at work, too.
  if (!(await retrying(options, isListed))) await comesTrue(isListed, assemblyMs(content.bytes), options);
  return verifyStored(remote, path, content, options);
}

/** Sends all pieces, one after the other, each again where that may help, from where the server then is. */
async function sendPieces(upload: Upload, options: RemoteOptions): Promise<void> {
  const { content, maxPieceBytes } = upload;
  let sizes: ChunkSizes = { ...CHUNK_SIZES, max: Math.max(CHUNK_SIZES.min, Math.min(CHUNK_SIZES.max, maxPieceBytes)) };
  let size = Math.min(sizes.start, sizes.max);
  for (let start = 0; start < content.bytes; ) {
    const began = performance.now();
    const bytes = Math.min(size, content.bytes - start);
    let most = sizes.max;
    let at = start;
    await retrying(options, async (number) => {
      if (number > 1) at = offsetIn(await upload.send('HEAD'), upload, 0);
      while (at < start + bytes) {
        const length = Math.min(most, start + bytes - at);
        try {
          at = offsetIn(await sendPiece(upload, at, length), upload, at + 1);
        } catch (error) {
          // A refusal may get lost in the connection that it breaks, so smaller pieces are tried in any case.
          most = Math.max(sizes.min, Math.floor(length / 4));
          const status = statusOf(error) ?? 0;
          const isTooLarge = status === 413 && length > most;
          if (isTooLarge) sizes = { ...sizes, max: most };
          // Another offset (of the protocol's core), another checksum (of its extension): the server is asked for its own.
          throw isTooLarge || status === 409 || status === 460 ? passing(messageOf(error)) : error;
        }
      }
    });
    size = nextChunkBytes(size, { bytes: at - start, ms: performance.now() - began }, sizes);
    start = at;
  }
}

async function sendPiece(upload: Upload, start: number, bytes: number) {
  const body = upload.content.piece(start, bytes);
  const headers = {
    'upload-offset': String(start),
    'content-type': 'application/offset+octet-stream',
    'content-length': String(bytes),
  };
  try {
    return await (upload.overridesPatch
      ? upload.send('POST', { headers: { ...headers, 'x-http-method-override': 'PATCH' }, body })
      : upload.send('PATCH', { headers, body }));
  } finally {
    body.destroy();
  }
}

/** How much of the file the server has, as it says. */
function offsetIn(answer: Awaited<ReturnType<Tus['send']>>, { remote, content }: Upload, least: number): number {
  const text = answer.headers.get('upload-offset') ?? '';
  const offset = Number(text);
  if (/^\d+$/.test(text) && offset >= least && offset <= content.bytes) return offset;
  throw passing(
    `The server ${remote.rootUrl.host} does not say how much of the file it has: “Upload-Offset: ${text}”, expected ${least} to ${content.bytes}.`,
  );
}

function passing(message: string): NetworkError {
  return new NetworkError(message, { transient: true, cause: undefined });
}

/** Whether the server has an upload no longer, or takes nothing for it: of 403 the key in its address has expired. */
function isLost(error: unknown): boolean {
  return [403, 404, 405, 410, 501].includes(statusOf(error) ?? 0);
}
