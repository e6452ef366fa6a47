import { compareCodePoints } from '../text/code-points.ts';
import { csvField } from './csv.ts';
import type { Fingerprint, KnownImages } from './known-images.ts';
import { formatCrc32, type KnownImage } from './sides.ts';
import type { Split } from './split.ts';

/** What has happened to images of one class since the data set before. An image with copies counts once. */
export interface ClassChanges {
  /** Not known before. */
  readonly added: number;
  /** Known, but not in the data set before. */
  readonly returned: number;
  /** In another class before. */
  readonly relabelledTo: number;
  /** In another class now. */
  readonly relabelledFrom: number;
  /** No longer in the data set. */
  readonly removed: number;
  /** In train before, in test now. */
  readonly moved: number;
}

/** The changes in the order of a table, as its head names them. */
export const CHANGES: readonly { readonly change: keyof ClassChanges; readonly name: string }[] = [
  { change: 'added', name: 'Added' },
  { change: 'returned', name: 'Returned' },
  { change: 'relabelledTo', name: 'Relabelled to it' },
  { change: 'relabelledFrom', name: 'Relabelled from it' },
  { change: 'removed', name: 'Removed' },
  { change: 'moved', name: 'Moved to test' },
];

/** An image of the data set, as far as `changes.csv` describes it. */
interface ComparedImage extends Fingerprint {
  readonly label: string;
  readonly split: Split;
  /** Below `results`. */
  readonly path: string;
}

/**
 * Compares a data set with the one before. Every image has to be seen first, as what has become of one label's image is
 * known only when all labels are.
 */
export interface Comparison {
  /** Sees images that go to the data set, under a label. */
  see(label: string, images: readonly Fingerprint[]): void;
  /** Sentences about classes that have vanished, or lost more than a tenth of their images, once all are seen. */
  shrunk(): string[];
  /** The same by how many images each label has at most: what is known before any image is seen. */
  fewer(most: ReadonlyMap<string, number>): string[];
  /** The rows of `changes.csv` for an image, which has its place now: `''` for one that is as it was. */
  add(image: ComparedImage): string;
  /** The rows for the images that are gone; once all are added. */
  rest(): string;
  /** The classes with changes, in code-point order; once all are added. */
  classes(): Map<string, ClassChanges>;
}

/** The first line of `changes.csv`. What was removed has no path: names are not kept. */
export const CHANGES_HEADER = 'change,label,from_label,path,crc32,bytes\n';

/** More than this part of a class's images must not go unnoticed. */
const MOST_LOST = 0.1;

