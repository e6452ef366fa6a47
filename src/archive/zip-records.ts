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
export function localHeader({ bytes, compressedBytes, ...entry }: WrittenEntry): Buffer {
  // In a local header the zip64 field holds both sizes, as soon as one doesn't fit (4.5.3).
  const isLarge = Math.max(bytes, compressedBytes) >= MAX_32;
  const zip64 = zip64Field(isLarge ? [bytes, compressedBytes] : []);
  const sizes = isLarge ? { bytes: MAX_32, compressedBytes: MAX_32 } : { bytes, compressedBytes };
  const record = Buffer.alloc(30);
  record.writeUInt32LE(0x04034b50, 0);
  writeCommonFields(record.subarray(4), { ...entry, ...sizes, zip64 });
  return Buffer.concat([record, entry.name, zip64]);
}

/** 4.3.12 */
export function directoryRecord({ bytes, compressedBytes, offset, ...entry }: WrittenEntry): Buffer {
  // Here the zip64 field holds only what doesn't fit.
  const zip64 = zip64Field([bytes, compressedBytes, offset].filter((number) => number >= MAX_32));
  const sizes = { bytes: Math.min(bytes, MAX_32), compressedBytes: Math.min(compressedBytes, MAX_32) };
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(MADE_ON_UNIX | VERSION_ZIP64, 4);
  writeCommonFields(record.subarray(6), { ...entry, ...sizes, zip64 });
  record.writeUInt32LE(REGULAR_FILE_0644 * 2 ** 16, 38);
  record.writeUInt32LE(Math.min(offset, MAX_32), 42);
  return Buffer.concat([record, entry.name, zip64]);
}

/**
 * The 26 bytes that both kinds of header have in common, from “version needed to extract” to the extra field's length.
 */
function writeCommonFields(record: Buffer, fields: Omit<WrittenEntry, 'offset'> & { readonly zip64: Buffer }): void {
  const { name, bytes, compressedBytes, method, crc32, zip64 } = fields;
  record.writeUInt16LE(zip64.length > 0 ? VERSION_ZIP64 : VERSION_PLAIN, 0);
  record.writeUInt16LE(UTF8_NAME, 2);
  record.writeUInt16LE(method, 4);
  record.writeUInt16LE(MIDNIGHT, 6);
  record.writeUInt16LE(FIRST_OF_JANUARY_1980, 8);
  record.writeUInt32LE(crc32, 10);
  record.writeUInt32LE(compressedBytes, 14);
  record.writeUInt32LE(bytes, 18);
  record.writeUInt16LE(name.length, 22);
  record.writeUInt16LE(zip64.length, 24);
}

/** 4.5.3 */
function zip64Field(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * numbers.length);
  field.writeUInt16LE(0x0001, 0);
  field.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((number, index) => {
    field.writeBigUInt64LE(BigInt(number), 4 + 8 * index);
  });
  return field;
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
