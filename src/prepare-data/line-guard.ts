import { setTimeout as sleep } from 'node:timers/promises';
import { sidesNameOf } from '../dataset/archive-names.ts';
import { DiatomError, throwIfCancelled, unlessCancelled } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { type ArchiveFolder, listArchives } from '../owncloud/archive-folder.ts';
import { removeTemporary } from '../owncloud/confirmed-writes.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { uploadFile } from '../owncloud/upload.ts';

/** How long another run may take to put its archive in its place, and how often that is looked at. */
const PATIENCE = { patienceMs: 10 * 60_000, pauseMs: 5_000 };

/** How long the clean-up after a failure may ask; the runner kills a cancelled step soon. */
const ASK_MS = 3_000;

/** A sides file on this machine. */
export interface LocalSides {
  readonly path: string;
  readonly bytes: number;
  readonly uploadSum: string;
  readonly sha256: string;
}

/**
 * Sees to it that an archive gets its name only when the sides of its images lie beside it, and when it still follows on
 * the archive that its sides were taken from: of two runs that began from the same one, one ends red.
 */
export interface LineGuard {
  /** Tells that the sides are known. */
  ready(sides: LocalSides): void;
  /**
   * Stores the sides, and looks for archives of other runs.
   *
   * @throws DiatomError `OWNCLOUD` when there is one; what storing and listing throw
   */
  beforeNamed(): Promise<void>;
  /** Takes the sides away again when their archive is not there. */
  withdraw(): Promise<void>;
}

export interface Guarded {
  readonly remote: Remote;
  readonly folder: string;
  readonly prefix: string;
  /** Of the archive. */
  readonly name: string;
  /** What the folder held when the run began. */
  readonly before: ArchiveFolder;
}

export function createLineGuard(
  guarded: Guarded,
  options: RemoteOptions & { readonly onWaiting?: (message: string) => void; readonly patience?: typeof PATIENCE },
): LineGuard {
  const { remote, folder, name } = guarded;
  const { promise, resolve } = Promise.withResolvers<LocalSides>();
  let isStored = false;
  return {
    ready: resolve,
    async beforeNamed() {
      const { path: localPath, bytes, uploadSum } = await unlessCancelled(promise, options.signal);
      // Before the list: of two runs, at least the one that lists later sees the other's sides.
      await uploadFile(remote, { localPath, folder, name: sidesNameOf(name), bytes, uploadSum }, options);
      isStored = true;
      await requireNewest(guarded, options);
    },
    async withdraw() {
      if (!isStored) return;
      // A server that was putting the archive together may have ended with it, whatever it answered.
      const signal = AbortSignal.timeout(ASK_MS);
      const found = await lookUpIfThere(remote.client, remotePath(folder, name), signal).catch(() => undefined);
      if (!found) await removeTemporary(remote, remotePath(folder, sidesNameOf(name)), options);
    },
  };
}

/**
 * Sides without an archive are another run at the same point, unless they were there before: then they are a dead one's.
 * The run with the earlier name goes first; it waits, as the other may have looked before it had come so far.
 */
async function requireNewest(
  { remote, folder, prefix, name, before }: Guarded,
  options: Parameters<typeof createLineGuard>[1],
): Promise<void> {
  const { patienceMs, pauseMs } = options.patience ?? PATIENCE;
  const knownArchives = new Set(before.archives.map((archive) => archive.name));
  const end = Date.now() + patienceMs;
  for (let isFirst = true; ; isFirst = false) {
    const { archives, missing } = await listArchives(remote, { folder, prefix }, options);
    const newer = archives.find((archive) => archive.name !== name && !knownArchives.has(archive.name));
    if (newer) throw startAgain(newer.name);
    const rivals = missing.filter(
      (other) => other !== name && !before.missing.includes(other) && !knownArchives.has(other),
    );
    const [rival] = rivals;
    if (rival === undefined) return;
    const first = rivals.find((other) => other < name);
    if (first !== undefined || Date.now() > end) throw startAgain(first ?? rival);
    if (isFirst) {
      const most = formatDuration(patienceMs / 1_000);
      options.onWaiting?.(`Another run is about to store “${rival}”. Waiting for it, at most ${most}.`);
    }
    await sleep(pauseMs, undefined, options.signal ? { signal: options.signal } : {}).catch(() =>
      throwIfCancelled(options.signal),
    );
  }
}

function startAgain(other: string): DiatomError {
  return new DiatomError(
    'OWNCLOUD',
    `While this run was at work, another one has stored “${other}”. Start again: only then do the images of that archive keep their sides. (Runs of the same data set should not run beside each other: see “concurrency” in the templates.)`,
  );
}
