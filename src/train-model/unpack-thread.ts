/**
 * A thread that unpacks entries of a zip to files of their own. It waits for the disk at every step, which is fastest for many
 * small files; several of them keep a disk busy that is far away, as those of clusters are.
 */
import { writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { streamEntry } from '../archive/entry-data.ts';
import { createEntryReader } from '../archive/entry-reader.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { diskFailure, onDisk, onDiskLater } from '../files/disk-failure.ts';
import { fileIdentity } from '../files/file-identity.ts';
import { answerRequests, startData, throwIfEnding } from '../parallel/thread-program.ts';

/** What a thread is started with: where the zip is, and how errors name it. */
export interface UnpackData {
  readonly path: string;
  readonly name: string;
}

/** An entry and the path that its file gets, which must not be there yet; its folder is. */
export interface Unpacking {
  readonly entry: ZipEntry;
  readonly place: string;
}

export interface UnpackRequest {
  readonly files: readonly Unpacking[];
}

export interface UnpackReply {
  /** Which file was read, whatever name it has by now: see `fileIdentity`. */
  readonly identity: string;
}

/** An entry larger than this is not held in memory: every thread may hold one. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;

const zip = startData<UnpackData>();
const reader = createEntryReader();
let source: ReturnType<typeof openSource> | undefined;

answerRequests<UnpackRequest, UnpackReply>(async ({ files }) => {
  source ??= openSource();
  const { handle, identity } = await source;
  for (const { entry, place } of files) {
    throwIfEnding();
    if (Math.max(entry.bytes, entry.compressedBytes) > MAX_BUFFERED_BYTES) await unpackLarge(handle, entry, place);
    else {
      const data = onDisk('read', zip.path, () => reader.read(zip.name, handle.fd, entry));
      onDisk('write', place, () => writeFileSync(place, data, { flag: 'wx' }));
    }
  }
  return { identity };
});

/** It stays open: what it is called may change, and its bytes then are still the same. */
async function openSource() {
  const handle = await onDiskLater('read', zip.path, () => open(zip.path));
  return { handle, identity: fileIdentity(await handle.stat({ bigint: true })) };
}

async function unpackLarge(handle: FileHandle, entry: ZipEntry, place: string): Promise<void> {
  const file = await onDiskLater('write', place, () => open(place, 'wx'));
  try {
    for await (const piece of streamEntry(zip.name, handle, entry)) {
      throwIfEnding();
      await onDiskLater('write', place, () => file.writeFile(piece));
    }
  } catch (error) {
    await file.close().catch(() => {});
    throw diskFailure('read', zip.path, error);
  }
  // Disks that are far away may say only here that they are full.
  await onDiskLater('write', place, () => file.close());
}
