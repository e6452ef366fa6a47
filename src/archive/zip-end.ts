import type { RandomAccess } from '../files/random-access.ts';
import { endRecords } from './zip-records.ts';

/** Where a zip's directory lies, as its end tells. */
export interface ZipEnd {
  /** How many bytes stand before the zip; every place that the zip names is counted from there. */
  readonly before: number;
  /** The directory's first byte, and the one after its last, in the file. */
  readonly directoryStart: number;
  readonly directoryEnd: number;
  /** How many entries it should have; `isWrapped` when that may be the rest of a division by 65,536, as macOS writes it. */
  readonly entryCount: number;
  readonly isWrapped: boolean;
  /** The number of the file, of those that a zip is split into, counted from 0. */
  readonly disk: number;
}

/** APPNOTE.TXT 4.3.16, 4.3.15, 4.3.14, 4.3.12. */
const END = { signature: 0x06054b50, bytes: 22 };
const LOCATOR = { signature: 0x07064b50, bytes: 20 };
const ZIP64_END = { signature: 0x06064b50, bytes: 56 };
/** An entry's record in the directory, and where in it the lengths of its three last fields stand. */
const ENTRY = { signature: 0x02014b50, bytes: 46, lengths: [28, 30, 32] };

/** How far before its comment's longest place an end is looked for: what mail, FTP and servers put behind is short. */
const MAX_COMMENT_BYTES = 0xffff;
const MAX_STRAY_BYTES = 64 * 1_024;

const MAX_16 = 0xffff;

/**
 * Finds the end of a zip as Python, unzip, 7-Zip and bsdtar do: also with stray bytes before or after the zip, and with
 * the marks of zip64 but not its records.
 *
 * @returns `undefined` when there is no end that leads to a directory
 */
export async function findZipEnd(content: RandomAccess): Promise<ZipEnd | undefined> {
  const length = Math.min(content.length, END.bytes + MAX_COMMENT_BYTES + MAX_STRAY_BYTES);
  const tailAt = content.length - length;
  const tail = await content.read(tailAt, length);
  let split: ZipEnd | undefined;
  for (let at = tail.length - END.bytes; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END.signature) continue;
    const end = await followEnd(content, tail.subarray(at), tailAt + at);
    if (end?.disk === 0) return end;
    split ??= end;
  }
  return split;
}

/** @returns `undefined` when it leads nowhere: it may be bytes of a comment or an image that only look like an end */
async function followEnd(content: RandomAccess, record: Buffer, recordAt: number): Promise<ZipEnd | undefined> {
  const disk = record.readUInt16LE(4);
  const [entryCount, directoryBytes, named] = [
    record.readUInt16LE(10),
    record.readUInt32LE(12),
    record.readUInt32LE(16),
  ] as const;
  const zip64 = await readZip64(content, recordAt);
  if (zip64) return zip64;
  const rest = { directoryEnd: recordAt, entryCount, isWrapped: true };
  if (disk !== 0 && disk !== MAX_16) return { ...rest, before: 0, directoryStart: named, disk };
  const found = await placeDirectory(content, { named, directoryBytes, entryCount, endsAt: recordAt });
  return found && { ...rest, ...found, disk: 0 };
}

async function readZip64(content: RandomAccess, endAt: number): Promise<ZipEnd | undefined> {
  const locatorAt = endAt - LOCATOR.bytes;
  const locator = await readRecord(content, locatorAt, LOCATOR);
  if (!locator) return undefined;
  // Behind stray bytes the record is not where the locator says, but mostly right before it.
  for (const recordAt of [Number(locator.readBigUInt64LE(8)), locatorAt - ZIP64_END.bytes]) {
    const record = await readRecord(content, recordAt, ZIP64_END);
    if (!record) continue;
    const disk = record.readUInt32LE(16);
    const [entryCount, directoryBytes, named] = [
      Number(record.readBigUInt64LE(32)),
      Number(record.readBigUInt64LE(40)),
      Number(record.readBigUInt64LE(48)),
    ] as const;
    const found = await placeDirectory(content, { named, directoryBytes, entryCount, endsAt: recordAt });
    if (found) return { ...found, directoryEnd: recordAt, entryCount, isWrapped: false, disk };
  }
  return undefined;
}

/** The directory lies right before its end, as far from where it is named as bytes stand before the zip; or where it is named. */
async function placeDirectory(
  content: RandomAccess,
  { named, directoryBytes, entryCount, endsAt }: Record<'named' | 'directoryBytes' | 'entryCount' | 'endsAt', number>,
): Promise<Pick<ZipEnd, 'before' | 'directoryStart'> | undefined> {
  if (named + directoryBytes === endsAt) return { before: 0, directoryStart: named };
  for (const directoryStart of [endsAt - directoryBytes, named]) {
    if (directoryStart < named || directoryStart > endsAt) continue;
    const isEmpty = directoryBytes === 0 && entryCount === 0;
    const head = await content.read(directoryStart, 4);
    const isDirectory = isEmpty || (head.length === 4 && head.readUInt32LE() === ENTRY.signature);
    if (isDirectory) return { before: directoryStart - named, directoryStart };
  }
  return undefined;
}

async function readRecord(
  content: RandomAccess,
  at: number,
  { signature, bytes }: { readonly signature: number; readonly bytes: number },
): Promise<Buffer | undefined> {
  if (at < 0 || at + bytes > content.length) return undefined;
  const record = await content.read(at, bytes);
  return record.length === bytes && record.readUInt32LE() === signature ? record : undefined;
}

/** The zip alone, without what stands before and after it, with an end that every reader takes alike. */
export function withPlainEnd(
  content: RandomAccess,
  { before, directoryStart, directoryEnd }: ZipEnd,
  entryCount: number,
): RandomAccess {
  const zipBytes = directoryEnd - before;
  const records = endRecords(entryCount, directoryStart - before, directoryEnd - directoryStart);
  // A name at the directory's end may look like the locator of zip64 that stands before some ends.
  const end = records.length > END.bytes ? records : Buffer.concat([Buffer.alloc(LOCATOR.bytes), records]);
  return {
    length: zipBytes + end.length,
    async read(position, length) {
      const inZip = Math.max(0, Math.min(length, zipBytes - position));
      const inEnd = end.subarray(Math.max(0, position - zipBytes), Math.max(0, position + length - zipBytes));
      if (inZip === 0) return inEnd;
      const head = await content.read(position + before, inZip);
      return inEnd.length === 0 ? head : Buffer.concat([head, inEnd]);
    },
  };
}

/** How many entries follow in a directory from a place on. */
export async function countRecords(content: RandomAccess, from: number, end: number): Promise<number> {
  let count = 0;
  let [at, windowStart] = [from, from];
  let window: Buffer = Buffer.alloc(0);
  while (at + ENTRY.bytes <= end) {
    if (at + ENTRY.bytes > windowStart + window.length) {
      [window, windowStart] = [await content.read(at, Math.min(2 ** 20, end - at)), at];
    }
    const record = window.subarray(at - windowStart);
    if (record.length < ENTRY.bytes || record.readUInt32LE() !== ENTRY.signature) break;
    at += ENTRY.lengths.reduce((sum, place) => sum + record.readUInt16LE(place), ENTRY.bytes);
    count++;
  }
  return count;
}
