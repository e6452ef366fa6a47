import { type FileHandle, open } from 'node:fs/promises';
import { diskFailure } from '../files/disk-failure.ts';
import { type RandomAccess, randomAccess } from '../files/random-access.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { readEntry, streamEntry } from './entry-data.ts';
import { readDirectory } from './zip-directory.ts';

import { zipFault } from './zip-fault.ts';
import { checkSizes, DEFAULT_ZIP_LIMITS, type LocatedEntry, locateEntries, type ZipLimits } from './zip-limits.ts';

export { DEFAULT_ZIP_LIMITS, type ZipLimits } from './zip-limits.ts';

/**
 * A file in a zip. `path` is decoded, '/'-separated, without '.' components; names that differ only in case or Unicode
 * form are different paths. What the directory says about the content is checked when it is read.
 */
export type ZipEntry = LocatedEntry;

/** A zip whose directory was read and found safe. */
export interface OpenZip {
  /** How errors name this zip. */
  readonly name: string;
  /** Files only (folders are implied), in code-point order of their paths. */
  readonly entries: readonly ZipEntry[];
  /**
   * An entry's content, up to 1 GiB. Any number of reads may run at a time; each needs memory for the entry, packed and
   * unpacked.
   *
   * @throws DiatomError `ZIP` unless CRC-32, size and the entry's own header agree with the directory.
   */
  read(entry: ZipEntry): Promise<Buffer>;
  /** The same for entries of any size, in pieces and in flat memory; a wrong CRC-32 or size throws after the last. */
  stream(entry: ZipEntry): AsyncIterable<Uint8Array>;
  /** Waits for running reads. Windows can't delete or move the file before. */
  close(): Promise<void>;
}

export interface OpenZipOptions {
  /** How errors name this zip: the name it was downloaded as. */
  readonly name: string;
  readonly limits?: ZipLimits | undefined;
  /** Which paths matter; all, by default. */
  readonly accept?: ((path: string) => boolean) | undefined;
}

/**
 * Opens a zip and checks its directory; nothing is unpacked yet, and never written anywhere.
 *
 * Some faults make a zip untrustworthy as a whole, whichever entry has them: a path that leads elsewhere (absolute, a
 * drive, “..”), one path twice, overlapping entries, sizes beyond the limits, a list
 * of entries that is damaged or incomplete. Others concern only their entry: it is a symbolic link or a device,
 * encrypted, compressed in a way we can't read, has a control character, a backslash that may be no folder, or more than
 * 255 bytes in its name. These
 * refuse the zip only if `accept` wants the entry, so that a PDF nobody needs can't stop a run; a control character in
 * the path of an entry that is not wanted is shown as a picture (Finder's “Icon\r” becomes “Icon␍”).
 *
 * @throws DiatomError `ZIP` that names zip and entry; `DISK` when the file can't be read.
 */
export async function openZip(path: string, options: OpenZipOptions): Promise<OpenZip> {
  const file = await open(path).catch((error) => {
    throw diskFailure('read', path, error);
  });
  try {
    const entries = await readZipEntries(await randomAccess(file), options).catch((error) => {
      throw diskFailure('read', path, error);
    });
    return reader(path, file, options.name, entries);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The files of a zip by its directory, checked as `openZip` says: of a zip that need not be here yet.
 *
 * @returns in code-point order of their paths
 * @throws DiatomError `ZIP`; what reading throws
 */
export async function readZipEntries(content: RandomAccess, options: OpenZipOptions): Promise<readonly ZipEntry[]> {
  const { name, limits = DEFAULT_ZIP_LIMITS, accept = () => true } = options;
  const { entries, directoryStart } = await readDirectory(name, content, limits.maxEntries);
  checkSizes(name, entries, limits);
  const files = locateEntries(name, entries, directoryStart)
    .filter((entry) => !entry.isFolder)
    .sort((a, b) => compareCodePoints(a.path, b.path));
  const refused = files.find((entry) => entry.fault !== undefined && accept(entry.path));
  if (refused?.fault !== undefined) throw zipFault(name, refused.path, refused.fault);
  return files;
}

function reader(path: string, file: FileHandle, name: string, entries: readonly LocatedEntry[]): OpenZip {
  function readable(entry: ZipEntry): ZipEntry {
    if (entry.fault !== undefined) throw zipFault(name, entry.path, entry.fault);
    return entry;
  }

  return {
    name,
    entries,
    async read(entry) {
      try {
        return await readEntry(name, file, readable(entry));
      } catch (error) {
        throw diskFailure('read', path, error);
      }
    },
    async *stream(entry) {
      try {
        yield* streamEntry(name, file, readable(entry));
      } catch (error) {
        throw diskFailure('read', path, error);
      }
    },
    close: () => file.close(),
  };
}
