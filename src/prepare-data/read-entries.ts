/** How a thread reads the entries of a zip. */
import { hash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { createEntryReader } from '../archive/entry-reader.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { onDisk } from '../files/disk-failure.ts';
import { throwIfEnding } from '../parallel/thread-program.ts';
import { createFileBatch, type FileBatch } from './file-batch.ts';
import { unpack } from './large-image.ts';
import type { ZipPart } from './thread-jobs.ts';

/**
 * An entry larger than this is not held in memory, and so never deflated: it goes to its place in pieces, for which its
 * size in the archive has to be known first.
 */
export const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

const reader = createEntryReader();
let source: { readonly path: string; readonly file: number } | undefined;

/** @returns the entry's bytes, checked; they are the reader's, until the next are read */
export function readEntry(zip: ZipPart['zip'], entry: ZipEntry): Uint8Array {
  const file = openSource(zip.path);
  return onDisk('read', zip.path, () => reader.read(zip.name, file, entry));
}

export function readFiles({ zip, entries }: ZipPart): FileBatch {
  const held = entries.filter(({ bytes }) => bytes <= MAX_BUFFERED_BYTES);
  const files = createFileBatch(held.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const entry of entries) {
    throwIfEnding();
    const isHeld = entry.bytes <= MAX_BUFFERED_BYTES;
    files.add(isHeld ? readEntry(zip, entry) : undefined);
  }
  return files.batch();
}

export async function hashesOf({ zip, entries }: ZipPart): Promise<string[]> {
  const hashes: string[] = [];
  for (const entry of entries) {
    throwIfEnding();
    hashes.push(
      entry.bytes > MAX_BUFFERED_BYTES
        ? await unpack(zip, entry, () => undefined)
        : hash('sha256', readEntry(zip, entry), 'hex'),
    );
  }
  return hashes;
}

/** Requests come about one source after the other, so one open source is enough. */
export function openSource(path: string): number {
  if (source?.path === path) return source.file;
  if (source) closeSync(source.file);
  source = undefined;
  const file = onDisk('read', path, () => openSync(path, 'r'));
  source = { path, file };
  return file;
}