export function createComparison(known: KnownImages): Comparison {
  /** Of each known image, whether it is there under the label that it had. */
  const isSame = new Uint8Array(known.images.length);
  /** The labels of known images that are there under others than before. */
  const others = new Map<string, Set<string>>();
  const seen = new Map<string, number>();
  const classes = new Map<string, Record<keyof ClassChanges, number>>();
  const added = new Set<string>();

  function count(label: string, change: keyof ClassChanges): void {
    const ofClass = classes.get(label) ?? { ...NONE };
    classes.set(label, ofClass);
    ofClass[change]++;
  }

  const labelAt = (place: number) => known.images[place]?.label;
  const hadLabel = (image: Fingerprint, label: string) => known.find(image).some((place) => labelAt(place) === label);

  /** The labels under which an image was and isn't now, and the other way round. The two are paired by their order. */
  function labelsOf(image: Fingerprint) {
    const lost = Array.from(known.find(image)).filter((place) => !isSame[place]);
    const from = new Set(lost.map(labelAt).filter((label) => label !== undefined));
    const to = others.get(keyOf(image)) ?? [];
    return { from: [...from].sort(compareCodePoints), to: [...to].sort(compareCodePoints) };
  }

  /** Each image of the data set before, once under each of its labels. */
  function* imagesBefore(): Generator<KnownImage & { readonly label: string; readonly isSame: boolean }> {
    for (const [place, image] of known.images.entries()) {
      const { label } = image;
      if (label === undefined) continue;
      const first = known.find(image).find((other) => labelAt(other) === label);
      if (first === place) yield { ...image, label, isSame: isSame[place] === 1 };
    }
  }

  /** How many images each class of the data set before had, and has lost, in code-point order. */
  function classesBefore() {
    const before = new Map<string, { images: number; lost: number }>();
    for (const { label, isSame } of imagesBefore()) {
      const { images, lost } = before.get(label) ?? { images: 0, lost: 0 };
      before.set(label, { images: images + 1, lost: lost + (isSame ? 0 : 1) });
    }
    return [...before].sort(([a], [b]) => compareCodePoints(a, b));
  }

  return {
    see(label, images) {
      seen.set(label, (seen.get(label) ?? 0) + images.length);
      for (const image of images) {
        const places = known.find(image);
        const same = places.filter((place) => labelAt(place) === label);
        for (const place of same) isSame[place] = 1;
        if (places.length === 0 || same.length > 0) continue;
        const key = keyOf(image);
        others.set(key, (others.get(key) ?? new Set()).add(label));
      }
    },

    shrunk() {
      return classesBefore()
        .filter(([label, { images, lost }]) => !seen.get(label) || lost > images * MOST_LOST)
        .map(([label, { images, lost }]) =>
          seen.get(label)
            ? `The class “${label}” has lost ${lost} of the ${images} images that it had.`
            : hasVanished(label, images),
        );
    },

    fewer(most) {
      return classesBefore().flatMap(([label, { images }]) => {
        const now = most.get(label) ?? 0;
        if (now === 0) return [hasVanished(label, images)];
        const lost = images - now;
        return lost > images * MOST_LOST
          ? [`The class “${label}” has lost at least ${lost} of the ${images} images that it had.`]
          : [];
      });
    },

    add(image) {
      const { label, split, path } = image;
      const side = known.sideOf(image);
      const isMoved = split === 'test' && side !== undefined && side !== 'test';
      const isNewHere = !hadLabel(image, label);
      if (!isMoved && !isNewHere) return '';
      const key = `${keyOf(image)} ${label}`;
      if (added.has(key)) return '';
      added.add(key);
      const { from, to } = labelsOf(image);
      let rows = '';
      const tell = (change: string, fromLabel: string) => {
        rows += row({ change, label, fromLabel, path, image });
      };
      const fromLabel = isNewHere ? from[to.indexOf(label)] : undefined;
      if (fromLabel !== undefined) {
        count(label, 'relabelledTo');
        count(fromLabel, 'relabelledFrom');
        tell('relabelled', fromLabel);
      } else if (isNewHere) {
        const wasThere = known.find(image).some((place) => labelAt(place) !== undefined);
        const change = side === undefined || wasThere ? 'added' : 'returned';
        count(label, change);
        tell(change, '');
      }
      if (isMoved) {
        count(label, 'moved');
        tell('moved', '');
      }
      return rows;
    },

    rest() {
      const rows: string[] = [];
      for (const image of imagesBefore()) {
        const { label } = image;
        if (image.isSame) continue;
        const { from, to } = labelsOf(image);
        if (from.indexOf(label) < to.length) continue;
        count(label, 'removed');
        rows.push(row({ change: 'removed', label, fromLabel: '', path: '', image }));
      }
      return rows.sort(compareCodePoints).join('');
    },

    classes: () => new Map([...classes].sort(([a], [b]) => compareCodePoints(a, b))),
  };
}

function hasVanished(label: string, images: number): string {
  return `The class “${label}” has vanished; it had ${images} images.`;
}

const NONE: ClassChanges = { added: 0, returned: 0, relabelledTo: 0, relabelledFrom: 0, removed: 0, moved: 0 };

function row(of: {
  readonly change: string;
  readonly label: string;
  readonly fromLabel: string;
  readonly path: string;
  readonly image: Fingerprint;
}): string {
  const fields = [of.change, of.label, of.fromLabel, of.path, formatCrc32(of.image.crc32), of.image.bytes];
  return `${fields.map(csvField).join(',')}\n`;
}

function keyOf({ crc32, bytes }: Fingerprint): string {
  return `${crc32}:${bytes}`;
}
