import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, link, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { jsonOf } from '../text/json.ts';
import { isAlive, type ProcessId, thisProcess } from './process-id.ts';

/** What the lock's file, and those that become it, are called. */
export const LOCK = '.diatom-run';

const LEFTOVER = /^\.diatom-run\.(after\.)?[0-9a-f]{16}$/;

/** The owner writes to its file so often; whoever can't look at its process waits for that. Milliseconds. */
const BEAT_MS = 5_000;
const SILENCE_MS = 30_000;

/** How long a file may be empty: where it can't come whole, it is written a moment after it is there. */
const BEGIN_MS = 2_000;

const noteSchema = z.object({
  token: z.string(),
  begun: z.string(),
  pid: z.number(),
  host: z.string(),
  place: z.string(),
  born: z.string(),
  run: z.string(),
  archive: z.string(),
});

/** Who has a data folder. */
export type Note = z.infer<typeof noteSchema>;

/** A file of a run, and what it says. */
interface Found {
  /** Of this file and no other, as long as it is there. */
  readonly id: string;
  readonly note: Note | undefined;
}

/** Who looks whether others live. */
interface Witness {
  readonly owner: ProcessId;
  readonly silenceMs: number;
  readonly token: string;
}

export interface FolderLock {
  /** Of runs that had the folder, or were about to take it over, and were ended by force. */
  readonly dead: readonly Note[];
  release(): Promise<void>;
}

export interface LockOptions {
  readonly now: Date;
  /** For people: the run's address; `''` outside of GitHub. */
  readonly run: string;
  /** Name of the archive that the run makes. */
  readonly archive: string;
  readonly owner?: ProcessId | undefined;
  readonly beatMs?: number | undefined;
  readonly silenceMs?: number | undefined;
}

/**
 * Takes a folder for this run alone. A lock whose owner is gone is taken over: a process of this machine is looked for,
 * by number and time of birth; of one on another machine, or in another container, the file tells, which its owner
 * writes to every few seconds. Times of different clocks are not compared.
 *
 * Who takes over writes a file that is named after the dead run's, which only one can do, and then renames it to the
 * lock. If it dies before that, the next one's file is named after its, and so on. A name may become free again when its
 * file has been renamed; so it counts only while the lock is still the one that was read first.
 *
 * @throws DiatomError `INPUT` when another run has it
 */
export async function takeFolder(folder: string, options: LockOptions): Promise<FolderLock> {
  const { now, run, archive, owner = await thisProcess(), beatMs = BEAT_MS, silenceMs = SILENCE_MS } = options;
  const token = randomBytes(8).toString('hex');
  const note: Note = { token, begun: now.toISOString(), ...owner, run, archive };
  const text = `${JSON.stringify(note)}\n`;
  const lock = join(folder, LOCK);
  const tryToTake = async (): Promise<readonly Note[] | undefined> => {
    const gone = await deadRuns(folder, { owner, silenceMs, token });
    const last = gone.at(-1);
    const path = last ? pathAfter(folder, last) : lock;
    if (!(await place(path, text, join(folder, `${LOCK}.${token}`)))) return undefined;
    if (last && (await look(lock))?.id !== gone[0]?.id) {
      await rm(path, { force: true });
      return undefined;
    }
    if (last) await rename(path, lock).catch(unlessGone);
    // This process may have slept so long that it was taken for dead.
    return (await holds(lock, text)) ? gone.flatMap((found) => found.note ?? []) : undefined;
  };
  let dead = await tryToTake();
  while (!dead) dead = await tryToTake();
  const own = await open(lock, 'r+');
  await removeLeftovers(folder, owner, own).catch(() => {});
  const beat = setInterval(() => void own.write(text, 0).catch(() => {}), beatMs);
  beat.unref();
  return {
    dead,
    async release() {
      clearInterval(beat);
      await own.close().catch(() => {});
      if (await holds(lock, text)) await rm(lock, { force: true });
    },
  };
}

/**
 * The run whose lock is there and those that were to take it over, if all are dead.
 *
 * @throws DiatomError `INPUT` when one of them lives
 */
