import { mkdir, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import { DiatomError, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { onDiskLater } from '../files/disk-failure.ts';
import { fileIdentity } from '../files/file-identity.ts';
import { freeBytes } from '../files/free-bytes.ts';
import type { RandomAccess } from '../files/random-access.ts';
import { formatBytes } from '../format.ts';
import { mapAllEnded } from '../parallel/all-ended.ts';
import { batchesOf } from '../parallel/batches.ts';
import { startThread } from '../parallel/thread.ts';
import { startThreadPool, type ThreadPool } from '../parallel/thread-pool.ts';
import type { UnpackData, UnpackReply, UnpackRequest } from './unpack-thread.ts';

/** The two places of a data set in an archive: `archive-content: results` and `data` of *prepare data*. */
const BASES = ['', 'results/'];

/** What of a data set is unpacked, below its base: the images, and what describes them. */
const NEEDED = /^(?:(?:train|test)\/.|(?:manifest\.csv|dataset\.json)$)/;

/** On a disk that is far away more threads than cores wait at the same time. Each takes some 20 MB, and twice the largest entry that it holds. */
const THREADS = Math.min(8, Math.max(2, availableParallelism()));

/** What files take up on most disks: whole blocks. */
const BLOCK_BYTES = 4_096;

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

/** What is in its place already, and which file it came from. */
interface Early {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly identity: string | undefined;
}

type Threads = ThreadPool<UnpackRequest, UnpackReply>;

/** @param target a folder that is for this alone; it is emptied where what is in it can't be trusted */
export function createUnpacker(target: string, options: UnpackOptions): Unpacker {
  const { name, signal, onProgress } = options;
  const running = new Set<Threads>();
  let early: Promise<Early | undefined> = Promise.resolve(undefined);
  let finished: Promise<void> = Promise.resolve();

  /** The threads have the zip open no longer than this takes. */
  async function unpack(path: string, { base, entries }: Wanted, step: Step): Promise<void> {
    if (entries.length === 0) return;
    const place = ({ path: below }: ZipEntry) => placeOf(target, below.slice(base.length));
    await makeFolders(entries.map((entry) => dirname(place(entry))));
    // In the order in which they come, and in which a disk reads fastest.
    const inOrder = entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
    // Whoever ends those that run must not miss these.
    throwIfCancelled(signal);
    const data: UnpackData = { path, name };
    const threads: Threads = startThreadPool(THREADS, (events) =>
      startThread({ program: 'unpack-thread', base: import.meta.url, data }, events),
    );
    running.add(threads);
    try {
      await mapAllEnded([...batchesOf(inOrder, ({ bytes }) => bytes)], threads.count, async (batch) => {
        if (!(await step.mayBegin(batch))) return;
        const files = batch.map((entry) => ({ entry, place: place(entry) }));
        const { identity } = await threads.use((ask) => ask({ files }));
        step.onDone(batch, identity);
      });
    } finally {
      await threads.close();
      running.delete(threads);
    }
  }

  async function unpackEarly({ part, remote, reach }: Coming): Promise<Early | undefined> {
    const content = await remote;
    if (!content) return undefined;
    const wanted = wantedOf(name, await readZipEntries(content, { name, accept }));
    const free = await (options.freeBytes ?? freeBytes)(target);
    // Else the images could take the room that the zip needs, and a copy of it in the runner's cache.
    if (free < 2 * content.length + roomFor(wanted.entries)) return undefined;
    const entries = new Map<string, ZipEntry>();
    let identity: string | undefined;
    await unpack(part, wanted, {
      mayBegin: (batch) => reach(Math.max(...batch.map(({ limit }) => limit))),
      onDone: (batch, read) => {
        identity ??= read;
        if (identity !== read) throw new Error('The download has begun again');
        for (const entry of batch) entries.set(entry.path, entry);
      },
    });
    return { entries, identity };
  }

  async function finish(path: string): Promise<void> {
    const wanted = await readWanted(path, name);
    const before = await early;
    const missing = before && (await missingOf(wanted.entries, before, path));
    if (!missing) await empty(target);
    const entries = missing ?? wanted.entries;
    await requireRoom(target, entries, options);
    const total = bytesOf(entries);
    let done = 0;
    const onDone = (batch: readonly ZipEntry[]) => {
      done += bytesOf(batch);
      onProgress?.(done, total);
    };
    await unpack(path, { ...wanted, entries }, { mayBegin: async () => true, onDone });
  }

  return {
    begin(coming) {
      early = unpackEarly(coming).catch(() => undefined);
    },
    finish(path) {
      const work = finish(path);
      finished = work.catch(() => {});
      return unlessCancelled(work, signal);
    },
    async close() {
      await Promise.all([...running].map((threads) => threads.close()));
      await Promise.all([early, finished]);
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

function isNeeded(path: string, base: string): boolean {
  return path.startsWith(base) && NEEDED.test(path.slice(base.length));
}

function accept(path: string): boolean {
  return BASES.some((base) => isNeeded(path, base));
}

async function readWanted(path: string, name: string): Promise<Wanted> {
  const zip = await openZip(path, { name, accept });
  await zip.close();
  return wantedOf(name, zip.entries);
}

function wantedOf(name: string, all: readonly ZipEntry[]): Wanted {
  const base = baseOf(name, all);
  return { base, entries: all.filter(({ path }) => isNeeded(path, base)) };
}

/** @returns what is not unpacked yet; `undefined` when what was, was another file’s */
async function missingOf(
  entries: readonly ZipEntry[],
  before: Early,
  path: string,
): Promise<readonly ZipEntry[] | undefined> {
  const identity = fileIdentity(await stat(path, { bigint: true }));
  if (before.entries.size > 0 && before.identity !== identity) return undefined;
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

/** What files of these sizes take up. Bytes. */
function roomFor(entries: readonly ZipEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES, 0);
}

/** @throws DiatomError `DISK` before half a data set is there */
async function requireRoom(target: string, entries: readonly ZipEntry[], options: UnpackOptions): Promise<void> {
  const { name } = options;
  const needed = roomFor(entries);
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
