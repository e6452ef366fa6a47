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
  const images = Uint32Array.from(isTest.keys());
  // Training images are looked up, as there are more of them, and each test image is turned to find them.
  const index = createNearIndex(
    hashes,
    images.filter((image) => isTest[image] === 0),
  );
  const pairs: NearPair[] = [];
  for (const test of images) {
    if (isTest[test] === 0) continue;
    let nearest: NearPair = { test, train: hashes.length, distance: Number.POSITIVE_INFINITY };
    index.visit(test, (train, distance) => {
      const isNearer = distance < nearest.distance || (distance === nearest.distance && train < nearest.train);
      if (isNearer) nearest = { test, train, distance };
    });
    if (nearest.train < hashes.length) pairs.push(nearest);
  }
  return pairs.sort((a, b) => a.distance - b.distance || a.test - b.test);
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
  for (const image of images) {
    const unite = (other: number) => {
      if (isKnown[image] === 0 || isKnown[other] === 0) unions.unite(other, image);
    };
    index.visit(image, unite, image);
  }
  return images.map(unions.rootOf);
}
