/**
 * A thread that digests files, one after the other. One may still be written: of what it is told is there, every byte is
 * read once, in order.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { diskFailure } from '../files/disk-failure.ts';
import { beginUploadSum } from '../files/upload-sum.ts';
import { answerRequests, startData, throwIfEnding } from '../parallel/thread-program.ts';

/** What the thread is started with. */
export interface DigestData {
  readonly withUploadSum: boolean;
}

export interface DigestRequest {
  /** The same one until its last request. */
  readonly path: string;
  /** How much of the file may be read. */
  readonly end: number;
  /** Whether nothing follows, so that the file's end is the end. */
  readonly last: boolean;
}

export type DigestReply =
  /** How much of the file is no longer needed here. */
  | { readonly done: number }
  /** Hexadecimal, lower case; the second is `''` where it was not asked for. */
  | { readonly sha256: string; readonly uploadSum: string };

const PIECE_BYTES = 2 ** 20;

const { withUploadSum } = startData<DigestData>();
const piece = Buffer.allocUnsafe(PIECE_BYTES);
let current: ReturnType<typeof begin> | undefined;

answerRequests<DigestRequest, DigestReply>((request) => {
  try {
    return follow(request);
  } catch (error) {
    finish();
    throw diskFailure('read', request.path, error);
  }
});

function begin(path: string) {
  const uploadSum = withUploadSum ? beginUploadSum() : undefined;
  return { file: openSync(path, 'r'), done: 0, sha256: createHash('sha256'), uploadSum };
}

function finish(): void {
  const file = current?.file;
  current = undefined;
  if (file !== undefined) closeSync(file);
}

function follow({ path, end, last }: DigestRequest): DigestReply | undefined {
  // Little pieces are left until there is more of them: a call of the system costs more than they.
  if (!last && end - (current?.done ?? 0) < PIECE_BYTES) return undefined;
  current ??= begin(path);
  const { file, sha256, uploadSum } = current;
  while (current.done < end) {
    throwIfEnding();
    const bytes = readSync(file, piece, 0, Math.min(PIECE_BYTES, end - current.done), current.done);
    if (bytes === 0) break;
    const data = piece.subarray(0, bytes);
    sha256.update(data);
    uploadSum?.update(data);
    current.done += bytes;
  }
  if (!last) return { done: current.done };
  finish();
  return { sha256: sha256.digest('hex'), uploadSum: uploadSum?.digest('hex') ?? '' };
}
