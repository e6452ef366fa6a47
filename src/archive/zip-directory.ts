import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { messageOf, systemCodeOf } from '../errors.ts';
import type { RandomAccess } from '../files/random-access.ts';
import { type EntryPath, readEntryPath } from './entry-path.ts';
import { countRecords, findZipEnd, withPlainEnd } from './zip-end.ts';
import { DOWNLOAD_AGAIN, quoteName, ZIP_AGAIN, zipFault } from './zip-fault.ts';

/** An entry as the zip's directory describes it. Sizes in bytes. */
export interface DirectoryEntry {
  readonly path: string;
  readonly isFolder: boolean;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly crc32: number;
  /** 0 is stored, 8 is deflate; of others `fault` tells. */
  readonly method: number;
  /** The bytes of the name as they stand in the file (one a character), to be compared with the local header's. */
  readonly rawName: string;
  readonly headerOffset: number;
  /** Why this entry can't be used (the rest of a sentence), though the zip can. */
  readonly fault: string | undefined;
}

export interface ZipDirectory {
  /** In the directory's order, folders included. */
  readonly entries: readonly DirectoryEntry[];
  readonly directoryStart: number;
}

/**
 * Reads a zip's directory.
 *
 * @throws DiatomError `ZIP` when the file is no zip, is cut short, split over several files or damaged, has more
 * entries than `maxEntries` or than its end record says, an unsafe name, or one name twice.
 */
export async function readDirectory(zip: string, content: RandomAccess, maxEntries: number): Promise<ZipDirectory> {
  const end = await findZipEnd(content);
  // Without an end that leads anywhere, yauzl's error says what is wrong.
  if (!end) return readEntries(zip, content, { before: 0, maxEntries });
  if (end.disk !== 0) throw splitFault(zip, undefined);
  await requireOneZip(zip, content, end.before);
  const read = (entryCount: number) =>
    readEntries(zip, withPlainEnd(content, end, entryCount), { before: end.before, maxEntries });
  const directory = await read(end.entryCount);
  const further = await countRecords(content, directory.directoryEnd + end.before, end.directoryEnd);
  if (further === 0) return directory;
  // macOS's Finder zips more files than two bytes can count, and counts them with two bytes.
  if (end.isWrapped && further % 2 ** 16 === 0) return read(end.entryCount + further);
  // A crafted zip may show some of its entries to one program and all to another: images would be left out unnoticed.
  throw zipFault(
    zip,
    undefined,
    `it has more entries than the ${end.entryCount} that its end record counts. ${ZIP_AGAIN}`,
  );
}

interface ReadOptions {
  /** How many bytes stand before the zip: the entries' places are counted with them. */
  readonly before: number;
  readonly maxEntries: number;
  /** See `readEntryPath`. */
  readonly separates?: boolean;
}

async function readEntries(
  zip: string,
  content: RandomAccess,
  { before, maxEntries, separates = false }: ReadOptions,
): Promise<ZipDirectory & { readonly directoryEnd: number }> {
  const zipFile = await openDirectory(zip, content);
  if (zipFile.entryCount > maxEntries) {
    throw zipFault(
      zip,
      undefined,
      `it has ${zipFile.entryCount} entries, more than ${maxEntries}. Split it into several zips.`,
    );
  }
  // @types/yauzl calls the position in the directory a boolean; it is a number.
  const directoryStart = Number(zipFile.readEntryCursor) + before;
  const entries: DirectoryEntry[] = [];
  const seen = new Set<string>();
  try {
    for await (const raw of zipFile.eachEntry()) {
      const path = readEntryPath(raw, separates);
      if (path.danger !== undefined) throw zipFault(zip, path.name, `${path.danger} ${ZIP_AGAIN}`);
      const entry = describe(raw, path, before);
      if (!entry.isFolder && seen.has(entry.path)) {
        throw zipFault(
          zip,
          entry.path,
          `is there twice: programs don’t agree on which of the two files counts. ${ZIP_AGAIN}`,
        );
      }
      if (!entry.isFolder) seen.add(entry.path);
      entries.push(entry);
    }
  } catch (error) {
    throw isYauzls(error) ? directoryFault(zip, entries, error) : error;
  }
  if (!separates && hasBackslashesOnly(entries))
    return readEntries(zip, content, { before, maxEntries, separates: true });
  return { entries, directoryStart, directoryEnd: Number(zipFile.readEntryCursor) };
}

