/** Writes a TIFF: parts (strips or tiles), then a directory whose tag for where they are gets their places. */
export function tiffOf(
  tags: ReadonlyMap<number, number | readonly number[]>,
  { parts, partsTag, isLittle = true }: { parts: readonly Buffer[]; partsTag: number; isLittle?: boolean },
): Buffer {
  const [head, long] = [8, 4];
  let end = head;
  const places = parts.map((part) => {
    end += part.length;
    return end - part.length;
  });
  const entries = [...tags, [partsTag, places] as const].sort(([a], [b]) => a - b);
  const lists = entries.reduce((sum, [, values]) => sum + (typeof values === 'number' ? 0 : values.length), 0);
  const file = Buffer.concat([Buffer.alloc(head), ...parts, Buffer.alloc(2 + 12 * entries.length + 4 + long * lists)]);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  file.write(isLittle ? 'II' : 'MM', 'latin1');
  view.setUint16(2, 42, isLittle);
  view.setUint32(4, end, isLittle);
  view.setUint16(end, entries.length, isLittle);
  let list = end + 2 + 12 * entries.length + 4;
  for (const [index, [tag, value]] of entries.entries()) {
    const at = end + 2 + 12 * index;
    const values = typeof value === 'number' ? [value] : value;
    view.setUint16(at, tag, isLittle);
    view.setUint16(at + 2, 4, isLittle);
    view.setUint32(at + 4, values.length, isLittle);
    view.setUint32(at + 8, list, isLittle);
    const place = values.length === 1 ? at + 8 : list;
    for (const [number, one] of values.entries()) view.setUint32(place + long * number, one, isLittle);
    if (values.length > 1) list += long * values.length;
  }
  return file;
}

/** A TIFF of grey values with 16 bits in one strip, as ImageJ writes it. */
export function grey16Tiff(values: Uint16Array, width: number): Buffer {
  const height = values.length / width;
  const tags = new Map([
    [256, width],
    [257, height],
    [258, 16],
    [259, 1],
    [262, 1],
    [277, 1],
    [278, height],
    [279, values.byteLength],
  ]);
  return tiffOf(tags, { parts: [Buffer.from(values.buffer)], partsTag: 273 });
}
