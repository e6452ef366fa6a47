/** Numbers of which some have been brought together. */
export interface Unions {
  /** The lowest of those that a number is together with. */
  rootOf(number: number): number;
  /** Brings two together, with all that each is together with. */
  unite(a: number, b: number): void;
}

/** Union-find over the numbers below `count`, which are apart at first. */
export function createUnions(count: number): Unions {
  const parent = Uint32Array.from({ length: count }, (_, number) => number);
  const rootOf = (number: number): number => {
    let root = number;
    for (let next = parent[root] ?? root; next !== root; next = parent[root] ?? root) root = next;
    parent[number] = root;
    return root;
  };
  return {
    rootOf,
    unite(a, b) {
      const [one, other] = [rootOf(a), rootOf(b)];
      parent[Math.max(one, other)] = Math.min(one, other);
    },
  };
}
