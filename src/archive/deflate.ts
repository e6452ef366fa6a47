import { Deflate, deflateSync } from 'fflate';

/**
 * The fastest level: for images with noise, higher ones take up to twice the time and gain 0 to 2 %. `mem` is the size of
 * a table (2^(12 + mem) places); it is set, as its default would depend on a logarithm, and a larger one is slow for small
 * files. Changing either, or the version of fflate, may change the bytes of every archive.
 */
const OPTIONS = { level: 1, mem: 5 } as const;

/** So much is deflated at a time, whatever the size of the whole: memory stays flat. */
const PIECE_BYTES = 2 ** 20;

/** How far deflate looks back (RFC 1951, 2). */
const WINDOW_BYTES = 2 ** 15;

/**
 * Deflates `data` to the beginning of `target`, in JavaScript: what zlib makes of a file differs between its versions and
 * kinds of processor, and this doesn't.
 *
 * @returns how many bytes it became; `undefined` when they don't fit, and `target` is then of no use
 */
export function deflateInto(data: Uint8Array, target: Uint8Array): number | undefined {
  let end = 0;
  const put = (piece: Uint8Array) => {
    if (end + piece.length <= target.length) target.set(piece, end);
    end += piece.length;
  };
  if (data.length <= PIECE_BYTES) put(deflateSync(data, OPTIONS));
  else deflateInPieces(data, put, () => end <= target.length);
  return end <= target.length ? end : undefined;
}

/**
 * The first window goes as it is, and only what follows it is deflated, as the continuation of it: fflate 0.8.3 deflates
 * the first window of pieces wrongly, as if there were zeros before it (https://github.com/101arrowz/fflate/issues/260).
 */
function deflateInPieces(data: Uint8Array, put: (piece: Uint8Array) => void, goesOn: () => boolean): void {
  const dictionary = data.subarray(0, WINDOW_BYTES);
  put(storedBlock(dictionary));
  const deflate = new Deflate({ ...OPTIONS, dictionary }, put);
  for (let done = WINDOW_BYTES; done < data.length && goesOn(); done += PIECE_BYTES) {
    deflate.push(data.subarray(done, done + PIECE_BYTES), done + PIECE_BYTES >= data.length);
  }
}

/** A block that is not compressed, and not the last (RFC 1951, 3.2.4). */
function storedBlock(data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(data.length, 1);
  head.writeUInt16LE(0xffff - data.length, 3);
  return Buffer.concat([head, data]);
}
