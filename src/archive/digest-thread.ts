/**
 * A thread that digests a file while it is written: of what it is told is there, every byte once, in order.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { diskFailure } from '../disk-failure.ts';
import { packFailure, type ThreadFailure } from '../thread.ts';

/** What the thread is started with. */
export interface DigestData {
  readonly path: string;
  readonly withSha1: boolean;
}

export interface DigestRequest {
  /** How much of the file may be read. */
  readonly end: number;
  /** Whether nothing follows, so that the file's end is the end. */
  readonly last: boolean;
}

export type DigestReply =
  /** How much of the file is no longer needed here. */
  { readonly done: number } | { readonly sha256: string; readonly sha1: string } | { readonly failure: ThreadFailure };

const PIECE_BYTES = 2 ** 20;

const { path, withSha1 }: DigestData = workerData;
const sha256 = createHash('sha256');
const sha1 = withSha1 ? createHash('sha1') : undefined;
const piece = Buffer.allocUnsafe(PIECE_BYTES);
let file: number | undefined;
let done = 0;

parentPort?.on('message', (request: DigestRequest) => {
  try {
    follow(request);
  } catch (error) {
    reply({ failure: packFailure(diskFailure('read', path, error)) });
  }
});

function follow({ end, last }: DigestRequest): void {
  // Little pieces are left until there is more of them: a call of the system costs more than they.
  if (!last && end - done < PIECE_BYTES) return;
  file ??= openSync(path, 'r');
  while (done < end) {
    const bytes = readSync(file, piece, 0, Math.min(PIECE_BYTES, end - done), done);
    if (bytes === 0) break;
    const data = piece.subarray(0, bytes);
    sha256.update(data);
    sha1?.update(data);
    done += bytes;
  }
  if (!last) {
    reply({ done });
    return;
  }
  closeSync(file);
  reply({ sha256: sha256.digest('hex'), sha1: sha1?.digest('hex') ?? '' });
}

function reply(message: DigestReply): void {
  parentPort?.postMessage(message);
}
