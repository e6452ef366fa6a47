import { HASH_WORDS } from '../image/perceptual-hash.ts';
import { createNearIndex, type Hashes } from './near-index.ts';
import { createUnions } from './unions.ts';

/** A test image, and the training image that looks most like it, as places in a list of hashes. */
export interface NearPair {
  readonly test: number;
  readonly train: number;
  /** In how many signs they differ. */
  readonly distance: number;
}

/** Of each test image that looks like a training image, the nearest of these: of several, the first. */
export function nearPairs(hashes: Hashes, isTest: Uint8Array): NearPair[] {
  const tests = Uint32Array.from(isTest.keys()).filter((image) => isTest[image] === 1);
  const index = createNearIndex(hashes, tests);
  const nearest = new Map<number, NearPair>();
  for (const [train, side] of isTest.entries()) {
    if (side === 1) continue;
    index.visit(train, (test, distance) => {
      const before = nearest.get(test);
      if (!before || distance < before.distance) nearest.set(test, { test, train, distance });
    });
  }
  return [...nearest.values()].sort((a, b) => a.distance - b.distance || a.test - b.test);
}

/**
 * For each image the first of those that it looks like, or that look like one which it looks like, and so on: itself, where
 * there is no other. Two known images are never brought together, as they stay where they are.
 */
export function nearGroups(hashes: Hashes, isKnown: Uint8Array): Uint32Array {
  const count = hashes.length / HASH_WORDS;
  const images = Uint32Array.from({ length: count }, (_, image) => image);
  const unions = createUnions(count);
  const index = createNearIndex(hashes, images);
  for (let image = 0; image < count; image++) {
    index.visit(image, (other) => {
      if (other >= image || (isKnown[image] === 1 && isKnown[other] === 1)) return;
      unions.unite(other, image);
    });
  }
  return images.map(unions.rootOf);
}
