import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfCancelled } from '../errors.ts';
import { diskFailure } from './disk-failure.ts';

/** What tells the content of a file. Digests are hexadecimal, lower case. */
export interface FileDigest {
  readonly bytes: number;
  /** `''` where nobody has asked for it. */
  readonly sha1: string;
  readonly sha256: string;
}

/** The same of a text. */
export function digestText(text: string): FileDigest {
  const data = Buffer.from(text);
  const digest = (algorithm: string) => createHash(algorithm).update(data).digest('hex');
  return { bytes: data.length, sha1: digest('sha1'), sha256: digest('sha256') };
}

/** Reads a file of any size once. @throws DiatomError `DISK` when it can't be read, `CANCELLED` */
export async function digestFile(path: string, signal: AbortSignal | undefined): Promise<FileDigest> {
  const sha1 = createHash('sha1');
  const sha256 = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      throwIfCancelled(signal);
      sha1.update(piece);
      sha256.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    throw diskFailure('read', path, error);
  }
  return { bytes, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}
