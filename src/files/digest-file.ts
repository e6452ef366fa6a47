import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfCancelled } from '../errors.ts';
import { diskFailure } from './disk-failure.ts';
import { beginUploadSum, UPLOAD_SUM } from './upload-sum.ts';

/** What tells the content of a file. Digests are hexadecimal, lower case. */
export interface FileDigest {
  readonly bytes: number;
  /** What servers compare (upload-sum.ts); `''` where nobody has asked for it. */
  readonly uploadSum: string;
  readonly sha256: string;
}

/** The same of a text. */
export function digestText(text: string): FileDigest {
  const data = Buffer.from(text);
  return { bytes: data.length, uploadSum: hash(UPLOAD_SUM, data, 'hex'), sha256: hash('sha256', data, 'hex') };
}

/** Reads a file of any size once. @throws DiatomError `DISK` when it can't be read, `CANCELLED` */
export async function digestFile(path: string, signal: AbortSignal | undefined): Promise<FileDigest> {
  const uploadSum = beginUploadSum();
  const sha256 = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      throwIfCancelled(signal);
      uploadSum.update(piece);
      sha256.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    throw diskFailure('read', path, error);
  }
  return { bytes, uploadSum: uploadSum.digest('hex'), sha256: sha256.digest('hex') };
}
