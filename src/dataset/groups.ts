import { DiatomError } from '../errors.ts';
import { createUnions } from './unions.ts';

/** What grouping needs to know of an image. */
export interface GroupableImage {
  readonly label: string;
  readonly zipName: string;
  /** Path inside the zip. */
  readonly path: string;
  /** Equal for two images exactly when their bytes are equal. */
  readonly content: number;
  /** The same for the same image in every run: CRC-32 and size, which a zip's directory tells without reading it. */
  readonly fingerprint: string;
}

/** Images that must lie on one side of the split. */
export interface Group<Image> {
  readonly images: readonly Image[];
  /**
   * What the group is made of, each a name that stays the same when the data set grows: the key of `group-by` with its
   * label, or the fingerprint of an image that has none.
   */
  readonly keys: readonly string[];
}

/**
 * Puts images together that would leak from train to test: those with the same `group-by` key under one label, and
 * identical ones, whatever their label. A group that overlaps another through an identical image is one with it.
 *
 * @throws DiatomError `INPUT` when `groupBy` matches no image of a label
 */
export function groupImages<Image extends GroupableImage>(
  images: readonly Image[],
  groupBy: RegExp | undefined,
): Group<Image>[] {
  const keys = images.map((image) => groupOf(image, groupBy));
  if (groupBy) requireMatches(images, keys, groupBy);

  // Every key and every content leads to the first image that has it.
  const unions = createUnions(images.length);
  const first = new Map<string | number, number>();
  images.forEach((image, index) => {
    const key = keys[index];
    for (const name of [image.content, ...(key === undefined ? [] : [key])]) {
      const earlier = first.get(name);
      if (earlier === undefined) first.set(name, index);
      else unions.unite(earlier, index);
    }
  });

  const groups = new Map<number, { images: Image[]; keys: string[] }>();
  images.forEach((image, index) => {
    // Roots are the lowest, so that groups come out in the order of their first images.
    const root = unions.rootOf(index);
    const group = groups.get(root);
    const key = keys[index];
    const name = key === undefined ? `image ${image.fingerprint}` : `group ${key}`;
    // Nearly every group is one image: no more than two arrays for it.
    if (!group) groups.set(root, { images: [image], keys: [name] });
    else {
      group.images.push(image);
      group.keys.push(name);
    }
  });
  const all = [...groups.values()];
  return all.map((group) => (group.images.length === 1 ? group : { ...group, keys: [...new Set(group.keys)] }));
}

/**
 * The group that `group-by` puts an image into, `<label>/<key>`; `undefined` for none. A slash can be in no label, so the
 * groups of two labels never meet.
 */
export function groupOf(
  { label, path }: Pick<GroupableImage, 'label' | 'path'>,
  groupBy: RegExp | undefined,
): string | undefined {
  const match = groupBy?.exec(path.normalize('NFC'));
  const key = match?.[1] ?? match?.[0];
  // An expression that matches nothing at all of a path (`x*`) says nothing about it.
  return key ? `${label}/${key}` : undefined;
}

function requireMatches(
  images: readonly GroupableImage[],
  keys: readonly (string | undefined)[],
  groupBy: RegExp,
): void {
  const matched = new Map<string, { any: boolean; example: string }>();
  images.forEach((image, index) => {
    const label = matched.get(image.label) ?? { any: false, example: image.path };
    matched.set(image.label, { ...label, any: label.any || keys[index] !== undefined });
  });
  const without = [...matched].filter(([, { any }]) => !any);
  const [label, example] = without[0] ?? [];
  if (label === undefined) return;
  const others = without.length > 1 ? ` (and in ${without.length - 1} other labels)` : '';
  throw new DiatomError(
    'INPUT',
    `Input group-by: ${groupBy} matches no image of the label “${label}”${others}; a path there is “${example?.example}”. Without groups, crops of one specimen could stand in train and in test. Change the expression, or leave group-by empty.`,
  );
}
