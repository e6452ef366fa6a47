/**
 * The records of a zip as APPNOTE.TXT 6.3.10 lays them out (section numbers below). The date is always 1980-01-01 00:00,
 * the earliest there is, and the mode always 0644: the bytes follow from names and contents alone.
 */

/** One entry that has been written. */
export interface WrittenEntry {
  /** UTF-8, '/'-separated. */
  readonly name: Buffer;
  readonly bytes: number;
  /** As many as `bytes` when it is stored. */
  readonly compressedBytes: number;
  /** `STORED` or `DEFLATED`. */
  readonly method: number;
  /** Of the unpacked bytes. */
  readonly crc32: number;
  /** Where its local header begins. */
  readonly offset: number;
}

/** Compression methods (4.4.5). */
export const STORED = 0;
export const DEFLATED = 8;

/** The largest numbers that fit; a field with all bits set sends the reader to a zip64 field (4.4.1.4). */
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;

const VERSION_PLAIN = 20;
const VERSION_ZIP64 = 45;
const MADE_ON_UNIX = 3 << 8;
const REGULAR_FILE_0644 = 0o100644;
const UTF8_NAME = 1 << 11;
const MIDNIGHT = 0;
const FIRST_OF_JANUARY_1980 = (1 << 5) | 1;

/**
 * 4.3.7. Checksum and sizes are known beforehand, so that no data descriptor (which some readers refuse) has to follow.
 */
export function localHeader(entry: WrittenEntry): Buffer {
  const { name, bytes, compressedBytes } = entry;
  const isLarge = needsZip64(entry);
  const record = Buffer.allocUnsafe(localHeaderLength(entry));
  record.writeUInt32LE(0x04034b50, 0);
  const zip64 = isLarge ? [bytes, compressedBytes] : [];
  writeCommonFields(record, 4, entry, isLarge ? { bytes: MAX_32, compressedBytes: MAX_32 } : entry, zip64.length);
  record.set(name, 30);
  writeZip64Field(record, 30 + name.length, zip64);
  return record;
}

/** It depends on nothing but the name's length, and on whether the sizes need a zip64 field. */
export function localHeaderLength(entry: Pick<WrittenEntry, 'name' | 'bytes' | 'compressedBytes'>): number {
  return 30 + entry.name.length + zip64Length(needsZip64(entry) ? 2 : 0);
}

/** In a local header the zip64 field holds both sizes, as soon as one doesn't fit (4.5.3). */
function needsZip64({ bytes, compressedBytes }: Pick<WrittenEntry, 'bytes' | 'compressedBytes'>): boolean {
  return Math.max(bytes, compressedBytes) >= MAX_32;
}

/** 4.3.12 */
export function directoryRecord(entry: WrittenEntry): Buffer {
  const { name, bytes, compressedBytes, offset } = entry;
  // Here the zip64 field holds only what doesn't fit.
  const zip64 = [bytes, compressedBytes, offset].filter((number) => number >= MAX_32);
  const sizes = { bytes: Math.min(bytes, MAX_32), compressedBytes: Math.min(compressedBytes, MAX_32) };
  const record = Buffer.allocUnsafe(46 + name.length + zip64Length(zip64.length)).fill(0, 0, 46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 4);
  writeCommonFields(record, 6, entry, sizes, zip64.length);
  record.writeUInt32LE(REGULAR_FILE_0644 * 2 ** 16, 38);
  record.writeUInt32LE(Math.min(offset, MAX_32), 42);
  record.set(name, 46);
  writeZip64Field(record, 46 + name.length, zip64);
  return record;
}

/**
 * The 26 bytes that both kinds of header have in common, from “version needed to extract” to the extra field's length.
 */
function writeCommonFields(
  record: Buffer,
  at: number,
  { name, method, crc32 }: Pick<WrittenEntry, 'name' | 'method' | 'crc32'>,
  { bytes, compressedBytes }: Pick<WrittenEntry, 'bytes' | 'compressedBytes'>,
  zip64Numbers: number,
): void {
  record.writeUInt16LE(zip64Numbers > 0 ? VERSION_ZIP64 : VERSION_PLAIN, at);
  record.writeUInt16LE(UTF8_NAME, at + 2);
  record.writeUInt16LE(method, at + 4);
  record.writeUInt16LE(MIDNIGHT, at + 6);
  record.writeUInt16LE(FIRST_OF_JANUARY_1980, at + 8);
  record.writeUInt32LE(crc32, at + 10);
  record.writeUInt32LE(compressedBytes, at + 14);
  record.writeUInt32LE(bytes, at + 18);
  record.writeUInt16LE(name.length, at + 22);
  record.writeUInt16LE(zip64Length(zip64Numbers), at + 24);
}

function zip64Length(numbers: number): number {
  return numbers === 0 ? 0 : 4 + 8 * numbers;
}

/** 4.5.3; nothing without numbers. */
function writeZip64Field(record: Buffer, at: number, numbers: readonly number[]): void {
  if (numbers.length === 0) return;
  record.writeUInt16LE(0x0001, at);
  record.writeUInt16LE(8 * numbers.length, at + 2);
  for (const [index, number] of numbers.entries()) record.writeBigUInt64LE(BigInt(number), at + 4 + 8 * index);
}

/**
 * The end of central directory record (4.3.16), after its zip64 twin and locator (4.3.14, 4.3.15) where numbers don't
 * fit.
 */
export function endRecords(entries: number, directoryStart: number, directoryBytes: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(directoryBytes, MAX_32), 12);
  end.writeUInt32LE(Math.min(directoryStart, MAX_32), 16);
  if (entries < MAX_16 && directoryBytes < MAX_32 && directoryStart < MAX_32) return end;

  const zip64End = Buffer.alloc(56);
  zip64End.writeUInt32LE(0x06064b50, 0);
  zip64End.writeBigUInt64LE(44n, 4); // bytes of this record after this field
  zip64End.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 12);
  zip64End.writeUInt16LE(VERSION_ZIP64, 14);
  zip64End.writeBigUInt64LE(BigInt(entries), 24);
  zip64End.writeBigUInt64LE(BigInt(entries), 32);
  zip64End.writeBigUInt64LE(BigInt(directoryBytes), 40);
  zip64End.writeBigUInt64LE(BigInt(directoryStart), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(directoryStart + directoryBytes), 8);
  locator.writeUInt32LE(1, 16); // disks
  return Buffer.concat([zip64End, locator, end]);
}
