import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { DEFAULT_RETRY_POLICY } from '../http/retry.ts';
import { faultOf, isStored, put, removeLeftover, removeTemporary, textContent } from './confirmed-writes.ts';
import { createFolders } from './ensure-folder.ts';
import { listFolder } from './list-folder.ts';
import { type RemoteOptions, retrying } from './options.ts';
import { readText } from './read-file.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';
import { judgeWebdav, statusOf } from './webdav-error.ts';

export interface LockRequest {
  /** The folder that stands for the lock; created when missing, and stays. */
  readonly folder: string;
  /** Who takes it, for people: one line. */
  readonly owner: string;
  /** A holder that has not given it back after this time is taken for dead. Milliseconds. */
  readonly staleMs: number;
  /** How long to wait for another holder. Milliseconds. */
  readonly waitMs: number;
  /** How often to look meanwhile. Milliseconds. */
  readonly pollMs: number;
  readonly now: () => Date;
  /** Whether a holder, as it named itself, is known to have ended; asked now and then while it is waited for. */
  readonly hasEnded?: ((owner: string) => Promise<boolean>) | undefined;
  /** Told once when another holder has to be waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
}

export interface Lock {
  /** Asks the server. @throws DiatomError `OWNCLOUD` when somebody else has taken the lock for dead in the meantime */
  requireHeld(): Promise<void>;
  /** Never throws: a lock that can't be given back is a warning. Does not use the run's signal. */
  release(): Promise<void>;
}

/**
 * Makes sure that one run at a time works on something. WebDAV's own LOCK is not used: many servers and proxies have
 * none, or accept it without effect.
 *
 * Whoever wants the lock puts a note into the lock's folder and then looks: if the note is alone there, the lock is held.
 * Of two that come at once at least one sees the other, whatever the order of their requests, so never do both hold it.
 * Whoever has had to wait looks before, too, so that notes don't come and go all the time. If it is not alone, the note that
 * comes first by name stays and waits, and the others are taken back: were all taken back, those who are slow would meet again
 * and again.
 *
 * A note's name tells its age, so that a dead run's note is passed over, and deleted, which is how its run finds out; sooner
 * where somebody knows that the run has ended.
 *
 * @throws DiatomError `OWNCLOUD` when another holds it for longer than `waitMs`; the message says who, and what to delete
 *   when that run is over; `CANCELLED`
 */
export async function takeLock(remote: Remote, request: LockRequest, options: RemoteOptions): Promise<Lock> {
  const note = new Note(remote, request, options);
  try {
    await note.waitUntilAlone();
    await note.deleteDead();
  } catch (error) {
    await note.takeBack();
    throw error;
  }
  return { requireHeld: () => note.requireThere(), release: () => note.takeBack() };
}

/** What one run has in the lock's folder, or would like to have there. */
class Note {
  readonly #remote: Remote;
  readonly #request: LockRequest;
  readonly #options: RemoteOptions;
  readonly #since: Date;
  readonly #name: string;
  readonly #path: string;
  #isPlaced = false;
  #looks = 0;
  #losses = 0;
  /** Whether the note was there at the last look, as it was sent. */
  #isWhole = false;
  /** How it differed from what was sent, where something was there under its name. */
  #damage: string | undefined;
  /** The notes that were there at the last look. */
  #seen: readonly string[] = [];
  /** Those of runs that are known to have ended. */
  readonly #ended = new Set<string>();
  #asked = Number.NEGATIVE_INFINITY;

