import type { FileHandle } from 'node:fs/promises';

/** The bytes of a file that can be read at any place, wherever it is. */
export interface RandomAccess {
  /** How many there are. */
  readonly length: number;
  /** Bytes from a position on; fewer than asked for only at the end. */
  read(position: number, length: number): Promise<Buffer>;
}

export async function randomAccess(file: FileHandle): Promise<RandomAccess> {
  const { size } = await file.stat();
  return {
    length: size,
    async read(position, length) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    },
  };
}
