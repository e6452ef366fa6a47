import type { ZipEntry } from '../archive/open-zip.ts';
import type { KnownImages } from '../dataset/known-images.ts';
import {
  type ContentOf,
  createPlanner,
  type PlannedSource,
  type PlanOptions,
  plansAllAtOnce,
} from '../dataset/plan.ts';
import type { FillThreads } from './fill-threads.ts';
import { createIdentities } from './identities.ts';
import type { OpenSource } from './selected-zip.ts';
import type { Selections, Source } from './sources.ts';

/** A source, and where its images go. */
export interface ReadySource {
  readonly source: Source;
  readonly zip: OpenSource;
  readonly planned: PlannedSource<ZipEntry>;
}

export interface Planning {
  /**
   * The sources in list order, each as soon as those before it are planned and its zip can be read: that of one without
   * images that may be identical to others while it comes. Before the next zip, all of it is here.
   */
  sources(): AsyncGenerator<ReadySource, void, void>;
  /** Sentences about what was planned so far. */
  warnings(): string[];
}

/**
 * Plans source after source. Where the planner has to see all images at once and some may be identical, all zips have to
 * be here first: whether they are, only their bytes tell.
 *
 * @param known the images of the data set before, where sides are kept
 * @throws DiatomError (here and in `sources`) what `createPlanner`, its `plan` and `Source` throw; `ZIP`, `DISK`
 */
export async function createPlanning(
  { sources, isAlike, images: kept }: Selections,
  options: PlanOptions,
  threads: FillThreads,
  known?: KnownImages,
): Promise<Planning> {
  const identities = createIdentities(isAlike, threads);

  async function identify(source: Source, images: readonly ZipEntry[]): Promise<Map<ZipEntry, number>> {
    if (source.alikeCount === 0) return new Map();
    return identities.identify({ path: (await source.downloaded()).path, name: source.zipName }, images);
  }

  let all: { readonly images: readonly (readonly ZipEntry[])[]; readonly contentOf: ContentOf<ZipEntry> } | undefined;
  if (plansAllAtOnce(sources, options)) {
    const images = kept ?? [];
    const contents = new Map<ZipEntry, number>();
    for (const [index, source] of sources.entries()) {
      for (const [image, content] of await identify(source, images[index] ?? [])) contents.set(image, content);
    }
    all = { images, contentOf: (image) => contents.get(image) };
  }
  const planner = createPlanner<ZipEntry>(sources, options, all, known);

  return {
    warnings: planner.warnings,
    async *sources() {
      for (const source of sources) {
        const zip = await source.open({ whole: !all && source.alikeCount > 0 });
        const contents = all ? undefined : await identify(source, zip.images);
        const contentOf = all?.contentOf ?? ((image: ZipEntry) => contents?.get(image));
        yield { source, zip, planned: planner.plan(zip.images, contentOf) };
        if (source.isLastOfZip) await zip.whole();
      }
    },
  };
}
