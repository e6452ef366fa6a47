import { showableMediaType } from './report.ts';

/** At most so many pictures a class. */
const PICTURES_PER_CLASS = 6;

/**
 * Bytes of pictures in the whole gallery: embedding makes them a third larger, and the report shall stay below 2 MB.
 */
const GALLERY_BYTES = 1_400_000;

export interface GalleryImage {
  readonly label: string;
  /** Path or file name: its ending tells whether browsers can show it. */
  readonly name: string;
  readonly bytes: number;
}

/**
 * Chooses the images that the report shows: a few of every class, spread evenly over its list, as many as fit into the
 * class's share of the space. Images that browsers can't show are not among them.
 */
export interface Gallery {
  /** Tells of every image there will be. */
  announce(image: GalleryImage): void;
  /** Whether an image is one of them. Asked of each once, in order, after all were announced. */
  takes(image: GalleryImage): boolean;
}

/** @param labels of all classes */
export function createGallery(labels: Iterable<string>): Gallery {
  const names = new Set(labels);
  const share = GALLERY_BYTES / names.size;
  const classes = new Map([...names].map((label) => [label, { fitting: 0, showable: 0, seen: 0, room: share }]));
  const fits = (bytes: number) => bytes <= share / PICTURES_PER_CLASS;
  return {
    announce({ label, name, bytes }) {
      const own = classes.get(label);
      if (!own || showableMediaType(name) === undefined) return;
      own.showable++;
      if (fits(bytes)) own.fitting++;
    },
    takes({ label, name, bytes }) {
      const own = classes.get(label);
      if (!own || showableMediaType(name) === undefined) return false;
      // Where every image is too large for an even share, the class still gets as many as fit.
      if (own.fitting > 0 && !fits(bytes)) return false;
      const isChosen = isSpread(own.seen++, own.fitting || own.showable) && bytes <= own.room;
      if (isChosen) own.room -= bytes;
      return isChosen;
    },
  };
}

/** Whether an item is one of up to `PICTURES_PER_CLASS`, evenly spaced over `count` items. */
function isSpread(index: number, count: number): boolean {
  if (count <= PICTURES_PER_CLASS) return true;
  const slot = (at: number) => Math.floor((at * PICTURES_PER_CLASS) / count);
  return slot(index) !== slot(index - 1);
}
