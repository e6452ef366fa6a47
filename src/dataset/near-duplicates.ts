import { HASH_WORDS } from '../image/perceptual-hash.ts';
import { createNearIndex, type Hashes, MAX_CANDIDATES } from './near-index.ts';
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
  const tests = images.filter((image) => isTest[image] === 1);
  const trains = images.filter((image) => isTest[image] === 0);
  // It is the test images that are turned, as there are fewer of them, and each may be compared with more.
  const index = createNearIndex(hashes, trains, MAX_CANDIDATES * Math.max(1, trains.length / tests.length));
  const pairs: NearPair[] = [];
  for (const test of tests) {
    let nearest: NearPair = { test, train: Number.POSITIVE_INFINITY, distance: Number.POSITIVE_INFINITY };
    index.visit(test, (train, distance) => {
      const isNearer = distance < nearest.distance || (distance === nearest.distance && train < nearest.train);
      if (isNearer) nearest = { test, train, distance };
    });
    if (Number.isFinite(nearest.distance)) pairs.push(nearest);
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
