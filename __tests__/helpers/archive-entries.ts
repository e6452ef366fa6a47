import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import { entryName } from '../../src/archive/entry-name.ts';
import { directoryRecord, localHeader, STORED, type WrittenEntry } from '../../src/archive/zip-records.ts';

export interface Content {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Puts entries, stored, into an archive, as threads do: into one segment. */
export async function addEntries(archive: ArchiveWriter, contents: readonly Content[]): Promise<void> {
  const { bytes, recordsAt } = segmentOf(contents);
  const { offset, written } = await archive.addSegment(bytes.length);
  writeAt(archive.file.path, bytes, offset);
  written(contents.length, recordsAt(offset));
}

/** Entries, stored, as they stand in an archive, and their records in its directory. */
export function segmentOf(contents: readonly Content[]) {
  const entries: WrittenEntry[] = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data } of contents) {
    const sizes = { bytes: data.length, compressedBytes: data.length };
    const entry = { name: entryName(name), ...sizes, method: STORED, crc32: crc32(data), offset };
    const header = localHeader(entry);
    entries.push(entry);
    parts.push(header, data);
    offset += header.length + data.length;
  }
  return {
    bytes: Buffer.concat(parts),
    recordsAt: (start: number) =>
      Buffer.concat(entries.map((entry) => directoryRecord({ ...entry, offset: start + entry.offset }))),
  };
}

export function writeAt(path: string, bytes: Uint8Array, offset: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, undefined, offset);
  closeSync(file);
}
