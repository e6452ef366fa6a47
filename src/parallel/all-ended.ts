import { mapParallel } from './map-parallel.ts';

/**
 * Like `Promise.all`, but a failure is thrown only when all have ended: then nothing goes on that the caller does not know of.
 * Of several failures it is the first in the order given.
 */
export async function allEnded<const Works extends readonly unknown[]>(
  works: Works,
): Promise<{ -readonly [Index in keyof Works]: Awaited<Works[Index]> }> {
  const ends = await Promise.allSettled(works);
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure) throw failure.reason;
  return Promise.all(works);
}

/**
 * Like `mapParallel`, but the first failure is thrown only when what is under way has ended: then nothing goes on that the caller
 * does not know of.
 */
export async function mapAllEnded<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const failures: unknown[] = [];
  const results = await mapParallel(items, concurrency, async (item, index) => {
    if (failures.length > 0) return [];
    try {
      return [await work(item, index)];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  if (failures.length > 0) throw failures[0];
  return results.flat();
}
