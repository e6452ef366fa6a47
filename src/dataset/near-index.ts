import { FREQUENCIES, HASH_WORDS, SQUARE } from '../image/perceptual-hash.ts';

/** Of the 255 signs, so many may differ. Of real plankton images, no two come closer than 55 (docs/near-duplicates.md). */
export const MAX_DISTANCE = 28;

/** How far the shapes of near-duplicates are apart, a twentieth: small images are rounded to whole pixels. */
const MAX_SHAPE_STEPS = 50;

const SIGN_WORDS = HASH_WORDS - 1;
const SHAPE = HASH_WORDS - 1;

/**
 * Signs are looked up in bands: of two hashes that differ in no more than `MAX_DISTANCE` signs, some of these many bands is
 * the same except for one of thousands of pairs.
 */
const BAND_BITS = 12;
const BANDS = 21;
const BAND_VALUES = 2 ** BAND_BITS;

/** Where nearly all images look alike, an image is compared with so many, which tells enough. */
export const MAX_CANDIDATES = 20_000;

/** Hashes of images, `HASH_WORDS` each; only zeros for an image that can't be compared. */
export type Hashes = Uint32Array;

/** Told the place of an image, and in how many signs it differs. */
type Visit = (image: number, distance: number) => void;

/** Finds images that look like another, in any of its eight positions: turned by quarters, and mirrored. */
export interface NearIndex {
  /**
   * An image may be given several times.
   *
   * @param before visits only images before this one
   */
  visit(image: number, visit: Visit, before?: number): void;
}

/**
 * @param members the images that are found, in ascending order
 * @param most with how many of them an image is compared in each of its positions
 */
export function createNearIndex(hashes: Hashes, members: Uint32Array, most = MAX_CANDIDATES): NearIndex {
  const comparable = members.filter((image) => isComparable(hashes, image));
  const bands = Array.from({ length: BANDS }, (_, band) => indexBand(hashes, comparable, band));
  const query = new Uint32Array(HASH_WORDS);

  function visitOne(visit: Visit, before: number): void {
    let candidates = 0;
    for (const [band, { starts, images }] of bands.entries()) {
      const value = bandOf(query, 0, band);
      const end = starts[value + 1] ?? 0;
      for (let at = starts[value] ?? 0; at < end; at++) {
        const image = images[at] ?? 0;
        if (image >= before) break;
        if (++candidates > most) return;
        const distance = distanceTo(hashes, image, query);
        if (distance <= MAX_DISTANCE) visit(image, distance);
      }
    }
  }

  return {
    visit(image, visit, before = Number.POSITIVE_INFINITY) {
      if (!isComparable(hashes, image)) return;
      for (const words of positionsOf(hashes.subarray(image * HASH_WORDS, (image + 1) * HASH_WORDS))) {
        query.set(words);
        visitOne(visit, before);
      }
    },
  };
}

function isComparable(hashes: Hashes, image: number): boolean {
  return hashes[image * HASH_WORDS + SHAPE] !== 0;
}

/** The images in order of a band's value, and where each value begins. */
function indexBand(hashes: Hashes, members: Uint32Array, band: number) {
  const starts = new Uint32Array(BAND_VALUES + 1);
  const valueAt = (image: number) => bandOf(hashes, image * HASH_WORDS, band);
  for (const image of members) {
    const after = valueAt(image) + 1;
    starts[after] = (starts[after] ?? 0) + 1;
  }
  for (let value = 0; value < BAND_VALUES; value++) starts[value + 1] = (starts[value + 1] ?? 0) + (starts[value] ?? 0);
  const next = starts.slice();
  const images = new Uint32Array(members.length);
  for (const image of members) {
    const value = valueAt(image);
    const at = next[value] ?? 0;
    images[at] = image;
    next[value] = at + 1;
  }
  return { starts, images };
}

function bandOf(words: Uint32Array, start: number, band: number): number {
  const bit = band * BAND_BITS;
  const [word, shift] = [start + (bit >>> 5), bit & 31];
  const low = (words[word] ?? 0) >>> shift;
  const high = shift + BAND_BITS > 32 ? (words[word + 1] ?? 0) << (32 - shift) : 0;
  return (low | high) & (BAND_VALUES - 1);
}

/** More than `MAX_DISTANCE` is not counted to its end. */
function distanceTo(hashes: Hashes, image: number, query: Uint32Array): number {
  const start = image * HASH_WORDS;
  if (Math.abs((hashes[start + SHAPE] ?? 0) - (query[SHAPE] ?? 0)) > MAX_SHAPE_STEPS) return MAX_DISTANCE + 1;
  let distance = 0;
  for (let word = 0; word < SIGN_WORDS && distance <= MAX_DISTANCE; word++) {
    distance += countBits((hashes[start + word] ?? 0) ^ (query[word] ?? 0));
  }
  return distance;
}

function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** A mirrored image has other signs in every second frequency. A word holds two rows of vertical frequencies. */
const MIRRORED = [0, 0xaaaaaaaa, 0xffff0000, 0x5555aaaa];

/** What the hash of an image would be in each of its positions. */
export function positionsOf(hash: Uint32Array): Uint32Array[] {
  return [hash, transposed(hash)].flatMap((words) =>
    MIRRORED.map((mask) => words.map((word, at) => (at === SHAPE ? word : word ^ mask))),
  );
}

/** Mirrored in its diagonal. */
function transposed(hash: Uint32Array): Uint32Array {
  const result = new Uint32Array(HASH_WORDS);
  for (let from = 0; from < FREQUENCIES ** 2; from++) {
    if ((((hash[from >>> 5] ?? 0) >>> (from & 31)) & 1) === 0) continue;
    const to = (from % FREQUENCIES) * FREQUENCIES + Math.floor(from / FREQUENCIES);
    result[to >>> 5] = (result[to >>> 5] ?? 0) | (1 << (to & 31));
  }
  result[SHAPE] = 2 * SQUARE - (hash[SHAPE] ?? 0);
  return result;
}
