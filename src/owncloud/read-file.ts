import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { DiatomError } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import type { RandomAccess } from '../files/random-access.ts';
import { asNetworkError } from '../http/client.ts';
import { lookUpIfThere, type RemoteFile } from './look-up.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { statusOf } from './webdav-error.ts';

/** Texts that are read whole are lists and descriptions; a larger one is something else under their name. */
const MAX_TEXT_BYTES = 256 * 2 ** 20;

/**
 * Reads a small text file.
 *
 * @param path from the remote's root, beginning with `/`
 * @returns `undefined` when it does not exist
 * @throws DiatomError `OWNCLOUD` when the server refuses, or the file is larger than 256 MiB
 */
export async function readText(remote: Remote, path: string, options: RemoteOptions): Promise<string | undefined> {
  try {
    return await retrying(options, async () => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      await forEachPiece(remote, path, options, (piece) => {
        bytes += piece.length;
        if (bytes > MAX_TEXT_BYTES) {
          throw new DiatomError(
            'OWNCLOUD',
            `The file “${path}” at ${remote.rootUrl.host} is larger than ${MAX_TEXT_BYTES} bytes: a short text was expected there.`,
          );
        }
        pieces.push(piece);
      });
      return Buffer.concat(pieces).toString('utf8');
    });
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/**
 * Reads a file of any size and digests it on the way, without keeping it.
 *
 * @returns bytes, and SHA-256 in hexadecimal, of what the server really has
 */
export async function digestRemote(
  remote: Remote,
  path: string,
  options: RemoteOptions,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  return retrying(options, async () => {
    const hash = createHash('sha256');
    let bytes = 0;
    await forEachPiece(remote, path, options, (piece) => {
      hash.update(piece);
      bytes += piece.length;
    });
    return { bytes, sha256: hash.digest('hex') };
  });
}

/**
 * Reads a file of any size into a new local one, and digests it on the way.
 *
 * @returns SHA-256 in hexadecimal of what was written
 * @throws DiatomError `OWNCLOUD` when the server refuses, `DISK` when the file can't be written
 */
export async function saveRemote(
  remote: Remote,
  path: string,
  localPath: string,
  options: RemoteOptions,
): Promise<string> {
  return retrying(options, async () => {
    const hash = createHash('sha256');
    const file = await open(localPath, 'w').catch((error: unknown) => {
      throw diskFailure('write', localPath, error);
    });
    try {
      await forEachPiece(remote, path, options, async (piece) => {
        hash.update(piece);
        await file.writeFile(piece).catch((error: unknown) => {
          throw diskFailure('write', localPath, error);
        });
      });
    } finally {
      await file.close();
    }
    return hash.digest('hex');
  });
}

/**
 * A file that is read in pieces (Range; RFC 9110, 14): of a large archive, the directory alone.
 *
 * @returns `undefined` when it does not exist
 * @throws DiatomError (here and in `read`) `OWNCLOUD` when the server refuses, sends no pieces, or the file changes meanwhile
 */
export async function openRemote(
  remote: Remote,
  path: string,
  options: RemoteOptions,
): Promise<RandomAccess | undefined> {
  const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
  return found && openFound(remote, path, found, options);
}

/** The same for what the server has listed. */
export function openFound(
  remote: Remote,
  path: string,
  { type, size }: RemoteFile,
  options: RemoteOptions,
): RandomAccess | undefined {
  if (type !== 'file' || size === undefined) return undefined;
  return {
    length: size,
    read(position, length) {
      const end = Math.min(position + length, size);
      if (end <= position) return Promise.resolve(Buffer.alloc(0));
      return retrying(options, async () => {
        const pieces: Buffer[] = [];
        const range = { first: position, last: end - 1, total: size };
        await forEachPiece(remote, path, options, (piece) => void pieces.push(piece), range);
        const data = Buffer.concat(pieces);
        if (data.length !== end - position) throw noPieces(remote, path);
        return data;
      });
    },
  };
}

interface Range {
  readonly first: number;
  /** Included. */
  readonly last: number;
  readonly total: number;
}

function noPieces(remote: Remote, path: string): DiatomError {
  return new DiatomError(
    'OWNCLOUD',
    `The server ${remote.rootUrl.host} does not send a part of “${path}” (HTTP Range), or the file changed meanwhile.`,
  );
}

/** One GET. An answer that breaks off is a NetworkError: it is never taken for a short file. */
async function forEachPiece(
  remote: Remote,
  path: string,
  options: RemoteOptions,
  use: (piece: Buffer) => void | Promise<void>,
  range?: Range,
) {
  const headers = range ? { range: `bytes=${range.first}-${range.last}` } : {};
  const answer = await remote.client.customRequest(path, { method: 'GET', headers, ...withSignal(options) });
  const body = 'body' in answer ? answer.body : undefined;
  if (!(body instanceof Readable)) throw new TypeError('The transport gives no stream');
  try {
    const found = answer.headers.get('content-range');
    if (range && found?.trim() !== `bytes ${range.first}-${range.last}/${range.total}`) throw noPieces(remote, path);
    for await (const piece of body) await use(piece);
  } catch (error) {
    throw asNetworkError(error, new URL(remote.fileUrl(path)), options.signal);
  } finally {
    body.destroy();
  }
}
