import type { PlanImage, PlannedImage } from './plan.ts';
import { showableMediaType } from './report.ts';

/** At most so many pictures a class. */
const PICTURES_PER_CLASS = 6;

/**
 * Bytes of pictures in the whole gallery: embedding makes them a third larger, and the report shall stay below 2 MB.
 */
const GALLERY_BYTES = 1_400_000;

/**
 * Chooses the images that the report shows: a few of every class, spread evenly over its list, as many as fit into the
 * class's share of the space. Images that browsers can't show are not among them.
 */
export function chooseGallery<Image extends PlanImage>(
  images: readonly PlannedImage<Image>[],
): ReadonlySet<PlannedImage<Image>> {
  const classes = new Map<string, PlannedImage<Image>[]>();
  for (const planned of images) {
    const members = classes.get(planned.label) ?? [];
    classes.set(planned.label, members);
    if (showableMediaType(planned.fileName) !== undefined) members.push(planned);
  }
  const share = GALLERY_BYTES / classes.size;
  const chosen = new Set<PlannedImage<Image>>();
  for (const members of classes.values()) {
    let room = share;
    const fitting = members.filter(({ image }) => image.bytes <= share / PICTURES_PER_CLASS);
    // Where every image is too large for an even share, the class still gets as many as fit.
    const candidates = fitting.length > 0 ? fitting : members;
    for (const candidate of spread(candidates, PICTURES_PER_CLASS)) {
      if (candidate.image.bytes > room) continue;
      room -= candidate.image.bytes;
      chosen.add(candidate);
    }
  }
  return chosen;
}

/** Up to `count` items, evenly spaced. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return items.filter(
    (_, index) => Math.floor((index * count) / items.length) !== Math.floor(((index - 1) * count) / items.length),
  );
}
