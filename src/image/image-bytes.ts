import { readSync } from 'node:fs';

/** The bytes of an image file, wherever they are. What is asked for is gone with the next that is. */
export interface ImageBytes {
  readonly length: number;
  /** The byte at a place; `undefined` beyond the end. */
  at(place: number): number | undefined;
  /** From one place up to another; fewer at the end. Each takes memory, so callers ask for `PIECE_BYTES` at most. */
  slice(from: number, to: number): Buffer;
  /** Where a byte, or several, next begin between two places; -1 for nowhere. */
  indexOf(wanted: number | Buffer, from: number, to: number): number;
}

/** So much is looked at at a time, of an image that is not in memory. */
export const PIECE_BYTES = 2 ** 16;

export function bytesInMemory(data: Buffer): ImageBytes {
  return {
    length: data.length,
    at: (place) => data[place],
    slice: (from, to) => data.subarray(from, to),
    indexOf: (wanted, from, to) => (to < data.length ? data.subarray(0, to) : data).indexOf(wanted, from),
  };
}

/** A shorter run of zeros is no sign of anything. */
export const STRANGE_RUN_BYTES = 256;
const STRANGE_RUN = Buffer.alloc(STRANGE_RUN_BYTES);

/** Whether there are more zeros in a row than `most`, which is `STRANGE_RUN_BYTES` at least. */
export function hasLongerRun(bytes: ImageBytes, from: number, to: number, most: number): boolean {
  const next = (place: number) => bytes.indexOf(STRANGE_RUN, place, to);
  for (let at = next(from); at >= 0; ) {
    let end = at;
    while (end < to && end - at <= most && bytes.at(end) === 0) end++;
    if (end - at > most) return true;
    at = next(end);
  }
  return false;
}

/**
 * Of an open file, a piece of it at a time: however large it is, looking at it takes no more memory.
 *
 * @param file a descriptor
 * @throws (in its methods) the system's own errors
 */
export function bytesOfFile(file: number, length: number, pieceBytes = PIECE_BYTES): ImageBytes {
  let memory = Buffer.alloc(0);
  /** What of the file is in memory. */
  let [start, end] = [0, 0];

  function load(from: number, to: number): void {
    if (memory.length < to - from) memory = Buffer.allocUnsafeSlow(to - from);
    [start, end] = [from, from];
    while (end < to) {
      const read = readSync(file, memory, end - from, to - end, end);
      if (read === 0) break;
      end += read;
    }
  }

  function slice(from: number, to: number): Buffer {
    const last = Math.min(to, length);
    if (from >= last) return memory.subarray(0, 0);
    if (from < start || last > end) load(from, Math.min(length, Math.max(last, from + pieceBytes)));
    return memory.subarray(from - start, Math.min(last, end) - start);
  }

  function indexOf(wanted: number | Buffer, from: number, to: number): number {
    const last = Math.min(to, length);
    const wantedBytes = typeof wanted === 'number' ? 1 : wanted.length;
    for (let at = from; at + wantedBytes <= last; ) {
      // What is left of the piece that is here is looked at first.
      const isHere = at >= start && at + wantedBytes <= end;
      const part = slice(at, Math.min(last, isHere ? end : at + Math.max(wantedBytes, pieceBytes)));
      const found = part.indexOf(wanted);
      if (found >= 0) return at + found;
      if (part.length < wantedBytes) return -1;
      // It may begin in one piece and end in the next.
      at += part.length - wantedBytes + 1;
    }
    return -1;
  }

  return {
    length,
    at: (place) => (place >= start && place < end ? memory[place - start] : slice(place, place + 1)[0]),
    slice,
    indexOf,
  };
}