  constructor(remote: Remote, request: LockRequest, options: RemoteOptions) {
    [this.#remote, this.#request, this.#options] = [remote, request, options];
    this.#since = request.now();
    this.#name = `owner-${compactTime(this.#since)}-${randomBytes(4).toString('hex')}.txt`;
    this.#path = remotePath(request.folder, this.#name);
  }

  /** Puts the note there, and returns when no living one is beside it. */
  async waitUntilAlone(): Promise<void> {
    for (let look = 0; ; look++) {
      const other = await this.#findOther();
      if (other === undefined) return;
      const text = (await this.#textOf(other)) ?? other;
      if (await this.#hasEnded(other, text)) continue;
      await this.#wait(other, text.replaceAll('\n', ', '), look === 0);
    }
  }

  /** @throws DiatomError `OWNCLOUD` for one that can't be deleted: its run might come back, and find it there */
  async deleteDead(): Promise<void> {
    for (const note of this.#seen.filter((one) => one !== this.#name && this.#isDead(one))) {
      const path = remotePath(this.#request.folder, note);
      if (await removeLeftover(this.#remote, path)) continue;
      throw new DiatomError(
        'OWNCLOUD',
        `The note “${path}” at ${this.#remote.rootUrl.host} is of a run that is over, and could not be deleted. Delete it by hand, and run again.`,
      );
    }
  }

  async requireThere(): Promise<void> {
    await this.#look();
    if (this.#seen.includes(this.#name)) return;
    throw new DiatomError(
      'OWNCLOUD',
      `Another run has taken over at ${this.#remote.rootUrl.host}, because this one took longer than ${formatDuration(this.#request.staleMs / 1_000)} or somebody deleted its note “${this.#path}”: nothing more is changed.`,
    );
  }

  async takeBack(): Promise<void> {
    if (this.#isPlaced) await removeTemporary(this.#remote, this.#path, this.#options);
  }

  /** @returns the note that is in the way of this one, which is there now unless another goes first */
  async #findOther(): Promise<string | undefined> {
    if (!this.#isPlaced) {
      const before = this.#looks > 0 ? await this.#look() : undefined;
      if (before !== undefined) return before;
      this.#isPlaced = true;
      await this.#place();
    }
    const other = await this.#look();
    if (!this.#isWhole) return this.#placeAgain();
    if (other !== undefined && other < this.#name) {
      this.#isPlaced = !(await removeLeftover(this.#remote, this.#path));
    }
    return other;
  }

  /** The folder is there but the first time, so it is made only when the note can’t be stored. */
  async #place(): Promise<void> {
    const content = textContent(this.#text);
    const { policy = DEFAULT_RETRY_POLICY } = this.#options;
    const once = { ...this.#options, policy: { ...policy, tries: 1 } };
    const makeFolder = () => createFolders(this.#remote, this.#request.folder, once);
    await retrying(this.#options, async (number) => {
      if (number > 1) {
        // Below a folder that is missing, some servers answer as if that would pass (500, 423).
        await makeFolder();
        if (await isStored(this.#remote, this.#path, content, this.#options)) return;
      }
      try {
        await put(this.#remote, this.#path, content, this.#options);
      } catch (error) {
        if (judgeWebdav(error).retry || statusOf(error) === undefined) throw error;
        await makeFolder();
        await put(this.#remote, this.#path, content, this.#options);
      }
    });
  }

  /** Somebody has taken it for a dead run's, or deleted it by hand; or the server has stored something else. */
  async #placeAgain(): Promise<string | undefined> {
    // A damaged one would be in the way of every run, this one's next note included.
    const isThere = this.#seen.includes(this.#name);
    this.#isPlaced = isThere && !(await removeLeftover(this.#remote, this.#path));
    if (++this.#losses < MOST_LOSSES) return this.#findOther();
    const { host } = this.#remote.rootUrl;
    throw new DiatomError(
      'OWNCLOUD',
      this.#damage === undefined
        ? `The note “${this.#path}”, by which this run says that it is at work, was stored at ${host}, and is not there a moment later, ${this.#losses} times: somebody or something deletes it. Look there.`
        : `The server ${host} said that it stored the note “${this.#path}”, by which this run says that it is at work, but ${this.#damage}, after ${this.#losses} tries. A full disk or quota can be the cause: make space there (the trash bin counts too). If there is space, ask the server’s administrator, as a proxy can be the cause, too.`,
    );
  }

  /** @returns the first living note of others, by name */
  async #look(): Promise<string | undefined> {
    const entries = await listFolder(this.#remote, this.#request.folder, this.#options);
    this.#looks += 1;
    const own = entries?.find(({ name }) => name === this.#name);
    this.#damage = own && faultOf(own, textContent(this.#text), this.#remote);
    this.#isWhole = own !== undefined && this.#damage === undefined;
    this.#seen = (entries ?? []).map(({ name }) => name).filter((name) => timeOf(name));
    return this.#seen.filter((note) => note !== this.#name && !this.#isDead(note)).sort()[0];
  }

  get #text(): string {
    return `${this.#request.owner}\nsince ${this.#since.toISOString()}\n`;
  }

  #isDead(note: string): boolean {
    const age = this.#request.now().getTime() - (timeOf(note)?.getTime() ?? 0);
    return this.#ended.has(note) || age > this.#request.staleMs;
  }

  async #textOf(note: string): Promise<string | undefined> {
    return (await readText(this.#remote, remotePath(this.#request.folder, note), this.#options))?.trim();
  }

  async #hasEnded(note: string, text: string): Promise<boolean> {
    const { hasEnded } = this.#request;
    if (!hasEnded || performance.now() - this.#asked <= ASK_MS) return false;
    this.#asked = performance.now();
    if (!(await hasEnded(text.split('\n')[0] ?? ''))) return false;
    this.#options.onWarning?.(
      `Another run has ended without giving back what it held here, and is passed over: ${text.replaceAll('\n', ', ')}`,
    );
    this.#ended.add(note);
    return true;
  }

  async #wait(other: string, holder: string, isFirst: boolean): Promise<void> {
    const { folder, staleMs, waitMs, pollMs, now, onWait } = this.#request;
    const { signal } = this.#options;
    const waited = now().getTime() - this.#since.getTime();
    if (waited >= waitMs) {
      throw new DiatomError(
        'OWNCLOUD',
        `Another run is at work here and was not ready after ${formatDuration(waited / 1_000)}: ${holder}. Wait until it is over and run again. If it is over already (it was killed, or its runner died), delete the file “${remotePath(folder, other)}” at ${this.#remote.rootUrl.host}; it counts for nothing anyway when it is ${formatDuration(staleMs / 1_000)} old.`,
      );
    }
    if (isFirst) onWait?.(`Waiting for another run, at most ${formatDuration(waitMs / 1_000)}: ${holder}`);
    await sleep(pollMs * (0.5 + Math.random()), undefined, signal ? { signal } : {}).catch(() =>
      throwIfCancelled(signal),
    );
  }
}

/** How often a note may be gone before it is no accident. */
const MOST_LOSSES = 5;

/** How often to ask whether a holder has ended: those who are asked count requests. */
const ASK_MS = 30_000;

function compactTime(time: Date): string {
  return time.toISOString().replace(/[-:]|\.\d+/g, '');
}

function timeOf(note: string): Date | undefined {
  const found = /^owner-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}\.txt$/.exec(note);
  if (!found) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
