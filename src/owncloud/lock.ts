import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { putVerified, removeLeftover, removeTemporary, textContent } from './confirmed-writes.ts';
import { ensureFolder } from './ensure-folder.ts';
import { listFolder } from './list-folder.ts';
import type { RemoteOptions } from './options.ts';
import { readText } from './read-file.ts';
import type { Remote } from './remote.ts';
import { remotePath } from './remote-path.ts';

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
  /** @throws DiatomError `OWNCLOUD` when somebody else has taken the lock for dead in the meantime */
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
 * If it is not alone, the note that comes first by name stays and waits, and the others are taken back: were all taken
 * back, those who are slow would meet again and again. A note's name tells its age, so that a dead run's note is passed
 * over, and deleted, which is how its run finds out; sooner where somebody knows that the run has ended.
 *
 * @throws DiatomError `OWNCLOUD` when another holds it for longer than `waitMs`; the message says who, and what to delete
 *   when that run is over; `CANCELLED`
 */
export async function takeLock(remote: Remote, request: LockRequest, options: RemoteOptions): Promise<Lock> {
  const { folder, owner, staleMs, waitMs, pollMs, now, hasEnded, onWait } = request;
  const since = now();
  const mine = `owner-${compactTime(since)}-${randomBytes(4).toString('hex')}.txt`;
  const path = remotePath(folder, mine);

  let seen: string[] = [];
  async function notes(): Promise<string[]> {
    const entries = await listFolder(remote, folder, options);
    if (entries === undefined) await ensureFolder(remote, folder, options);
    seen = (entries ?? []).map(({ name }) => name).filter((name) => timeOf(name));
    return seen;
  }
  const ended = new Set<string>();
  const isDead = (note: string) => ended.has(note) || now().getTime() - (timeOf(note)?.getTime() ?? 0) > staleMs;
  const othersAlive = async () => (await notes()).filter((note) => note !== mine && !isDead(note)).sort();
  const release = () => removeTemporary(remote, path, options);
  let isPlaced = false;

  /** @returns the note that is in the way */
  async function attempt(): Promise<string | undefined> {
    if (!isPlaced) {
      const [before] = await othersAlive();
      if (before !== undefined) return before;
      isPlaced = true;
      await putVerified(remote, path, textContent(`${owner}\nsince ${since.toISOString()}\n`), options);
    }
    const [other] = await othersAlive();
    if (!seen.includes(mine)) {
      // Somebody has taken it for a dead run's, or deleted it by hand.
      isPlaced = false;
      return attempt();
    }
    if (other !== undefined && other < mine) isPlaced = !(await removeLeftover(remote, path));
    return other;
  }

  async function waitUntilAlone(): Promise<void> {
    for (let [waiting, asked] = [false, Number.NEGATIVE_INFINITY]; ; waiting = true) {
      const other = await attempt();
      if (other === undefined) return;
      const text = (await readText(remote, remotePath(folder, other), options))?.trim() ?? other;
      const holder = text.replaceAll('\n', ', ');
      if (hasEnded && performance.now() - asked > ASK_MS) {
        asked = performance.now();
        if (await hasEnded(text.split('\n')[0] ?? '')) {
          options.onWarning?.(
            `Another run has ended without giving back what it held here, and is passed over: ${holder}`,
          );
          ended.add(other);
          continue;
        }
      }
      const waited = now().getTime() - since.getTime();
      if (waited >= waitMs) {
        throw new DiatomError(
          'OWNCLOUD',
          `Another run is at work here and was not ready after ${formatDuration(waited / 1_000)}: ${holder}. Wait until it is over and run again. If it is over already (it was killed, or its runner died), delete the file “${remotePath(folder, other)}” at ${remote.rootUrl.host}; it counts for nothing anyway when it is ${formatDuration(staleMs / 1_000)} old.`,
        );
      }
      if (!waiting) onWait?.(`Waiting for another run, at most ${formatDuration(waitMs / 1_000)}: ${holder}`);
      await sleep(pollMs * (0.5 + Math.random()), undefined, options.signal ? { signal: options.signal } : {}).catch(
        () => throwIfCancelled(options.signal),
      );
    }
  }

  async function deleteDead(): Promise<void> {
    for (const note of seen.filter((note) => note !== mine && isDead(note))) {
      if (await removeLeftover(remote, remotePath(folder, note))) continue;
      throw new DiatomError(
        'OWNCLOUD',
        `The note “${remotePath(folder, note)}” at ${remote.rootUrl.host} is of a run that is over, and could not be deleted. Delete it by hand, and run again.`,
      );
    }
  }

  try {
    await waitUntilAlone();
    await deleteDead();
  } catch (error) {
    if (isPlaced) await release();
    throw error;
  }
  return {
    async requireHeld() {
      if ((await notes()).includes(mine)) return;
      throw new DiatomError(
        'OWNCLOUD',
        `Another run has taken over at ${remote.rootUrl.host}, because this one took longer than ${formatDuration(staleMs / 1_000)} or somebody deleted its note “${path}”: nothing more is changed.`,
      );
    },
    release,
  };
}

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
