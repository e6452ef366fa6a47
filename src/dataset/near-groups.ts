import type { Group } from './groups.ts';
import { type KnownSide, sideOfAll, together } from './known-images.ts';
import type { Split } from './split.ts';
import { createUnions } from './unions.ts';

/** Groups of images, with the sides that known ones among them call for. */
interface Grouped<Image> {
  readonly groups: readonly Group<Image>[];
  readonly sides: readonly (Split | undefined)[];
}

/**
 * Puts groups together whose images look alike. Those with a known image stay as they are; new ones that look like them go to
 * their side: to test, where some lie there.
 *
 * @param nearOf a number that images share which look alike, also by way of others
 */
export function joinNear<Image>(
  { groups, sides }: Grouped<Image>,
  nearOf: (image: Image) => number | undefined,
): Grouped<Image> {
  const classesOf = groups.map(({ images }) => [...new Set(images.flatMap((image) => nearOf(image) ?? []))]);
  const unions = createUnions(1 + classesOf.flat().reduce((most, near) => Math.max(most, near), -1));
  // A new group whose images look like several others brings these together.
  for (const [at, [first, ...others]] of classesOf.entries()) {
    if (first === undefined || sides[at] !== undefined) continue;
    for (const other of others) unions.unite(first, other);
  }
  const calledFor = new Map<number, KnownSide>();
  for (const [at, classes] of classesOf.entries()) {
    const side = sides[at];
    if (side === undefined) continue;
    for (const near of classes) {
      const root = unions.rootOf(near);
      calledFor.set(root, together(calledFor.get(root), side) ?? side);
    }
  }
  const joined: { group: Group<Image>; side: Split | undefined }[] = [];
  const places = new Map<number, number>();
  for (const [at, group] of groups.entries()) {
    const near = sides[at] === undefined ? classesOf[at]?.[0] : undefined;
    const root = near === undefined ? undefined : unions.rootOf(near);
    const place = root === undefined ? undefined : places.get(root);
    const before = place === undefined ? undefined : joined[place];
    if (place !== undefined && before) joined[place] = { ...before, group: unite(before.group, group) };
    else {
      if (root !== undefined) places.set(root, joined.length);
      joined.push({ group, side: sides[at] ?? (root === undefined ? undefined : sideOfAll(calledFor.get(root))) });
    }
  }
  return { groups: joined.map(({ group }) => group), sides: joined.map(({ side }) => side) };
}

function unite<Image>(a: Group<Image>, b: Group<Image>): Group<Image> {
  return { images: [...a.images, ...b.images], keys: [...new Set([...a.keys, ...b.keys])] };
}
