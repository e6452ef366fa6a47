/** How much of a file is there, for those who wait for it. */
export interface WrittenLength {
  readonly level: number;
  /** Sets the level; it falls when the file is started from the beginning. */
  set(level: number): void;
  /** Resolves with the level as soon as it is at least `level`. */
  reach(level: number): Promise<number>;
}

export function createWrittenLength(): WrittenLength {
  let present = 0;
  let waiting: { readonly level: number; readonly resolve: (level: number) => void }[] = [];
  return {
    get level() {
      return present;
    },
    set(level) {
      present = level;
      const reached = waiting.filter((one) => one.level <= level);
      if (reached.length === 0) return;
      waiting = waiting.filter((one) => one.level > level);
      for (const { resolve } of reached) resolve(level);
    },
    reach(level) {
      if (level <= present) return Promise.resolve(present);
      return new Promise((resolve) => waiting.push({ level, resolve }));
    },
  };
}
