import { groupImages } from './groups.ts';
import { type KnownImages, type KnownSide, sideOfAll, together } from './known-images.ts';
import { createMoves } from './moves.ts';
import { joinNear } from './near-groups.ts';
import type { AllImages, ContentOf, PlanImage, PlanOptions, PlanSource } from './plan-types.ts';
import { formatCrc32 } from './sides.ts';
import { createSightings } from './sightings.ts';
import type { SourceTotals, SplitGroup } from './split.ts';

/** Puts the images of a source into groups that the split keeps together. */
export interface Grouping<Image> {
  /** Given when all images were grouped at once. */
  readonly totals: SourceTotals | undefined;
  /**
   * @param images of the source
   * @param kept those of them that go to the data set
   */
  groupsOf(
    source: number,
    images: readonly Image[],
    kept: readonly Image[],
    contentOf: ContentOf<Image>,
  ): SplitGroup<Image>[];
}

/** CRC-32 and size, which a zip's directory tells: only images that agree in both can be identical. */
export function fingerprintOf({ crc32, bytes }: Pick<PlanImage, 'bytes' | 'crc32'>): string {
  return `${formatCrc32(crc32)}:${bytes}`;
}

/** Groups that are made of identical images alone, source after source. */
export function groupSources<Image extends PlanImage>(
  options: PlanOptions,
  known: KnownImages | undefined,
): Grouping<Image> {
  const tokenOf = createTokens(options);
  return {
    totals: undefined,
    groupsOf(source, _, kept, contentOf) {
      const together = new Map<number, Image[]>();
      const groups: { readonly token: number | undefined; readonly images: Image[] }[] = [];
      for (const image of kept) {
        const token = tokenOf(image, contentOf(image));
        const others = token === undefined ? undefined : together.get(token);
        if (others) others.push(image);
        else {
          const group = { token, images: [image] };
          groups.push(group);
          if (token !== undefined) together.set(token, group.images);
        }
      }
      return groups.map((group) => {
        const [first] = group.images;
        const keys = first ? [`image ${fingerprintOf(first)}`] : [];
        const side = first && sideOfAll(known?.sideOf(first));
        return { ...group, keys, sizes: [[source, group.images.length]], side };
      });
    },
  };
}

/**
 * The number that equal images share. Where sides are kept, all that agree in CRC-32 and size share one, as they are
 * recognised by nothing else in later runs.
 */
function createTokens({ split }: PlanOptions): (image: PlanImage, content: number | undefined) => number | undefined {
  const tokens = new Map<string, number>();
  return (image, content) => {
    if (split !== 'keep' || content === undefined) return content;
    const fingerprint = fingerprintOf(image);
    const token = tokens.get(fingerprint) ?? tokens.size;
    tokens.set(fingerprint, token);
    return token;
  };
}

/**
 * The groups of the whole list.
 *
 * @throws DiatomError `INPUT` when `groupBy` matches nothing; `DATA_SET` when too many training images would have to go
 *   to test
 */
export function groupEverything<Image extends PlanImage>(
  sources: readonly PlanSource[],
  { images, contentOf, nearOf }: AllImages<Image>,
  options: PlanOptions,
  known: KnownImages | undefined,
): Grouping<Image> {
  let unlike = -1;
  const sightings = createSightings(sources);
  const tokenOf = createTokens(options);
  const everyImage = sources.flatMap(({ label, zipName }, source) =>
    (images[source] ?? []).map((image, index) => {
      const content = contentOf(image);
      const { copyOf } = content === undefined ? {} : sightings.see(content, source, image.path);
      return {
        source,
        index,
        label,
        zipName,
        path: image.path,
        content: tokenOf(image, content) ?? unlike--,
        fingerprint: fingerprintOf(image),
        isDropped: copyOf !== undefined && options.duplicates !== 'keep-together',
        known: known?.sideOf(image),
        near: nearOf?.(image),
      };
    }),
  );
  // Groups are made before copies are dropped: what a dropped copy ties together stays together.
  const own = groupImages(everyImage, options.groupBy);
  const grouped = { groups: own, sides: known ? sidesOfGroups(own, sidesOfGone(known, images)) : [] };
  const { groups, sides } = nearOf ? joinNear(grouped, ({ near }) => near) : grouped;
  const tokens = images.map((of) => new Int32Array(of.length));
  const totals = { images: sources.map(() => 0), test: sources.map(() => 0) };
  // The stable split looks at dropped copies too: which of several is dropped changes when a data set grows.
  const sizes = groups.map((group, token) => {
    const inSource = new Map<number, number>();
    for (const { source, index, isDropped } of group.images) {
      const ofSource = tokens[source];
      if (ofSource) ofSource[index] = token;
      if (!isDropped || options.split === 'stable') inSource.set(source, (inSource.get(source) ?? 0) + 1);
    }
    for (const [source, size] of inSource) {
      totals.images[source] = (totals.images[source] ?? 0) + size;
      if (sides[token] === 'test') totals.test[source] = (totals.test[source] ?? 0) + size;
    }
    return [...inSource];
  });

  return {
    totals,
    groupsOf(source, ofSource, kept) {
      const isKept = new Set(kept);
      const found = new Map<number, Image[]>();
      ofSource.forEach((image, index) => {
        if (!isKept.has(image)) return;
        const token = tokens[source]?.[index] ?? 0;
        const members = found.get(token) ?? [];
        found.set(token, members);
        members.push(image);
      });
      return [...found].map(([token, members]) => {
        const keys = groups[token]?.keys ?? [];
        return { token, images: members, keys, sizes: sizes[token] ?? [], side: sides[token] };
      });
    },
  };
}

/** Where the groups go of which some image is known, or has been. */
function sidesOfGroups(
  groups: readonly {
    readonly images: readonly { readonly label: string; readonly known: KnownSide | undefined; isDropped: boolean }[];
    readonly keys: readonly string[];
  }[],
  gone: ReadonlyMap<string, KnownSide>,
) {
  const moves = createMoves();
  const sides = groups.map(({ images, keys }) => {
    const ofImages = images.reduce<KnownSide | undefined>((side, { known }) => together(side, known), undefined);
    const side = sideOfAll(keys.reduce((all, key) => together(all, gone.get(key)), ofImages));
    for (const { label, known, isDropped } of images) if (side && !isDropped) moves.add(label, known, side);
    return side;
  });
  moves.requireFew();
  return sides;
}

/** The sides of images that are gone, by the group that they were in. Those that are there have the group of today. */
function sidesOfGone(known: KnownImages, images: readonly (readonly PlanImage[])[]): Map<string, KnownSide> {
  const isHere = new Uint8Array(known.images.length);
  for (const image of images.flat()) for (const place of known.find(image)) isHere[place] = 1;
  const sides = new Map<string, KnownSide>();
  for (const [place, { group, side }] of known.images.entries()) {
    if (group === undefined || isHere[place]) continue;
    const key = `group ${group}`;
    sides.set(key, together(sides.get(key), side) ?? side);
  }
  return sides;
}
