/**
 * Packs bytes as TIFF's LZW (TIFF 6.0, section 13): strings by a table, codes of 9 to 12 bits that get longer one early.
 *
 * @param clears whether a table that is full is cleared, as it should be, or used to the end
 */
export function packLzw(data: Uint8Array, clears = true): Buffer {
  const [clear, end, first] = [256, 257, 258];
  const output: number[] = [];
  let [held, bits, width] = [0, 0, 9];
  const put = (code: number) => {
    held = (held << width) | code;
    bits += width;
    for (; bits >= 8; bits -= 8) output.push((held >>> (bits - 8)) & 255);
    held &= (1 << bits) - 1;
  };
  let table = new Map<string, number>();
  let string = '';
  const codeOf = (text: string) => (text.length === 1 ? text.charCodeAt(0) : (table.get(text) ?? Number.NaN));
  put(clear);
  for (const byte of data) {
    const longer = string + String.fromCharCode(byte);
    if (longer.length === 1 || table.has(longer)) {
      string = longer;
      continue;
    }
    put(codeOf(string));
    if (first + table.size < 4_096) table.set(longer, first + table.size);
    if (clears && first + table.size === 4_095) {
      put(clear);
      [table, width] = [new Map(), 9];
    } else if (first + table.size === 1 << width && width < 12) {
      width++;
    }
    string = String.fromCharCode(byte);
  }
  if (string !== '') put(codeOf(string));
  // The decoder has one string more than the packer by now.
  if (first + table.size + 1 === 1 << width && width < 12) width++;
  put(end);
  if (bits > 0) output.push((held << (8 - bits)) & 255);
  return Buffer.from(output);
}
