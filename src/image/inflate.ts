import { inflateSync } from 'node:zlib';

/** The least that zlib takes as a piece. */
const MIN_PIECE_BYTES = 64;

/**
 * The first so many bytes of pixels that zlib has packed, at one stroke. Some files have more of them, which no decoder
 * minds; a few KB can hold gigabytes, so far more are an error.
 *
 * @throws Error of zlib
 */
export function inflate(data: Uint8Array, bytes: number): Uint8Array {
  const most = bytes + Math.max(bytes, MIN_PIECE_BYTES);
  return inflateSync(data, { chunkSize: Math.max(bytes, MIN_PIECE_BYTES), maxOutputLength: most }).subarray(0, bytes);
}
