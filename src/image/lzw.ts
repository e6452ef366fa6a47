/** Codes that are no strings (TIFF 6.0, section 13), and the first that becomes one. */
const [CLEAR, END, FIRST] = [256, 257, 258];

const [MIN_BITS, MAX_BITS] = [9, 12];

/** Of each code, where its string begins in what is unpacked, and its length. Used again: what is left of another time is not read. */
const starts = new Uint32Array(2 ** MAX_BITS);
const lengths = new Uint32Array(2 ** MAX_BITS);

/**
 * Unpacks the LZW of TIFF. Each string of its table lies somewhere in what is unpacked already, as it is the string before
 * with the byte that follows there: so the table has places, and no bytes.
 *
 * @param bytes at most so many are unpacked
 * @returns fewer where the data end before
 * @throws Error for a code that can't be there
 */
export function unpackLzw(data: Uint8Array, bytes: number): Uint8Array {
  const output = new Uint8Array(bytes);
  let next: number = FIRST;
  let width: number = MIN_BITS;
  /** The string before, which ends where the output ends so far. */
  let [end, before] = [0, 0];
  let [held, bits] = [0, 0];
  for (let at = 0; at < data.length && end < bytes; at++) {
    held = ((held << 8) | (data[at] ?? 0)) & 0xfffff;
    bits += 8;
    if (bits < width) continue;
    bits -= width;
    const code = (held >>> bits) & ((1 << width) - 1);
    if (code === END) break;
    if (code === CLEAR) {
      next = FIRST;
      width = MIN_BITS;
      before = 0;
      continue;
    }
    if (before > 0 && next < 1 << MAX_BITS) {
      starts[next] = end - before;
      lengths[next] = before + 1;
      next++;
      // Codes get longer one code earlier than they have to.
      if (next === (1 << width) - 1 && width < MAX_BITS) width++;
    }
    if (code < CLEAR) {
      output[end] = code;
      before = 1;
    } else {
      if (code >= next) throw new Error('The LZW data have a code that is not known yet');
      const start = starts[code] ?? 0;
      before = Math.min(lengths[code] ?? 0, bytes - end);
      // Byte by byte: a string may reach into itself.
      for (let index = 0; index < before; index++) output[end + index] = output[start + index] ?? 0;
    }
    end += before;
  }
  return output.subarray(0, end);
}
