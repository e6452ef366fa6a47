import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, inflateRaw } from 'node:zlib';
import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';
import { DOWNLOAD_AGAIN, zipFault } from './zip-fault.ts';
import type { LocatedEntry } from './zip-limits.ts';

/** An entry with more bytes, packed or unpacked, has to be streamed: it would not fit into a read, or the memory. */
const MAX_READ_BYTES = 2 ** 30;

export const LOCAL_HEADER_BYTES = 30;
/** What is read beyond header, name and data for a local extra field; a longer one costs a second read. */
export const EXTRA_FIELD_ALLOWANCE = 512;
const STREAM_CHUNK_BYTES = 2 ** 20;

const inflate = promisify(inflateRaw);

/**
 * The unpacked bytes of an entry. Header and data come with one read, at a given position, so that any number of
 * entries can be read at a time.
 */
export async function readEntry(zip: string, file: FileHandle, entry: LocatedEntry): Promise<Buffer> {
  const { path, bytes, compressedBytes, method } = entry;
  if (Math.max(bytes, compressedBytes) > MAX_READ_BYTES) {
    throw zipFault(zip, path, `has ${bytes} bytes: too many to be held in memory (at most ${MAX_READ_BYTES}).`);
  }
  const span = LOCAL_HEADER_BYTES + entry.rawName.length + EXTRA_FIELD_ALLOWANCE + compressedBytes;
  const block = await readAt(zip, file, entry, entry.headerOffset, Math.min(span, entry.limit - entry.headerOffset));
  const start = checkLocalHeader(zip, entry, block);
  const packed =
    start + compressedBytes <= block.length
      ? block.subarray(start, start + compressedBytes)
      : await readAt(zip, file, entry, entry.headerOffset + start, compressedBytes);
  const unpacked = method === 0 || compressedBytes === 0 ? packed : await inflateWhole(zip, entry, packed);
  checkContent(zip, entry, unpacked.length, crc32(unpacked));
  return unpacked;
}

async function inflateWhole(zip: string, entry: LocatedEntry, packed: Buffer): Promise<Buffer> {
  try {
    return await inflate(packed, {
      // Never more than the directory promises, whatever the data would grow to.
      maxOutputLength: Math.max(1, entry.bytes),
      // Room for all of it and a little more: unpacked at one stroke, without joining pieces.
      chunkSize: entry.bytes + 64,
    });
  } catch (error) {
    throw systemCodeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? tooManyBytes(zip, entry) : damaged(zip, entry, error);
  }
}

/** The unpacked bytes of an entry in pieces, in flat memory. What is wrong may show only at the end. */
export async function* streamEntry(zip: string, file: FileHandle, entry: LocatedEntry): AsyncGenerator<Buffer> {
  const head = LOCAL_HEADER_BYTES + entry.rawName.length + EXTRA_FIELD_ALLOWANCE;
  const span = Math.min(head, entry.limit - entry.headerOffset);
  const start = checkLocalHeader(zip, entry, await readAt(zip, file, entry, entry.headerOffset, span));
  const packed = readInPieces(zip, file, entry, entry.headerOffset + start);
  const unpacked =
    entry.method === 0 || entry.compressedBytes === 0
      ? packed
      : // A failure of the source reaches the loop below through the stream it is piped into.
        pipeline(Readable.from(packed), createInflateRaw({ chunkSize: STREAM_CHUNK_BYTES }), () => undefined);
  let bytes = 0;
  let crc = 0;
  try {
    for await (const piece of unpacked) {
      bytes += piece.length;
      if (bytes > entry.bytes) throw tooManyBytes(zip, entry);
      crc = crc32(piece, crc);
      yield piece;
    }
  } catch (error) {
    throw error instanceof DiatomError || !systemCodeOf(error)?.startsWith('Z_') ? error : damaged(zip, entry, error);
  }
  checkContent(zip, entry, bytes, crc);
}

