import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod/mini';
import type { CachedDownload, DownloadCache } from '../download/cache.ts';
import { writeWhole } from '../files/whole-file.ts';

const NOTE = /^[0-9a-f]{64}\.kept\.json$/;

const noteSchema = z.object({
  name: z.string(),
  sha256: z.string(),
  bytes: z.number(),
  etag: z.optional(z.string()),
  lastModified: z.optional(z.string()),
});

/**
 * The zips in the data folder itself, until the run is good: a run that fails or is killed leaves them to the next one,
 * which asks their servers whether they are still the same. Each has a note beside it, made when it is whole.
 */
export function createKeptDownloads(directory: string): DownloadCache {
  return {
    async find(key) {
      const note = await readNote(join(directory, `${key}.kept.json`));
      if (note === undefined) return undefined;
      const { name, sha256, bytes, etag, lastModified } = note;
      const path = join(directory, basename(name));
      const found = await stat(path).catch(() => undefined);
      if (found?.size !== bytes) return undefined;
      return { path, sha256, bytes, ...(etag && { etag }), ...(lastModified && { lastModified }) };
    },
    store: (key, { path, ...facts }) => {
      const note = JSON.stringify({ name: basename(path), ...facts } satisfies z.infer<typeof noteSchema>);
      return writeWhole(join(directory, `${key}.kept.json`), note);
    },
  };
}

/** Names of what an earlier run has downloaded whole, and of the notes about it. */
export async function keptNames(directory: string): Promise<Set<string>> {
  const names = (await readdir(directory)).filter((name) => NOTE.test(name));
  const notes = await Promise.all(names.map((name) => readNote(join(directory, name))));
  return new Set([...names, ...notes.flatMap((note) => (note ? [note.name] : []))]);
}

/** After a good run nothing is left to be taken up. */
export async function forgetDownloads(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((one) => NOTE.test(one))) await rm(join(directory, name), { force: true });
}

/** Several caches as one: the first that has a file gives it, and all get what comes. */
export function firstOf(...caches: readonly (DownloadCache | undefined)[]): DownloadCache {
  return {
    async find(key) {
      for (const cache of caches) {
        const found: CachedDownload | undefined = await cache?.find(key);
        if (found) return found;
      }
      return undefined;
    },
    async store(key, file) {
      for (const cache of caches) await cache?.store(key, file);
    },
  };
}

async function readNote(path: string): Promise<z.infer<typeof noteSchema> | undefined> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Somebody else’s, or not there.
    return undefined;
  }
}
