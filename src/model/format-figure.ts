/** A fraction as a percentage for people, with one decimal; a dash for what was not measured. */
export function percent(fraction: number | null | undefined): string {
  return fraction === null || fraction === undefined ? '–' : `${(100 * fraction).toFixed(1)} %`;
}

/** A fraction with its confidence interval. */
export function withInterval(
  fraction: number | null | undefined,
  interval: readonly [number, number] | null | undefined,
): string {
  return interval ? `${percent(fraction)} (${percent(interval[0])} to ${percent(interval[1])})` : percent(fraction);
}
