import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { jsonOf } from '../text/json.ts';
import { isAlive, type ProcessId, thisProcess } from './process-id.ts';

/** What the lock's file, and those that become it, are called. */
export const LOCK = '.diatom-run';

const LEFTOVER = /^\.diatom-run\.[0-9a-f]{16}$/;

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

export interface FolderLock {
  /** Of runs that had the folder and were ended by force. */
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
 * @throws DiatomError `INPUT` when another run has it
 */
export async function takeFolder(folder: string, options: LockOptions): Promise<FolderLock> {
  const { now, run, archive, owner = await thisProcess(), beatMs = BEAT_MS, silenceMs = SILENCE_MS } = options;
  const token = randomBytes(8).toString('hex');
  const note: Note = { token, begun: now.toISOString(), ...owner, run, archive };
  const text = `${JSON.stringify(note)}\n`;
  const dead: Note[] = [];
  const tryToTake = async () => {
    const file = await place(folder, text, token);
    if (!file) return undefined;
    await removeLeftovers(folder, owner, file).catch(() => {});
    if (await isStillOurs(folder, token)) return file;
    await file.close();
    return undefined;
  };
  let file = await tryToTake();
  while (!file) {
    const other = await readNote(folder);
    if (other !== 'gone') {
      if (await lives(folder, other, { owner, silenceMs, token })) throw taken(folder, other);
      if (other && (await takeAway(folder, other, token))) dead.push(other);
      if (!other) await rm(join(folder, LOCK), { force: true });
    }
    file = await tryToTake();
  }
  const own = file;
  const beat = setInterval(() => void own.write(text, 0).catch(() => {}), beatMs);
  beat.unref();
  return {
    dead,
    async release() {
      clearInterval(beat);
      await own.close().catch(() => {});
      const left = await readNote(folder).catch(() => undefined);
      if (left !== 'gone' && left?.token === token) await rm(join(folder, LOCK), { force: true });
    },
  };
}

/**
 * Another run that takes away a dead run's lock may find that it has got the lock of a living one, and puts that back: over
 * ours, if we came in between. While its file is there, nobody knows.
 */
async function isStillOurs(folder: string, token: string): Promise<boolean> {
  for (const end = Date.now() + BEGIN_MS; ; await sleep(20)) {
    const isClear = !(await readdir(folder)).some((name) => LEFTOVER.test(name));
    const note = await readNote(folder);
    if (note === 'gone' || note?.token !== token) return false;
    if (isClear || Date.now() > end) return true;
  }
}

/** Puts the lock there unless there is one: whole at once where files can have two names. */
async function place(folder: string, text: string, token: string): Promise<FileHandle | undefined> {
  const [path, own] = [join(folder, LOCK), join(folder, `${LOCK}.${token}`)];
  try {
    await writeFile(own, text);
    await link(own, path).catch(async (error: unknown) => {
      if (systemCodeOf(error) === 'EEXIST') throw error;
      await writeFile(path, text, { flag: 'wx' });
    });
    return await open(path, 'r+');
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return undefined;
    throw error;
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
    const note = noteSchema.safeParse(jsonOf(await readFile(path, 'utf8').catch(() => '')));
    const made = await stat(path).catch(() => undefined);
    const isOld = made !== undefined && now - made.ctimeMs > 2 * SILENCE_MS;
    const lives = note.success ? await isAlive(note.data, owner) : undefined;
    if (lives === false || (lives === undefined && isOld)) await rm(path, { force: true });
  }
}

/** @returns `undefined` for a file that is no note of ours, or was never written to its end */
async function readNote(folder: string): Promise<Note | 'gone' | undefined> {
  const path = join(folder, LOCK);
  const until = Date.now() + BEGIN_MS;
  for (;;) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return 'gone';
    const note = noteSchema.safeParse(jsonOf(text));
    if (note.success) return note.data;
    if (Date.now() > until) return undefined;
    await sleep(100);
  }
}

async function lives(
  folder: string,
  note: Note | undefined,
  { owner, silenceMs, token }: { readonly owner: ProcessId; readonly silenceMs: number; readonly token: string },
): Promise<boolean> {
  const known = note && (await isAlive(note, owner));
  if (known !== undefined) return known;
  const path = join(folder, LOCK);
  const written = () =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  const before = await written();
  if (before === undefined) return false;
  // By the folder's own clock, which may be another machine's.
  const probe = join(folder, `${LOCK}.${token}`);
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

/** Removes the lock of a dead run; `false` when somebody else has done so, whose own lock then is put back. */
async function takeAway(folder: string, { token: expected }: Note, token: string): Promise<boolean> {
  const [path, away] = [join(folder, LOCK), join(folder, `${LOCK}.${token}`)];
  try {
    await rename(path, away);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
  // Who has taken the folder in the meantime may have tidied it away.
  const found = noteSchema.safeParse(jsonOf(await readFile(away, 'utf8').catch(() => '')));
  const isIt = found.success && found.data.token === expected;
  if (!isIt) await rename(away, path).catch(() => {});
  await rm(away, { force: true });
  return isIt;
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