/** Whether there are backslashes where other zips have “/”: no zip of folders has none of these. */
function hasBackslashesOnly(entries: readonly DirectoryEntry[]): boolean {
  return entries.some(({ path }) => path.includes('\\')) && !entries.some(({ path }) => path.includes('/'));
}

async function openDirectory(zip: string, content: RandomAccess): Promise<ZipFile> {
  try {
    return await fromRandomAccessReaderPromise(new DirectoryReader(content), content.length, {
      autoClose: false,
      // Names are decoded and sizes checked by ourselves, so that an error can name the entry.
      decodeStrings: false,
      validateEntrySizes: false,
    });
  } catch (error) {
    if (!isYauzls(error)) throw error;
    if (messageOf(error).startsWith('multi-disk')) throw splitFault(zip, error);
    if (messageOf(error).startsWith('Invalid comment length')) {
      throw zipFault(zip, undefined, `it has further bytes after its end. ${DOWNLOAD_AGAIN}`, error);
    }
    if (!messageOf(error).startsWith('End of central directory')) throw directoryFault(zip, [], error);
    throw await noEndFault(zip, content, error);
  }
}

/** yauzl's errors are plain; the system's have a code, and must not be taken for a fault of the zip. */
function isYauzls(error: unknown): boolean {
  return error instanceof Error && error.constructor === Error && systemCodeOf(error) === undefined;
}

function splitFault(zip: string, cause: unknown): Error {
  return zipFault(
    zip,
    undefined,
    'it is one part of a zip that was split into several files (.z01, .z02 …). Ask its owner for the zip in one piece.',
    cause,
  );
}

function directoryFault(zip: string, before: readonly DirectoryEntry[], cause: unknown): Error {
  const last = before.at(-1);
  const place = last ? `, after the entry ${quoteName(last.path)}` : '';
  if (messageOf(cause).startsWith('strong encryption')) {
    return zipFault(zip, undefined, `it is encrypted${place}. ${ZIP_AGAIN}`, cause);
  }
  return zipFault(
    zip,
    undefined,
    `its list of entries is damaged${place} (${messageOf(cause)}). ${DOWNLOAD_AGAIN}`,
    cause,
  );
}

/** A file without an end record is a zip that was cut short, or no zip at all: its first bytes tell. */
async function noEndFault(zip: string, content: RandomAccess, cause: unknown): Promise<Error> {
  const head = await content.read(0, 64);
  const start = head.toString('latin1').trimStart();
  if (start.startsWith('PK\x03\x04')) {
    return zipFault(zip, undefined, `it is cut short: its end is missing. ${DOWNLOAD_AGAIN}`, cause);
  }
  if (start.startsWith('PK\x07\x08')) return splitFault(zip, cause);
  if (head.length === 0) return zipFault(zip, undefined, `the file is empty. ${DOWNLOAD_AGAIN}`, cause);
  const found = OTHER_FORMATS.find(([signature]) => start.startsWith(signature))?.[1] ?? 'something else';
  return zipFault(
    zip,
    undefined,
    `it is not a zip but ${found}. Give the address of a zip file; other archives have to be unpacked and zipped.`,
    cause,
  );
}

const OTHER_FORMATS = [
  ['Rar!', 'a RAR archive'],
  ['7z\xbc\xaf', 'a 7z archive'],
  ['\x1f\x8b', 'a gzip file (.tar.gz, .tgz)'],
  ['<', 'a web page'],
] as const;

/** The signature of a local header, with which a zip begins (APPNOTE.TXT 4.3.7). */
const FIRST_ENTRY = Buffer.from('PK\x03\x04', 'latin1');

