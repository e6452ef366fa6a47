import { readSync } from 'node:fs';
import { crc32, inflateRawSync } from 'node:zlib';
import { systemCodeOf } from '../errors.ts';
import { freeMemory } from '../parallel/free-memory.ts';
import {
  checkContent,
  checkLocalHeader,
  damaged,
  EXTRA_FIELD_ALLOWANCE,
  LOCAL_HEADER_BYTES,
  tooManyBytes,
} from './entry-data.ts';
import { DOWNLOAD_AGAIN, zipFault } from './zip-fault.ts';
import type { LocatedEntry } from './zip-limits.ts';

/** Reads entries one after the other, for a thread that may wait for them: several times faster than promises are. */
export interface EntryReader {
  /**
   * The unpacked bytes of an entry, checked as `readEntry` does. They are gone with the next read.
   *
   * @param file a descriptor of the zip
   * @throws DiatomError `ZIP`; the system's own errors
   */
  read(zip: string, file: number, entry: LocatedEntry): Uint8Array;
}

/** A reader with a buffer of its own, as large as the largest packed entry. */
export function createEntryReader(): EntryReader {
  let buffer = Buffer.alloc(0);
  let inflated: Uint8Array | undefined;

  /** Bytes of the file at a position; fewer only at its end. */
  function readAt(file: number, position: number, length: number): Buffer {
    if (buffer.length < length) buffer = Buffer.allocUnsafeSlow(Math.ceil(length / 2 ** 20) * 2 ** 20);
    let filled = 0;
    while (filled < length) {
      const bytes = readSync(file, buffer, filled, length - filled, position + filled);
      if (bytes === 0) break;
      filled += bytes;
    }
    return buffer.subarray(0, filled);
  }

  return {
    read(zip, file, entry) {
      // A buffer with more than the pool has a memory of its own.
      if (inflated && inflated.buffer.byteLength > Buffer.poolSize) freeMemory(inflated.buffer);
      inflated = undefined;
      const { compressedBytes, headerOffset } = entry;
      const span = LOCAL_HEADER_BYTES + entry.rawName.length + EXTRA_FIELD_ALLOWANCE + compressedBytes;
      const block = readAt(file, headerOffset, Math.min(span, entry.limit - headerOffset));
      if (block.length < LOCAL_HEADER_BYTES) throw cutShort(zip, entry);
      const start = checkLocalHeader(zip, entry, block);
      const packed =
        start + compressedBytes <= block.length
          ? block.subarray(start, start + compressedBytes)
          : readAt(file, headerOffset + start, compressedBytes);
      if (packed.length < compressedBytes) throw cutShort(zip, entry);
      if (entry.method !== 0 && compressedBytes > 0) inflated = inflate(zip, entry, packed);
      const unpacked = inflated ?? packed;
      checkContent(zip, entry, unpacked.length, crc32(unpacked));
      return unpacked;
    },
  };
}

function inflate(zip: string, entry: LocatedEntry, packed: Uint8Array): Uint8Array {
  try {
    // Never more than the directory promises, whatever the data would grow to; unpacked at one stroke, into memory of
    // its own (small buffers share a pool).
    const chunkSize = Math.max(entry.bytes, Buffer.poolSize) + 64;
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.bytes), chunkSize });
  } catch (error) {
    throw systemCodeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? tooManyBytes(zip, entry) : damaged(zip, entry, error);
  }
}

function cutShort(zip: string, entry: LocatedEntry): Error {
  return zipFault(zip, entry.path, `is cut short: the file ends within it. ${DOWNLOAD_AGAIN}`);
}
