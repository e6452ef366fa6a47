import { constants, deflateRawSync } from 'node:zlib';

/**
 * Only runs of one byte are looked for, and the bytes that are frequent get short codes. Of images with noise and of a model's weights nothing
 * more is gained, in a third to a sixth of the time. And it is the same everywhere: zlib's versions, and its versions for kinds of
 * processor, differ in how they look for longer repetitions.
 */
export const DEFLATE_OPTIONS = { level: 1, memLevel: 8, windowBits: 15, strategy: constants.Z_RLE } as const;

/** So much is deflated at a time, whatever the size of the whole: memory stays flat. */
const PIECE_BYTES = 2 ** 20;

/**
 * Deflates `data` to the beginning of `target`.
 *
 * @returns how many bytes it became; `undefined` when they don't fit, and `target` is then of no use
 */
export function deflateInto(data: Uint8Array, target: Uint8Array): number | undefined {
  let end = 0;
  for (let done = 0; done === 0 || done < data.length; done += PIECE_BYTES) {
    const isLast = done + PIECE_BYTES >= data.length;
    // What is flushed ends with a whole byte, so that the next piece can follow (RFC 1951, 3.2.4).
    const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    const part = data.subarray(done, done + PIECE_BYTES);
    // Room for all at once: where zlib has to ask for more, it may flush twice, and much memory comes and goes.
    const chunkSize = part.length + Math.ceil(part.length / 1_000) + 64;
    const piece = deflateRawSync(part, { ...DEFLATE_OPTIONS, finishFlush, chunkSize });
    if (end + piece.length > target.length) return undefined;
    target.set(piece, end);
    end += piece.length;
  }
  return end;
}
