import { rm, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DiatomError, messageOf } from '../errors.ts';
import { askProgram } from '../runner/ask-program.ts';
import { warn } from '../runner/log.ts';

/** How far the archive may be ahead of what the server has: about as much as the pieces that are under way. */
const AHEAD_BYTES = 128e6;

/** The archive's beginning is freed in steps of this size at least. */
const STEP_BYTES = 16e6;

/** Frees the disk of what is no longer needed, while the run goes on. */
export interface DiskSaver {
  /** Waits until the archive, which has so many bytes, is not too far ahead of the server to grow further. */
  room(archiveBytes: number): Promise<void>;
  /** Told how much of the archive the server has. */
  onStored(bytes: number): void;
  /** Told how much of the archive was digested. */
  onDigested(bytes: number): void;
  /** Frees a zip whose images are in the archive, though threads may have it open. */
  drop(zip: string): Promise<void>;
}

/**
 * Finds out whether the disk can free a part of a file, which low-disk rests on.
 *
 * @param path of a file that is made for it, and removed
 * @throws DiatomError `INPUT`
 */
export async function requireHoles(path: string): Promise<void> {
  try {
    await writeFile(path, Buffer.alloc(8_192));
    await punchHole(path, 0, 4_096);
  } catch (cause) {
    throw new DiatomError(
      'INPUT',
      `Input low-disk is true, but parts of a file can’t be freed at ${dirname(path)} (${messageOf(cause)}): it needs Linux, the program fallocate, and a disk with ext4, XFS, Btrfs or tmpfs. Set keep-data: false instead.`,
      { cause },
    );
  } finally {
    await rm(path, { force: true });
  }
}

/** @param path of the archive */
export function createDiskSaver(path: string): DiskSaver {
  let [stored, digested, freed] = [0, 0, 0];
  let freeing = Promise.resolve();
  let waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];

  function free(): void {
    const end = Math.min(stored, digested);
    if (end - freed < STEP_BYTES) return;
    const start = freed;
    freed = end;
    freeing = freeing.then(() =>
      punchHole(path, start, end - start).catch((error: unknown) =>
        warn(`A part of the archive that the server has could not be freed (low-disk): ${messageOf(error)}`),
      ),
    );
  }

  return {
    room(archiveBytes) {
      if (archiveBytes - stored <= AHEAD_BYTES) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ bytes: archiveBytes, resolve }));
    },
    onStored(bytes) {
      stored = bytes;
      free();
      const ready = waiting.filter(({ bytes: wanted }) => wanted - stored <= AHEAD_BYTES);
      waiting = waiting.filter((one) => !ready.includes(one));
      for (const { resolve } of ready) resolve();
    },
    onDigested(bytes) {
      digested = bytes;
      free();
    },
    async drop(zip) {
      // A file that is open keeps its place on the disk when it is deleted, but not when it is emptied.
      await truncate(zip);
      await rm(zip);
    },
  };
}

/** Frees a part of a file, which then reads as zeros (fallocate(1), util-linux). */
async function punchHole(path: string, offset: number, length: number): Promise<void> {
  const args = ['--punch-hole', '--offset', String(offset), '--length', String(length), path];
  const { exitCode, stderr } = await askProgram('fallocate', args);
  if (exitCode !== 0) throw new Error(stderr.trim() || `fallocate ended with exit code ${exitCode}`);
}
