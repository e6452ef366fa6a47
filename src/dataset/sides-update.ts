import { type KnownImages, sideOfAll } from './known-images.ts';
import type { KnownImage } from './sides.ts';
import type { Split } from './split.ts';

const SIDES: readonly Split[] = ['train', 'test'];

/** Makes the sides of a data set from those of the one before and its own images. */
export interface SidesUpdate {
  /** The rows of an image of the data set, by its line in the manifest. */
  add(image: KnownImage): KnownImage[];
  /** The rows of all others: images that are not in the data set, but were in one before. Once all are added. */
  rest(): Generator<KnownImage>;
}

/** @param isGrouped whether the images have been grouped; without, they keep the groups that they had */
export function createSidesUpdate(known: KnownImages, { isGrouped }: { readonly isGrouped: boolean }): SidesUpdate {
  const isReplaced = new Uint8Array(known.images.length);
  /** Of those that agree with an image of the data set: 1 where it is in train, 2 in test. */
  const sides = new Uint8Array(known.images.length);
  return {
    add(image) {
      const groups = new Set<string | undefined>();
      for (const place of known.find(image)) {
        const before = known.images[place];
        sides[place] = SIDES.indexOf(image.side) + 1;
        // One that nobody had read is this one now.
        if (before?.sha256 !== undefined && before.sha256 !== image.sha256) continue;
        isReplaced[place] = 1;
        if (before?.group !== undefined) groups.add(before.group);
      }
      if (isGrouped || groups.size === 0) return [image];
      return Array.from(groups, (group) => ({ ...image, group }));
    },
    *rest() {
      for (const [place, image] of known.images.entries()) {
        if (isReplaced[place]) continue;
        // What agrees with it in CRC-32 and size shares its side.
        const side = SIDES[(sides[place] ?? 0) - 1] ?? sideOfAll(known.sideOf(image)) ?? image.side;
        yield { ...image, side, label: undefined };
      }
    },
  };
}