/** Of two zips one behind the other, the end leads to the second only. */
async function requireOneZip(zip: string, content: RandomAccess, before: number): Promise<void> {
  if (before === 0 || !(await content.read(0, FIRST_ENTRY.length)).equals(FIRST_ENTRY)) return;
  throw zipFault(
    zip,
    undefined,
    `its list of entries is damaged (${before} bytes stand before the zip, and they are another one). ${DOWNLOAD_AGAIN}`,
  );
}

function describe(entry: Entry, { path, isFolder, fault }: EntryPath, before: number): DirectoryEntry {
  const rawName = entry.fileNameRaw.toString('latin1');
  return {
    path,
    isFolder,
    bytes: entry.uncompressedSize,
    compressedBytes: entry.compressedSize,
    crc32: entry.crc32,
    method: entry.compressionMethod,
    // Mostly the same text: then it is held once.
    rawName: rawName === path ? path : rawName,
    headerOffset: entry.relativeOffsetOfLocalHeader + before,
    fault: fault ?? (isFolder ? undefined : contentFault(entry)),
  };
}

/** File types in the upper half of the external attributes: the mode of Unix (inode(7)). */
const FILE_TYPES = new Map([
  [0x1000, 'a named pipe'],
  [0x2000, 'a device'],
  [0x4000, 'a folder with the name of a file'],
  [0x6000, 'a device'],
  [0xa000, 'a symbolic link'],
  [0xc000, 'a socket'],
]);

/** Compression methods by number (APPNOTE.TXT 4.4.5). */
const METHODS = new Map([
  [1, 'Shrink'],
  [6, 'Implode'],
  [9, 'Deflate64'],
  [12, 'bzip2'],
  [14, 'LZMA'],
  [20, 'Zstandard'],
  [93, 'Zstandard'],
  [95, 'XZ'],
  [98, 'PPMd'],
]);

function contentFault(entry: Entry): string | undefined {
  const type = FILE_TYPES.get((entry.externalFileAttributes >>> 16) & 0xf000);
  if (type !== undefined) return `is ${type}, not a file. Ask its owner to zip the file itself.`;
  if (entry.isEncrypted()) return `is encrypted. ${ZIP_AGAIN}`;
  const method = entry.compressionMethod;
  if (method !== 0 && method !== 8) {
    const name = METHODS.get(method) ?? 'unknown';
    return `is compressed with method ${method} (${name}); only Store (0) and Deflate (8) can be read. Ask its owner to zip the folder again with the method Deflate (7-Zip: “Compression method”; “zip -r” does so by itself).`;
  }
  if (method === 0 && entry.compressedSize !== entry.uncompressedSize) {
    return `is stored uncompressed in ${entry.compressedSize} bytes, though it has ${entry.uncompressedSize}. ${DOWNLOAD_AGAIN}`;
  }
  return undefined;
}

/** yauzl reads each entry with two tiny reads; this serves them from a window, so that a directory is read in few. */
class DirectoryReader extends RandomAccessReader {
  readonly #content: RandomAccess;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(content: RandomAccess) {
    super();
    this.#content = content;
  }

  override read(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null) => void,
  ): void {
    const copy = () => {
      const start = position - this.#windowStart;
      this.#window.copy(target, offset, start, start + length);
      done(null);
    };
    // At once where that is possible: for half a million entries every promise counts.
    const isHere = position >= this.#windowStart && position + length <= this.#windowStart + this.#window.length;
    if (isHere) copy();
    else this.#moveWindow(position, length).then(copy, done);
  }

  async #moveWindow(position: number, length: number): Promise<void> {
    // Before anything is read: a damaged offset can be larger than any file, and than what a read accepts.
    if (position + length > this.#content.length) throw new Error('it points beyond the end of the file');
    const size = Math.min(Math.max(length, 2 ** 20), this.#content.length - position);
    this.#window = await this.#content.read(position, size);
    this.#windowStart = position;
    if (this.#window.length < length) throw new Error('the file became shorter while it was read');
  }
}
