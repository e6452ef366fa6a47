/**
 * Like `Promise.all` over `items.map(work)`, but with at most `concurrency` (1 or more) under way at a time. The first
 * failure rejects; work that has begun goes on, no more is begun.
 */
export async function mapParallel<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  // The workers share the iterator: each takes the next item that nobody has.
  const waiting = items.entries();
  let failed = false;
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (failed) return;
      try {
        results.set(index, await work(item, index));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
