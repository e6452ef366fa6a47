/** Of a histogram of images by their longer side: from so many pixels on, in powers of two. */
const FIRST_BIN = 16;
const BINS = 12;

export interface SizeBin {
  /** Pixels of the longer side, as text: `64–127`. */
  readonly name: string;
  readonly count: number;
}

/** Counts images by their longer side; the counts of several can be added, number by number. */
export function createSizeCounts() {
  const counts: number[] = [];
  return {
    counts: counts as readonly number[],
    add({ width, height }: { readonly width: number; readonly height: number }): void {
      const bin = Math.floor(Math.log2(Math.max(width, height, 1) / FIRST_BIN)) + 1;
      const at = Math.min(BINS - 1, Math.max(0, bin));
      addCounts(counts, [...Array(at).fill(0), 1]);
    },
  };
}

/** Adds `more` to `counts`. */
export function addCounts(counts: number[], more: readonly number[]): void {
  for (const [at, count] of more.entries()) counts[at] = (counts[at] ?? 0) + count;
}

/** From the first that has an image to the last. */
export function sizeBins(counts: readonly number[]): SizeBin[] {
  const first = counts.findIndex((count) => count > 0);
  return counts.slice(Math.max(0, first)).map((count, index) => ({ name: nameOf(first + index), count }));
}

function nameOf(bin: number): string {
  if (bin === 0) return `below ${FIRST_BIN}`;
  const from = FIRST_BIN * 2 ** (bin - 1);
  return bin === BINS - 1 ? `from ${from}` : `${from}–${2 * from - 1}`;
}