async function* readInPieces(
  zip: string,
  file: FileHandle,
  entry: LocatedEntry,
  start: number,
): AsyncGenerator<Buffer> {
  for (let done = 0; done < entry.compressedBytes; done += STREAM_CHUNK_BYTES) {
    yield await readAt(zip, file, entry, start + done, Math.min(STREAM_CHUNK_BYTES, entry.compressedBytes - done));
  }
}

async function readAt(
  zip: string,
  file: FileHandle,
  entry: LocatedEntry,
  position: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) throw zipFault(zip, entry.path, `is cut short: the file ends within it. ${DOWNLOAD_AGAIN}`);
    filled += bytesRead;
  }
  return buffer;
}

/**
 * Where an entry's data begin, counted from its local header (APPNOTE.TXT 4.3.7), once that agrees with the directory:
 * programs differ in which of the two they believe, so that a zip could hold one thing for a check and another for its
 * user.
 */
export function checkLocalHeader(zip: string, entry: LocatedEntry, header: Buffer): number {
  const differs = (what: string) =>
    zipFault(zip, entry.path, `is described differently in two places of the zip (${what}). ${DOWNLOAD_AGAIN}`);
  if (header.readUInt32LE(0) !== 0x04034b50) throw differs('its own header is missing');
  const flags = header.readUInt16LE(6);
  const method = header.readUInt16LE(8);
  const nameLength = header.readUInt16LE(26);
  const name = header.toString('latin1', LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + nameLength);
  if (name.length !== nameLength || !isSameName(name, entry)) throw differs('its name');
  if (method !== entry.method) throw differs(`its compression method, ${method} and ${entry.method}`);
  if (flags & 1) throw differs('whether it is encrypted');
  // With bit 3 checksum and sizes follow the data instead; a size of 0xffffffff stands in a zip64 field.
  if (!(flags & 8)) {
    const sizes = [header.readUInt32LE(18), header.readUInt32LE(22)] as const;
    const agrees = (found: number, expected: number) => found === 0xffffffff || found === expected;
    if (header.readUInt32LE(14) !== entry.crc32) throw differs('its checksum');
    if (!agrees(sizes[0], entry.compressedBytes) || !agrees(sizes[1], entry.bytes)) throw differs('its size');
  }
  const start = LOCAL_HEADER_BYTES + nameLength + header.readUInt16LE(28);
  if (entry.headerOffset + start + entry.compressedBytes > entry.limit) {
    throw zipFault(zip, entry.path, `overlaps with what follows it in the zip. ${DOWNLOAD_AGAIN}`);
  }
  return start;
}

/**
 * Whether a name before the data (its bytes, one a character) is the directory's. IZArc and others write one of the two
 * slashes here and the other there; PKZIP writes UTF-8 here, and there the old encoding with the name in a field.
 */
function isSameName(name: string, { rawName, path }: LocatedEntry): boolean {
  if (name === rawName) return true;
  return withSlashes(name) === withSlashes(rawName) || Buffer.from(name, 'latin1').toString('utf8') === path;
}

function withSlashes(name: string): string {
  return name.replaceAll('\\', '/');
}

export function checkContent(zip: string, entry: LocatedEntry, bytes: number, crc: number): void {
  if (bytes !== entry.bytes) {
    throw zipFault(zip, entry.path, `has ${bytes} bytes and should have ${entry.bytes}. ${DOWNLOAD_AGAIN}`);
  }
  if (crc !== entry.crc32) {
    throw zipFault(
      zip,
      entry.path,
      `is damaged: its checksum (CRC-32) is ${hex(crc)} and should be ${hex(entry.crc32)}. ${DOWNLOAD_AGAIN}`,
    );
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

export function damaged(zip: string, entry: LocatedEntry, cause: unknown): DiatomError {
  return zipFault(zip, entry.path, `is damaged: it can’t be unpacked (${messageOf(cause)}). ${DOWNLOAD_AGAIN}`, cause);
}

export function tooManyBytes(zip: string, entry: LocatedEntry): DiatomError {
  return zipFault(
    zip,
    entry.path,
    `unpacks to more than the ${entry.bytes} bytes that the zip promises: it is damaged, or made to fill the disk. ${DOWNLOAD_AGAIN}`,
  );
}
