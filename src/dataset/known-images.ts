import type { KnownImage } from './sides.ts';
import type { Split } from './split.ts';

/** What a zip's directory says about an image, by which it is recognised. */
export interface Fingerprint {
  readonly crc32: number;
  readonly bytes: number;
}

/** Where known images lie: on one side, or on both. */
export type KnownSide = Split | 'both';

/**
 * The images of a line of data sets, to be found by CRC-32 and size: so they are recognised before anything is read, and
 * whatever their names and labels are now. Two that agree in both count as one.
 */
export interface KnownImages {
  readonly images: readonly KnownImage[];
  /** The places in `images` of those that agree with this one. */
  find(image: Fingerprint): Uint32Array;
  sideOf(image: Fingerprint): KnownSide | undefined;
  /** How many of these lie on each side; as test counts what lies on both. */
  count(images: readonly Fingerprint[]): { readonly train: number; readonly test: number };
}

export function createKnownImages(images: readonly KnownImage[]): KnownImages {
  const order = Uint32Array.from(images, (_, place) => place);
  order.sort((a, b) => compare(images[a], images[b]) || a - b);

  // Looked through in one piece of memory, as it is for every image.
  const sums = Uint32Array.from(order, (place) => images[place]?.crc32 ?? 0);

  function find({ crc32, bytes }: Fingerprint): Uint32Array {
    const bytesAt = (index: number) => images[order[index] ?? 0]?.bytes ?? 0;
    let [start, high] = [0, order.length];
    while (start < high) {
      const middle = (start + high) >>> 1;
      if ((sums[middle] ?? 0) < crc32) start = middle + 1;
      else high = middle;
    }
    while (sums[start] === crc32 && bytesAt(start) < bytes) start++;
    let end = start;
    while (sums[end] === crc32 && bytesAt(end) === bytes) end++;
    return order.subarray(start, end);
  }

  const sideOf = (image: Fingerprint) =>
    find(image).reduce<KnownSide | undefined>((side, at) => together(side, images[at]?.side), undefined);

  return {
    images,
    find,
    sideOf,
    count(some) {
      const counts = { train: 0, test: 0 };
      for (const image of some) {
        const side = sideOfAll(sideOf(image));
        if (side) counts[side]++;
      }
      return counts;
    },
  };
}

/** Where images lie of which some lie here and some there. */
export function together(a: KnownSide | undefined, b: KnownSide | undefined): KnownSide | undefined {
  return a === undefined || b === undefined || a === b ? (a ?? b) : 'both';
}

/** The side that images get which have to share one: an image that once was test is never trained on. */
export function sideOfAll(known: KnownSide | undefined): Split | undefined {
  return known === 'both' ? 'test' : known;
}

function compare(a: Fingerprint | undefined, b: Fingerprint | undefined): number {
  if (!a || !b) return 0;
  return a.crc32 - b.crc32 || a.bytes - b.bytes;
}
