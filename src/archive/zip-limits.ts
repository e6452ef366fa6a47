import type { DirectoryEntry } from './zip-directory.ts';
import { DOWNLOAD_AGAIN, quoteName, zipFault } from './zip-fault.ts';

/** What a zip may unpack to: beyond it, it is taken for a bomb (a small file made to fill a disk or a memory). */
export interface ZipLimits {
  /** Unpacked bytes of one entry. */
  readonly maxEntryBytes: number;
  /** Unpacked bytes of all entries. */
  readonly maxTotalBytes: number;
  /** Unpacked bytes for each packed byte, for one entry and for all together. */
  readonly maxRatio: number;
  readonly maxEntries: number;
  /** Up to this many unpacked bytes any ratio is fine: a blank picture shrinks a thousandfold. Default 64 MiB. */
  readonly ratioFloorBytes?: number | undefined;
}

/**
 * Far above any real collection of images (deflate alone can reach a ratio of 1,032, photographs stay below 20), far
 * below what brings a machine down: an entry of 16 GiB, 256 GiB in all, 250 : 1 above 64 MiB, half a million entries.
 */
export const DEFAULT_ZIP_LIMITS: ZipLimits = {
  maxEntryBytes: 16 * 2 ** 30,
  maxTotalBytes: 256 * 2 ** 30,
  maxRatio: 250,
  maxEntries: 500_000,
  ratioFloorBytes: 64 * 2 ** 20,
};

const LOCAL_HEADER_BYTES = 30;

/** @throws DiatomError `ZIP` when the sizes in the directory pass the limits. */
export function checkSizes(zip: string, entries: readonly DirectoryEntry[], limits: ZipLimits): void {
  const { maxEntryBytes, maxTotalBytes, maxRatio, ratioFloorBytes = 64 * 2 ** 20 } = limits;
  const passesRatio = (bytes: number, packed: number) => bytes > ratioFloorBytes && bytes > maxRatio * packed;
  const advice = 'That is the mark of a zip bomb: use it only if you know who made it, and ask for a plain zip.';
  let total = 0;
  let packed = 0;
  for (const { path, bytes, compressedBytes } of entries) {
    total += bytes;
    packed += compressedBytes;
    if (bytes > maxEntryBytes) {
      throw zipFault(zip, path, `unpacks to ${inBytes(bytes)}, more than ${inBytes(maxEntryBytes)}. ${advice}`);
    }
    // No program packs so; whoever reads it would need memory for all of it.
    if (compressedBytes > ratioFloorBytes && compressedBytes > 2 * bytes) {
      throw zipFault(
        zip,
        path,
        `takes ${inBytes(compressedBytes)} in the zip and unpacks to ${inBytes(bytes)} only. ${DOWNLOAD_AGAIN}`,
      );
    }
    if (passesRatio(bytes, compressedBytes)) {
      throw zipFault(
        zip,
        path,
        `unpacks from ${inBytes(compressedBytes)} to ${inBytes(bytes)}, more than ${maxRatio} times as much. ${advice}`,
      );
    }
  }
  const all = `its ${entries.length} entries unpack`;
  if (total > maxTotalBytes) {
    throw zipFault(zip, undefined, `${all} to ${inBytes(total)}, more than ${inBytes(maxTotalBytes)}. ${advice}`);
  }
  if (passesRatio(total, packed)) {
    throw zipFault(
      zip,
      undefined,
      `${all} from ${inBytes(packed)} to ${inBytes(total)}, more than ${maxRatio} times as much. ${advice}`,
    );
  }
}

/** An entry and the place in the file that its local header, name, extra field and data must end before. */
export interface LocatedEntry extends DirectoryEntry {
  readonly limit: number;
}

/**
 * Sorts the entries by their place in the file and makes sure that none shares bytes with the next, or with the
 * directory. Entries that overlap unpack the same bytes many times: the most effective bombs are made so. How long a
 * local header is (its extra field) is known only when the entry is read; that it keeps to its `limit` is checked then.
 *
 * @throws DiatomError `ZIP` when entries overlap or lie outside the file.
 */
export function locateEntries(
  zip: string,
  entries: readonly DirectoryEntry[],
  directoryStart: number,
): readonly LocatedEntry[] {
  const inFileOrder = entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
  return inFileOrder.map((entry, index) => {
    const next = inFileOrder[index + 1];
    const limit = Math.min(next?.headerOffset ?? directoryStart, directoryStart);
    if (entry.headerOffset + LOCAL_HEADER_BYTES + entry.rawName.length + entry.compressedBytes > limit) {
      const other = next === undefined ? 'the list of entries' : `the entry ${quoteName(next.path)}`;
      throw zipFault(
        zip,
        entry.path,
        `overlaps with ${other}. That is the mark of a zip bomb or of a damaged zip: ask its owner for a plain zip.`,
      );
    }
    return { ...entry, limit };
  });
}

/** To the byte, so that a limit and what passes it never read alike. */
function inBytes(bytes: number): string {
  return `${bytes.toLocaleString('en-US')} bytes`;
}
