/** How a thread writes entries to the archive: to the places that it was given there, header and data, whole. */
import { openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { deflateEntry } from '../archive/deflate-entry.ts';
import {
  DEFLATED,
  directoryRecord,
  localHeader,
  localHeaderLength,
  STORED,
  type WrittenEntry,
} from '../archive/zip-records.ts';
import { DiatomError } from '../errors.ts';
import { onDisk } from '../files/disk-failure.ts';
import { startData, throwIfEnding } from '../parallel/thread-program.ts';

/** What is read and written at a time of what is not held in memory. */
export const PIECE_BYTES = 2 ** 20;

/** What becomes an entry. */
interface Unpacked extends Pick<WrittenEntry, 'name' | 'crc32'> {
  readonly fileName: string;
  readonly data: Uint8Array;
}

/** Entries of the archive, header and data, until they have their place. */
let segment = Buffer.alloc(0);
let archive: number | undefined;

/** Puts an entry, header and data, into the segment. */
export function packEntry(offset: number, { name, fileName, data, crc32 }: Unpacked): WrittenEntry {
  const start = offset + storedLength(name, 0);
  if (segment.length < start + data.length) {
    const larger = Buffer.allocUnsafeSlow(Math.ceil((start + data.length) / 2 ** 20) * 2 ** 20);
    larger.set(segment.subarray(0, offset));
    segment = larger;
  }
  const room = segment.subarray(start);
  const deflated = deflateEntry(fileName, data, room);
  if (deflated === undefined) room.set(data);
  const entry = {
    name,
    bytes: data.length,
    compressedBytes: deflated ?? data.length,
    method: deflated === undefined ? STORED : DEFLATED,
    crc32,
    offset,
  };
  segment.set(localHeader(entry), offset);
  return entry;
}

/** Writes the segment to its place. @returns its entries, with their offsets in the archive */
export function writeSegment(entries: readonly WrittenEntry[], length: number, start: number): WrittenEntry[] {
  writeAt(segment.subarray(0, length), start);
  return entries.map((entry) => ({ ...entry, offset: start + entry.offset }));
}

/**
 * Copies a file of so many bytes into the archive, as it is. The checksum stands before the data in a zip, and is known
 * after them: the header is written last.
 *
 * @param onPiece is told what was copied
 */
export function copyEntry(
  file: { readonly file: number; readonly path: string; readonly bytes: number },
  { name, offset }: Pick<WrittenEntry, 'name' | 'offset'>,
  onPiece?: (piece: Uint8Array) => void,
): WrittenEntry {
  const { bytes } = file;
  const crc = copyFile(file, offset + storedLength(name, bytes) - bytes, onPiece);
  const entry = { name, bytes, compressedBytes: bytes, method: STORED, crc32: crc, offset };
  writeAt(localHeader(entry), offset);
  return entry;
}

/**
 * Copies a file of so many bytes to a place in the archive, a piece at a time.
 *
 * @returns its CRC-32
 */
function copyFile(
  { file, path, bytes }: { readonly file: number; readonly path: string; readonly bytes: number },
  position: number,
  onPiece?: (piece: Uint8Array) => void,
): number {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let [copied, crc] = [0, 0];
  for (;;) {
    throwIfEnding();
    const read = onDisk('read', path, () => readSync(file, piece, 0, PIECE_BYTES, copied));
    if (copied + read > bytes || (read === 0 && copied < bytes)) throw changed(path);
    if (read === 0) return crc;
    const data = piece.subarray(0, read);
    crc = crc32(data, crc);
    onPiece?.(data);
    writeAt(data, position + copied);
    copied += read;
  }
}

/** In memory of its own: of a small buffer all the memory that it shares with others would be sent. */
export function recordsOf(entries: readonly WrittenEntry[]): Uint8Array {
  return new Uint8Array(Buffer.concat(entries.map(directoryRecord)));
}

/** Of header and data. An entry that is deflated is small enough for a header of the same length. */
export function storedLength(name: Buffer, bytes: number): number {
  return localHeaderLength({ name, bytes, compressedBytes: bytes }) + bytes;
}

function writeAt(data: Uint8Array, position: number): void {
  const path = startData<string>();
  onDisk('write', path, () => {
    const file = archive ?? openSync(path, 'r+');
    archive = file;
    for (let done = 0; done < data.length; ) {
      done += writeSync(file, data, done, data.length - done, position + done);
    }
  });
}

export function changed(path: string): DiatomError {
  const advice = 'let nothing write to it, and start again';
  return new DiatomError('DISK', `The file ${path} changed before it was in the archive: ${advice}.`);
}
