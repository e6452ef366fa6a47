/** Marks a row of a comparison in which the candidate has less than production; `''` for any other row. */
export function fallenMark(candidate: number | null | undefined, production: number | null | undefined): string {
  return (candidate ?? 0) < (production ?? 0) ? '🔻' : '';
}
