import { readSync } from 'node:fs';
import { constants, crc32, inflateRawSync } from 'node:zlib';
import { systemCodeOf } from '../errors.ts';
import { release } from '../release.ts';
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
  /**
   * The first `BEGINNING_BYTES` unpacked bytes of an entry, or all of a shorter one, from as few bytes of the zip.
   *
   * @throws as `read`; a damage further on does not show
   */
  readBeginning(zip: string, file: number, entry: LocatedEntry): Uint8Array;
}

export const BEGINNING_BYTES = 4_096;

/** Deflate makes what it can't shrink a little longer: an eighth at worst, and the tables of a block. */
const PACKED_BEGINNING_BYTES = BEGINNING_BYTES + BEGINNING_BYTES / 8 + 1_024;

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

  /** The packed bytes of an entry, or so many of them. */
  function readPacked(zip: string, file: number, entry: LocatedEntry, wanted: number): Buffer {
    const { headerOffset } = entry;
    const span = LOCAL_HEADER_BYTES + entry.rawName.length + EXTRA_FIELD_ALLOWANCE + wanted;
    const block = readAt(file, headerOffset, Math.min(span, entry.limit - headerOffset));
    if (block.length < LOCAL_HEADER_BYTES) throw cutShort(zip, entry);
    const start = checkLocalHeader(zip, entry, block);
    const packed =
      start + wanted <= block.length
        ? block.subarray(start, start + wanted)
        : readAt(file, headerOffset + start, wanted);
    if (packed.length < wanted) throw cutShort(zip, entry);
    return packed;
  }

  return {
    read(zip, file, entry) {
      // A buffer with more than the pool has a memory of its own.
      if (inflated && inflated.buffer.byteLength > Buffer.poolSize) release(inflated.buffer);
      inflated = undefined;
      const { compressedBytes } = entry;
      const packed = readPacked(zip, file, entry, compressedBytes);
      if (entry.method !== 0 && compressedBytes > 0) inflated = inflate(zip, entry, packed);
      const unpacked = inflated ?? packed;
      checkContent(zip, entry, unpacked.length, crc32(unpacked));
      return unpacked;
    },

    readBeginning(zip, file, entry) {
      const { bytes, compressedBytes } = entry;
      const wanted = Math.min(BEGINNING_BYTES, bytes);
      if (compressedBytes <= PACKED_BEGINNING_BYTES) return this.read(zip, file, entry).subarray(0, wanted);
      const packed = readPacked(zip, file, entry, PACKED_BEGINNING_BYTES);
      const unpacked = entry.method === 0 ? packed : inflateBeginning(zip, entry, packed);
      return unpacked.length < wanted ? this.read(zip, file, entry).subarray(0, wanted) : unpacked.subarray(0, wanted);
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

/** What the first part of deflated data unpacks to: it may end anywhere. */
function inflateBeginning(zip: string, entry: LocatedEntry, packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw damaged(zip, entry, error);
  }
}

function cutShort(zip: string, entry: LocatedEntry): Error {
  return zipFault(zip, entry.path, `is cut short: the file ends within it. ${DOWNLOAD_AGAIN}`);
}
