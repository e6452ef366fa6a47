import { mkdir, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { onDiskLater } from '../files/disk-failure.ts';
import { fileIdentity } from '../files/file-identity.ts';
import { freeBytes } from '../files/free-bytes.ts';
import type { RandomAccess } from '../files/random-access.ts';
import { formatBytes } from '../format.ts';
import { mapAllEnded } from '../parallel/all-ended.ts';
import { batchesOf } from '../parallel/batches.ts';
import { startThread } from '../parallel/thread.ts';
import { startThreadPool } from '../parallel/thread-pool.ts';
import type { UnpackReply, UnpackRequest } from './unpack-thread.ts';

/** The two places of a data set in an archive: `archive-content: results` and `data` of *prepare data*. */
const BASES = ['', 'results/'];

/** What of a data set is unpacked, below its base: the images, and what describes them. */
const NEEDED = /^(?:(?:train|test)\/.|(?:manifest\.csv|dataset\.json)$)/;

/** On a disk that is far away more threads than cores wait at the same time. Each takes some 20 MB. */
const THREADS = Math.min(8, Math.max(2, availableParallelism()));

export interface UnpackOptions {
  /** How errors name the zip. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with unpacked bytes. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Asks for the room that there is; by default the disk itself. */
  readonly freeBytes?: ((path: string) => Promise<number>) | undefined;
}

/** An archive that is being downloaded. */
export interface Coming {
  /** Where it lies until it is whole. */
  readonly part: string;
  /** The same on its server, where it can be read in pieces. */
  readonly remote: Promise<RandomAccess | undefined>;
  /** Resolves when so many bytes are here, or no more will come; with whether it still comes. */
  reach(bytes: number): Promise<boolean>;
}

/** Unpacks train, test, manifest and description of a data set's archive, and nothing else of it. */
export interface Unpacker {
  /**
   * Begins with what is here of an archive that is still on its way, until no more comes. It never fails: what comes of it is
   * kept when it is of the very file that is there in the end, and deleted otherwise.
   */
  begin(coming: Coming): void;
  /**
   * Unpacks what is missing, from the whole and verified archive.
   *
   * @throws DiatomError `ZIP` when the zip is damaged or unsafe, `DATA_SET` when it is no data set, `DISK`, `CANCELLED`
   */
  finish(path: string): Promise<void>;
  /** Ends it, whatever it does. Of what comes, no more may be awaited. */
  close(): Promise<void>;
}

/** What is in its place already, and which files it came from. */
interface Early {
  readonly entries: Map<string, ZipEntry>;
  readonly identities: Set<string>;
}

/** @param target a folder that is for this alone; it is emptied where what is in it can't be trusted */
export function createUnpacker(target: string, options: UnpackOptions): Unpacker {
  const { name, signal, onProgress } = options;
  const pool = startThreadPool<UnpackRequest, UnpackReply>(THREADS, (events) =>
    startThread({ program: 'unpack-thread', base: import.meta.url, data: undefined }, events),
  );
  let early: Promise<Early | undefined> = Promise.resolve(undefined);

  async function unpack(path: string, { base, entries }: Wanted, step: Step): Promise<void> {
    const place = ({ path }: ZipEntry) => placeOf(target, path.slice(base.length));
    await makeFolders(entries.map((entry) => dirname(place(entry))));
    // In the order in which they come, and in which a disk reads fastest.
    const inOrder = entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
    await mapAllEnded([...batchesOf(inOrder, ({ bytes }) => bytes)], pool.count, async (batch) => {
      if (!(await step.mayBegin(batch))) return;
      const files = batch.map((entry) => ({ entry, place: place(entry) }));
      const { identity } = await pool.use((ask) => ask({ zip: { path, name }, files }));
      step.onDone(batch, identity);
    });
  }

  async function unpackEarly({ part, remote, reach }: Coming): Promise<Early | undefined> {
    const done: Early = { entries: new Map(), identities: new Set() };
    const content = await remote;
    if (!content) return undefined;
    const wanted = wantedOf(name, await readZipEntries(content, { name, accept }));
    const free = await (options.freeBytes ?? freeBytes)(target);
    // Else the unpacked images could take the room that the download needs; whoever comes later says what is missing.
    if (free < content.length + bytesOf(wanted.entries)) return undefined;
    await unpack(part, wanted, {
      mayBegin: (batch) => reach(Math.max(...batch.map(({ limit }) => limit))),
      onDone: (batch, identity) => {
        done.identities.add(identity);
        for (const entry of batch) done.entries.set(entry.path, entry);
      },
    });
    return done;
  }

  return {
    begin(coming) {
      early = unpackEarly(coming).catch(() => undefined);
    },
    async finish(path) {
      const wanted = await readWanted(path, name);
      const before = await early;
      const missing = before && (await missingOf(wanted.entries, before, path));
      if (!missing) await empty(target);
      const rest = missing ?? wanted.entries;
      await requireRoom(target, bytesOf(rest), options);
      const total = bytesOf(wanted.entries);
      let done = total - bytesOf(rest);
      await unpack(
        path,
        { ...wanted, entries: rest },
        {
          mayBegin: async () => {
            throwIfCancelled(signal);
            return true;
          },
          onDone: (batch) => {
            done += bytesOf(batch);
            onProgress?.(done, total);
          },
        },
      );
    },
    async close() {
      await pool.close();
      await early;
    },
  };
}

/** What is done about each batch of entries. */
interface Step {
  mayBegin(batch: readonly ZipEntry[]): Promise<boolean>;
  /** @param identity of the file that was read */
  onDone(batch: readonly ZipEntry[], identity: string): void;
}

/** What of a data set's archive is unpacked: all entries below a base. */
interface Wanted {
  readonly base: string;
  readonly entries: readonly ZipEntry[];
}

function accept(entry: string): boolean {
  return BASES.some((base) => entry.startsWith(base) && NEEDED.test(entry.slice(base.length)));
}

async function readWanted(path: string, name: string): Promise<Wanted> {
  const zip = await openZip(path, { name, accept });
  await zip.close();
  return wantedOf(name, zip.entries);
}

function wantedOf(name: string, all: readonly ZipEntry[]): Wanted {
  const base = baseOf(name, all);
  return { base, entries: all.filter(({ path }) => path.startsWith(base) && NEEDED.test(path.slice(base.length))) };
}

/** @returns what is not unpacked yet; `undefined` when what was, was another file’s */
async function missingOf(
  entries: readonly ZipEntry[],
  before: Early,
  path: string,
): Promise<readonly ZipEntry[] | undefined> {
  const identity = fileIdentity(await stat(path, { bigint: true }));
  if ([...before.identities].some((one) => one !== identity)) return undefined;
  const missing = entries.filter((entry) => !isDeepStrictEqual(before.entries.get(entry.path), entry));
  return missing.length + before.entries.size === entries.length ? missing : undefined;
}

async function empty(folder: string): Promise<void> {
  await onDiskLater('write', folder, () => rm(folder, { recursive: true, force: true }));
  await makeFolders([folder]);
}

async function makeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of new Set(folders)) await onDiskLater('write', folder, () => mkdir(folder, { recursive: true }));
}

function bytesOf(entries: readonly ZipEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
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

function baseOf(name: string, entries: readonly ZipEntry[]): string {
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
