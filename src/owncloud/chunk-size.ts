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

/** Where a server needs long for any request, a piece should take so many times that, or most of the time goes into waiting. */
const TIMES_THE_WAIT = 4;

/** What a piece took. */
export interface ChunkCost {
  readonly bytes: number;
  readonly ms: number;
  /** Of these, from its last byte to the answer. */
  readonly waitMs?: number;
}

/**
 * The size of the pieces to come, after one of that cost: half way from the present size to the one that would have taken
 * three seconds. Where most of the time went into waiting for the answer, at once what can be sent in a multiple of that.
 */
export function nextChunkBytes(present: number, { bytes, ms, waitMs = 0 }: ChunkCost, sizes: ChunkSizes): number {
  const mostlyWaits = waitMs > ms / 2;
  const targetMs = Math.max(TARGET_MS, TIMES_THE_WAIT * waitMs);
  const ideal = within(sizes, (bytes * targetMs) / Math.max(1, mostlyWaits ? ms - waitMs : ms));
  return Math.round(mostlyWaits ? ideal : (present + ideal) / 2);
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
