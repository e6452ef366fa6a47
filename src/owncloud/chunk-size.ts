/** How large the pieces of a file may be. Bytes. */
export interface ChunkSizes {
  /** The first pieces; a file that is not larger is sent whole. */
  readonly start: number;
  readonly min: number;
  readonly max: number;
}

/** As ownCloud's desktop client does it (owncloud/client 2.x, ConfigFile: chunkSize, minChunkSize, maxChunkSize). */
export const CHUNK_SIZES: ChunkSizes = { start: 10_000_000, min: 1_000_000, max: 100_000_000 };

/** A piece should take so long: much longer than a server needs for any request, and short enough to send again. */
const TARGET_MS = 3_000;

/**
 * The size of the pieces to come, after one of `bytes` bytes took `ms` milliseconds: half way from the present size to
 * the one that would have taken three seconds.
 */
export function nextChunkBytes(
  present: number,
  { bytes, ms }: { bytes: number; ms: number },
  sizes: ChunkSizes,
): number {
  const ideal = within(sizes, (bytes * TARGET_MS) / Math.max(1, ms));
  return Math.round((present + ideal) / 2);
}

/**
 * The smallest size for the piece `number` (from 1). Nextcloud takes at most 10,000 pieces (Nextcloud developer manual,
 * "Chunked file upload"), and how long a growing file will become is not known: so the limit doubles every thousand
 * pieces, and they are enough for 400 GB on the slowest line.
 */
export function leastChunkBytes(number: number, sizes: ChunkSizes): number {
  return Math.min(sizes.max, sizes.min * 2 ** Math.floor((number - 1) / 1_000));
}

function within({ min, max }: ChunkSizes, bytes: number): number {
  return Math.min(max, Math.max(min, bytes));
}
