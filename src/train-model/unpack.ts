import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type OpenZip, openZip, type ZipEntry } from '../archive/open-zip.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { freeBytes } from '../files/free-bytes.ts';
import { formatBytes } from '../format.ts';

/** The two places of a data set in an archive: `archive-content: results` and `data` of *prepare data*. */
const BASES = ['', 'results/'];

/** What of a data set is unpacked, below its base: the images, and what describes them. */
const NEEDED = /^(?:(?:train|test)\/.|(?:manifest\.csv|dataset\.json)$)/;

/** An entry larger than this is not held in memory. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

export interface UnpackOptions {
  /** How errors name the zip. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with unpacked bytes. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Asks for the room that there is; by default the disk itself. */
  readonly freeBytes?: ((path: string) => Promise<number>) | undefined;
}

/**
 * Unpacks train, test, manifest and description of a data set's archive into an empty folder, and nothing else of it.
 *
 * @throws DiatomError `ZIP` when the zip is damaged or unsafe, `DATA_SET` when it is no data set, `DISK`, `CANCELLED`
 */
export async function unpackDataset(path: string, target: string, options: UnpackOptions): Promise<void> {
  const { name, signal, onProgress } = options;
  const accept = (entry: string) =>
    BASES.some((base) => entry.startsWith(base) && NEEDED.test(entry.slice(base.length)));
  const zip = await openZip(path, { name, accept });
  try {
    const base = baseOf(zip);
    const wanted = zip.entries.filter(
      (entry) => entry.path.startsWith(base) && NEEDED.test(entry.path.slice(base.length)),
    );
    const total = wanted.reduce((bytes, entry) => bytes + entry.bytes, 0);
    await requireRoom(target, total, options);
    let done = 0;
    for (const entry of wanted) {
      throwIfCancelled(signal);
      await unpackEntry(zip, entry, placeOf(target, entry.path.slice(base.length)));
      done += entry.bytes;
      onProgress?.(done, total);
    }
  } finally {
    await zip.close();
  }
}

/** @throws DiatomError `DISK` before half a data set is there */
async function requireRoom(target: string, needed: number, options: UnpackOptions): Promise<void> {
  const { name } = options;
  const free = await (options.freeBytes ?? freeBytes)(target);
  if (free >= needed) return;
  throw new DiatomError(
    'DISK',
    `The data set ${name} takes ${formatBytes(needed)} unpacked, and the disk of ${target} has ${formatBytes(free)} free: free some space, use a larger disk, or set RUNNER_TEMP to another one.`,
  );
}

function baseOf({ name, entries }: OpenZip): string {
  const base = BASES.find((candidate) =>
    ['train/', 'test/'].every((folder) => entries.some(({ path }) => path.startsWith(candidate + folder))),
  );
  if (base !== undefined) return base;
  const found = [...new Set(entries.map(({ path }) => path.replace(/\/.*/s, '/')))].slice(0, 5).join(', ') || 'nothing';
  throw new DiatomError(
    'DATA_SET',
    `The archive ${name} is no data set: expected the folders train and test with a folder for each class in them, or both in results; at its top there is ${found}.`,
  );
}

/** `openZip` refuses paths that lead elsewhere; what is written is checked anyway. */
function placeOf(target: string, path: string): string {
  const place = join(target, path);
  const below = relative(target, place);
  if (below === '..' || below.startsWith(`..${sep}`))
    throw new DiatomError('ZIP', `The entry “${path}” leads elsewhere.`);
  return place;
}

async function unpackEntry(zip: OpenZip, entry: ZipEntry, place: string): Promise<void> {
  const content = entry.bytes <= MAX_BUFFERED_BYTES ? await zip.read(entry) : zip.stream(entry);
  try {
    await mkdir(dirname(place), { recursive: true });
    // Only ever a new file: nothing that is there already is written to.
    await writeFile(place, content, { flag: 'wx' });
  } catch (error) {
    throw diskFailure('write', place, error);
  }
}
