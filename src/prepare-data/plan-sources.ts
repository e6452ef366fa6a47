import type { ZipEntry } from '../archive/open-zip.ts';
import type { KnownImages } from '../dataset/known-images.ts';
import type { Hashes } from '../dataset/near-index.ts';
import { createPlanner, plansAllAtOnce } from '../dataset/plan.ts';
import type { AllImages, PlannedSource, PlanOptions } from '../dataset/plan-types.ts';
import type { FillPool } from './fill-pool.ts';
import { createIdentities } from './identities.ts';
import type { Looks } from './looks.ts';
import { findNear, type NearImages } from './near-images.ts';
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
  /** Of images that were looked at for the plan. */
  readonly hashes: ReadonlyMap<ZipEntry, Hashes> | undefined;
}

/**
 * Plans source after source. Where the planner has to see all images at once and some may be identical, all zips have to
 * be here first: whether they are, only their bytes tell.
 *
 * @param looks for images that are to be kept together as they look alike: then all zips have to be here first, too
 * @param known the images of the data set before, where sides are kept
 * @throws DiatomError (here and in `sources`) what `createPlanner`, its `plan` and `Source` throw; `ZIP`, `DISK`
 */
export async function createPlanning(
  { sources, isAlike, images: kept }: Selections,
  options: PlanOptions,
  { threads, looks }: { readonly threads: FillPool; readonly looks: Looks },
  known?: KnownImages,
): Promise<Planning> {
  const identities = createIdentities(isAlike, threads);

  async function identify(source: Source, images: readonly ZipEntry[]): Promise<Map<ZipEntry, number>> {
    if (source.alikeCount === 0) return new Map();
    return identities.identify({ path: (await source.downloaded()).path, name: source.zipName }, images);
  }

  let all: AllImages<ZipEntry> | undefined;
  let near: NearImages | undefined;
  if (plansAllAtOnce(sources, options)) {
    const images = kept ?? [];
    const contents = new Map<ZipEntry, number>();
    for (const [index, source] of sources.entries()) {
      for (const [image, content] of await identify(source, images[index] ?? [])) contents.set(image, content);
    }
    if (options.nearDuplicates === 'together') near = await findNear(sources, images, { threads, looks, known });
    all = { images, contentOf: (image) => contents.get(image), nearOf: near?.nearOf };
  }
  const planner = createPlanner<ZipEntry>(sources, options, all, known);

  return {
    warnings: planner.warnings,
    hashes: near?.hashes,
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
