/** How a thread puts a whole file into the archive: the manifest, the report, a zip as it was downloaded. */
import { createHash, hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { entryName } from '../archive/entry-name.ts';
import type { WrittenEntry } from '../archive/zip-records.ts';
import { onDisk } from '../files/disk-failure.ts';
import { openSource } from './read-entries.ts';
import type { FileJob, Filled, Prepared } from './thread-jobs.ts';
import { changed, copyEntry, packEntry, recordsOf, storedLength, writeSegment } from './write-entries.ts';

/** A larger file that is no image is copied as it is, in pieces: it is not held in memory. */
const MAX_DEFLATED_FILE = 2 ** 20;

export function prepareFile(job: FileJob): Prepared {
  const bytes = onDisk('read', job.path, () => statSync(job.path).size);
  return bytes <= MAX_DEFLATED_FILE ? prepareSmallFile(job) : prepareLargeFile(job, bytes);
}

function prepareSmallFile({ path, name, sha256 }: FileJob): Prepared {
  const data = onDisk('read', path, () => readFileSync(path));
  if (sha256 !== undefined && hash('sha256', data, 'hex') !== sha256) throw changed(path);
  const nameBytes = entryName(name);
  const entry = packEntry(0, { name: nameBytes, fileName: name, data, crc32: crc32(data) });
  const length = storedLength(nameBytes, entry.compressedBytes);
  return { length, write: (start) => filledFile(writeSegment([entry], length, start)) };
}

function prepareLargeFile({ path, name, sha256 }: FileJob, bytes: number): Prepared {
  const file = openSource(path);
  const nameBytes = entryName(name);
  return {
    length: storedLength(nameBytes, bytes),
    write(offset) {
      const sum = sha256 === undefined ? undefined : createHash('sha256');
      const entry = copyEntry({ file, path, bytes }, { name: nameBytes, offset }, (piece) => sum?.update(piece));
      if (sum && sum.digest('hex') !== sha256) throw changed(path);
      return filledFile([entry]);
    },
  };
}

function filledFile(entries: readonly WrittenEntry[]): Filled {
  const nothing = { manifest: '', unreadable: [], broken: [], pictures: [], sizes: [], files: undefined };
  return { entries: 1, bytes: 0, records: recordsOf(entries), ...nothing };
}
