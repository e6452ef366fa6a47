/** So many bytes, and so many items, are a thread's job: large enough to need few messages. */
const JOB_BYTES = 2 * 2 ** 20;
const JOB_ITEMS = 256;

/** Items in their order; a large one is alone. */
export function* batchesOf<Item>(items: readonly Item[], bytesOf: (item: Item) => number): Generator<readonly Item[]> {
  for (let next = 0; next < items.length; ) {
    const start = next;
    let bytes = 0;
    for (; next < items.length && next - start < JOB_ITEMS; next++) {
      const item = items[next];
      const more = item === undefined ? 0 : bytesOf(item);
      if (next > start && bytes + more > JOB_BYTES) break;
      bytes += more;
    }
    yield items.slice(start, next);
  }
}
