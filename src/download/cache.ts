import { createHash } from 'node:crypto';

/** A file that an earlier run downloaded, kept where it outlives the run. */
export interface CachedDownload {
  readonly path: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly bytes: number;
  /** As the server sent them; with them it can say that the file is still the same. */
  readonly etag?: string;
  readonly lastModified?: string;
}

/** Keeps downloads from run to run. Where, and for how long, is the business of who implements it. */
export interface DownloadCache {
  /** The file kept under `key` (see `cacheKeyOf`), if there is one. It may be damaged: who uses it verifies it. */
  find(key: string): Promise<CachedDownload | undefined>;
  /** Copies `file` into the cache and forgets what was there under `key`. */
  store(key: string, file: CachedDownload): Promise<void>;
}

/**
 * The name of an address that gives nothing of it away: SHA-256 in hex of the address as it stands in the file list, without
 * a password. It is stored where others can read it, and passwords can be guessed.
 */
export function cacheKeyOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.password === '') return createHash('sha256').update(url).digest('hex');
  parsed.password = '';
  return createHash('sha256').update(parsed.href).digest('hex');
}
