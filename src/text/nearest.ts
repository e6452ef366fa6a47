/** “ Did you mean …?” when a candidate is so near that somebody may have; else nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates);
  const isNear = distance(word.toLowerCase(), found.toLowerCase()) <= Math.max(2, Math.floor(word.length / 2));
  return isNear ? ` Did you mean ${found}?` : '';
}

/** The candidate with the fewest changed letters (Levenshtein distance). */
export function nearest(word: string, candidates: readonly string[]): string {
  const ranked = candidates.map((candidate) => ({ candidate, changes: distance(word, candidate) }));
  return ranked.sort((a, b) => a.changes - b.changes)[0]?.candidate ?? '';
}

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (to[column - 1] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
