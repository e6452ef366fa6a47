/** Files on their way from one thread to another, in one piece of memory. */
export interface FileBatch {
  readonly data: Uint8Array<ArrayBuffer>;
  /** Where each ends in it; one that has no bytes was too large to be held. */
  readonly ends: readonly number[];
}

/** @param bytes of all that will be added, at most */
export function createFileBatch(bytes: number) {
  const data = new Uint8Array(bytes);
  const ends: number[] = [];
  return {
    add(file: Uint8Array | undefined): void {
      const start = ends.at(-1) ?? 0;
      if (file) data.set(file, start);
      ends.push(start + (file?.length ?? 0));
    },
    batch: (): FileBatch => ({ data, ends }),
  };
}

/** The files again, as views. */
export function* filesOf({ data, ends }: FileBatch): Generator<Buffer> {
  for (const [index, end] of ends.entries()) {
    const start = ends[index - 1] ?? 0;
    yield Buffer.from(data.buffer, data.byteOffset + start, end - start);
  }
}