async function deadRuns(folder: string, who: Witness): Promise<Found[]> {
  const found: Found[] = [];
  for (let path = join(folder, LOCK); ; ) {
    const next = await read(path);
    if (!next) return found;
    if (await lives(path, next.note, who)) throw taken(folder, next.note);
    found.push(next);
    path = pathAfter(folder, next);
  }
}

/** Where the run that comes after a dead one puts its file. */
function pathAfter(folder: string, { id }: Found): string {
  return join(folder, `${LOCK}.after.${createHash('sha256').update(id).digest('hex').slice(0, 16)}`);
}

/** Puts a file there unless there is one: whole at once where files can have two names. */
async function place(path: string, text: string, own: string): Promise<boolean> {
  try {
    await writeFile(own, text);
    await link(own, path).catch(async (error: unknown) => {
      if (systemCodeOf(error) === 'EEXIST') throw error;
      await writeFile(path, text, { flag: 'wx' });
    });
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    // A network's file system may have asked its server twice.
    return holds(path, text);
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Removes the files that were to become locks of runs that were ended by force. Of a process that can't be looked for, such
 * a file is there for moments only.
 */
async function removeLeftovers(folder: string, owner: ProcessId, lock: FileHandle): Promise<void> {
  const { ctimeMs: now } = await lock.stat();
  for (const name of await readdir(folder)) {
    if (!LEFTOVER.test(name)) continue;
    const path = join(folder, name);
    const note = (await look(path).catch(() => undefined))?.note;
    const made = await stat(path).catch(() => undefined);
    const isOld = made !== undefined && now - made.ctimeMs > 2 * SILENCE_MS;
    const lives = note && (await isAlive(note, owner));
    if (lives === false || (lives === undefined && isOld)) await rm(path, { force: true });
  }
}

/** A file, once it is written; `undefined` when there is none. */
async function read(path: string): Promise<Found | undefined> {
  const until = Date.now() + BEGIN_MS;
  for (;;) {
    const found = await look(path);
    if (!found || found.note || Date.now() > until) return found;
    await sleep(100);
  }
}

/** A file as it is now: without a note if it is not one of ours, or was never written to its end. */
async function look(path: string): Promise<Found | undefined> {
  const file = await open(path, 'r').catch(unlessGone);
  if (!file) return undefined;
  try {
    const text = await file.readFile('utf8');
    const note = noteSchema.safeParse(jsonOf(text));
    if (note.success) return { id: text, note: note.data };
    const { ino, mtimeMs } = await file.stat();
    return { id: `${text} ${ino} ${mtimeMs}`, note: undefined };
  } finally {
    await file.close();
  }
}

/** Whether a file is there and is this run's. */
async function holds(path: string, text: string): Promise<boolean> {
  return (await look(path).catch(() => undefined))?.id === text;
}

function unlessGone(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}

async function lives(path: string, note: Note | undefined, { owner, silenceMs, token }: Witness): Promise<boolean> {
  const known = note && (await isAlive(note, owner));
  if (known !== undefined) return known;
  const written = () =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  const before = await written();
  if (before === undefined) return false;
  // By the folder's own clock, which may be another machine's.
  const probe = join(dirname(path), `${LOCK}.${token}`);
  await writeFile(probe, '');
  const silentMs = (await stat(probe)).mtimeMs - before;
  await rm(probe, { force: true });
  const end = Date.now() + silenceMs - Math.max(0, silentMs);
  while (Date.now() < end) {
    await sleep(Math.min(500, silenceMs / 4));
    if ((await written()) !== before) return true;
  }
  return false;
}

function taken(folder: string, note: Note | undefined): DiatomError {
  const begun = note ? `, begun ${note.begun.slice(11, 16)},` : '';
  const who = note
    ? ` It is process ${note.pid} on ${note.host}, since ${note.begun}${note.run && `, of ${note.run}`}.`
    : '';
  return new DiatomError(
    'INPUT',
    `Input data-dir: another run${begun} uses this folder (${folder}).${who} Wait until it has ended, or give each run a folder of its own.`,
  );
}
