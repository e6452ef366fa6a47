/** How many places an error or warning lists before it says how many more there are. */
const LISTED_PLACES = 10;

/** Sentences, of which only the first few are kept. */
export interface Sentences {
  readonly count: number;
  add(sentence: string): void;
  addAll(other: Sentences): void;
  kept(): readonly string[];
  shown(): string[];
}

export function createSentences(): Sentences {
  const kept: string[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(sentence) {
      count++;
      if (kept.length < LISTED_PLACES) kept.push(sentence);
    },
    addAll(other) {
      kept.push(...other.kept().slice(0, LISTED_PLACES - kept.length));
      count += other.count;
    },
    kept: () => kept,
    shown() {
      const more = count - kept.length;
      return [...kept, ...(more > 0 ? [`… and ${more} more of the kind.`] : [])];
    },
  };
}
