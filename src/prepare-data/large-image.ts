import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { streamEntry } from '../archive/entry-data.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { diskFailure, onDisk } from '../files/disk-failure.ts';
import { throwIfEnding } from '../parallel/thread-program.ts';

/** An image that is too large to be held in memory, unpacked to the disk: there any part of it can be looked at. */
export interface LargeImage {
  /** A descriptor, to be read from. */
  readonly file: number;
  /** What the file is or was called. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  close(): void;
  /** Closes it; the file is gone then. */
  remove(): void;
}

/** Where a large image is unpacked to. */
export interface UnpackTo {
  /** The file that stays; `undefined` for one that nobody sees. */
  readonly target: string | undefined;
  /** The folder of that one, with what its name begins with. */
  readonly beside: string;
}

/** @throws DiatomError `ZIP`, `DISK`; then no file stays */
export async function unpackLarge(
  zip: { readonly path: string; readonly name: string },
  entry: ZipEntry,
  { target, beside }: UnpackTo,
): Promise<LargeImage> {
  const path = target ?? `${beside}.${randomUUID()}`;
  const file = onDisk('write', path, () => openSync(path, target === undefined ? 'wx+' : 'w+'));
  // It keeps its place on the disk as long as it is open; whatever ends this program, nothing is left of it.
  if (target === undefined) onDisk('write', path, () => rmSync(path));
  const close = () => closeSync(file);
  const remove = () => {
    close();
    rmSync(path, { force: true });
  };
  try {
    const sha256 = await unpack(zip, entry, (piece) => onDisk('write', path, () => writeFileSync(file, piece)));
    return { file, path, sha256, close, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** @returns the SHA-256 of an entry, hexadecimal, whose bytes `take` gets */
export async function unpack(
  zip: { readonly path: string; readonly name: string },
  entry: ZipEntry,
  take: (piece: Buffer) => void,
): Promise<string> {
  const sum = createHash('sha256');
  const zipFile = await open(zip.path).catch((error: unknown) => {
    throw diskFailure('read', zip.path, error);
  });
  try {
    for await (const piece of streamEntry(zip.name, zipFile, entry)) {
      throwIfEnding();
      sum.update(piece);
      take(piece);
    }
    return sum.digest('hex');
  } catch (error) {
    throw diskFailure('read', zip.path, error);
  } finally {
    await zipFile.close();
  }
}
