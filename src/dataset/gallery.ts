import { compareCodePoints } from '../text/code-points.ts';
import type { Split } from './split.ts';

/** Of a class with room for all, half of them from test. */
const PICTURES_PER_CLASS = 6;

/** In the whole report, unless it has very many classes. */
const PICTURES = 900;

/** With two pictures each, one of train and one of test. Of more, the pictures would be too small to show anything. */
const MAX_CLASSES = 450;

/** Bytes of all pictures: embedding makes them a third larger, and the report shall stay below 3 MB. */
const GALLERY_BYTES = 1_400_000;

/** More is more than a picture for the report needs. */
const MAX_PICTURE_BYTES = 12_000;

/** Of the image files: a decoder manages some 10 MB of PNG a second. */
const DECODED_BYTES = 100_000_000;

interface GalleryImage {
  readonly split: Split;
  readonly image: { readonly bytes: number };
}

/** Chooses the images that the report shows: a few of each class, from train and test, spread evenly over its zips. */
export interface Gallery {
  /** What one picture may take. */
  readonly pictureBytes: number;
  /** Asked once of each source, in list order, with the images that it has in the data set. */
  choose<Image extends GalleryImage>(label: string, images: readonly Image[]): Set<Image>;
}

interface Side {
  readonly split: Split;
  wanted: number;
}

/** @param labels of all sources */
export function createGallery(labels: readonly string[]): Gallery {
  const names = [...new Set(labels)].sort(compareCodePoints);
  const shown = names.slice(0, MAX_CLASSES);
  const each = Math.min(PICTURES_PER_CLASS, Math.max(2, Math.floor(PICTURES / shown.length)));
  const classes = new Map(
    shown.map((label) => {
      const test = Math.floor(each / 2);
      const sides: Side[] = [
        { split: 'train', wanted: each - test },
        { split: 'test', wanted: test },
      ];
      const sources = labels.filter((of) => of === label).length;
      return [label, { sides, sources, room: DECODED_BYTES / shown.length }];
    }),
  );
  return {
    pictureBytes: Math.min(MAX_PICTURE_BYTES, Math.floor(GALLERY_BYTES / (each * shown.length))),
    choose(label, images) {
      const own = classes.get(label);
      if (!own) return new Set();
      const chosen = own.sides.flatMap((side) => {
        const share = Math.ceil(side.wanted / own.sources);
        const found = spread(
          images.filter(({ split }) => split === side.split),
          share,
        ).filter(({ image: { bytes } }, index) => {
          // However large its images are, one of each side is shown.
          if (index > 0 && bytes > own.room) return false;
          own.room -= bytes;
          return true;
        });
        side.wanted -= found.length;
        return found;
      });
      own.sources--;
      return new Set(chosen);
    },
  };
}

/** Up to `count` of them, evenly spaced. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)]).filter(
    (item) => item !== undefined,
  );
}
