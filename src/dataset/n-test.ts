/** How many images of a downloaded folder go to test. */
export type NTest =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'percentage'; readonly percentage: number };

export const N_TEST_ALLOWED = 'a whole number from 0 (such as 10) or a percentage from 0% to 100% (such as 20%)';

/** Reads `10` or `20%`; `undefined` for anything else (`-1`, `1.5`, `abc`, `120%`). */
export function parseNTest(text: string): NTest | undefined {
  if (/^\d{1,9}$/.test(text)) return { kind: 'count', count: Number(text) };
  const percentage = /^(\d{1,3}(?:\.\d+)?)\s?%$/.exec(text)?.[1];
  if (percentage === undefined || Number(percentage) > 100) return undefined;
  return { kind: 'percentage', percentage: Number(percentage) };
}

export function formatNTest(nTest: NTest): string {
  return nTest.kind === 'count' ? String(nTest.count) : `${nTest.percentage}%`;
}

/**
 * The number of test images that `nTest` means for a folder of `images` images. A percentage is rounded, but a folder
 * of two or more images gets at least one: rounding down would leave small classes without any.
 */
export function testQuota(nTest: NTest, images: number): number {
  if (nTest.kind === 'count') return nTest.count;
  const rounded = Math.round((images * nTest.percentage) / 100);
  return rounded === 0 && nTest.percentage > 0 && images >= 2 ? 1 : rounded;
}
