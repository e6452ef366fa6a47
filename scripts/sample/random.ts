/** Random numbers that are the same in every run. */
export interface Random {
  /** Evenly spread from `from` up to `to`. */
  between(from: number, to: number): number;
  /** Normally spread around 0 with a standard deviation of 1. */
  normal(): number;
  chance(probability: number): boolean;
}

/** A generator started from a number: mulberry32, small and good enough for pictures. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    between: (from, to) => from + (to - from) * next(),
    // The sum of four even spreads is near enough to a bell curve for camera noise, and quick.
    normal: () => (next() + next() + next() + next() - 2) * Math.sqrt(3),
    chance: (probability) => next() < probability,
  };
}
