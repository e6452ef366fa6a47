import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import type { Gallery } from '../dataset/gallery.ts';
import type { PlannedImage } from '../dataset/plan-types.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { batchesOf } from '../parallel/batches.ts';
import { type EarlyJob, fillArchive } from './archive-jobs.ts';
import type { FillPool } from './fill-pool.ts';
import type { DiskSaver } from './low-disk.ts';
import { packImages } from './packed-images.ts';
import type { Planning, ReadySource } from './plan-sources.ts';
import type { Source } from './sources.ts';
import type { BrokenImage, BrokenImages, Filled, FillJob } from './thread-jobs.ts';

export interface OrganiseOptions {
  /** Where the images go; `undefined` when they go to the archive only. */
  readonly results: string | undefined;
  readonly archive: ArchiveWriter;
  /** What the archive has instead of `results`: `''`, or a folder with its slash. */
  readonly archiveFolder: string;
  /** Whether the archive gets the source zips too. */
  readonly withSources: boolean;
  readonly threads: FillPool;
  readonly gallery: Gallery;
  /** Frees the disk meanwhile. */
  readonly saver: DiskSaver | undefined;
  readonly signal: AbortSignal;
  readonly brokenImages: BrokenImages;
  /** Whether the images are asked for, to be looked at. */
  readonly looks: boolean;
  /** Called for a source as soon as it is planned. */
  readonly onPlanned: (ready: ReadySource) => Promise<void> | void;
  /** Called for images that are in their places, in the order of the archive, and of those that are not. */
  readonly onFilled: (filled: Filled, images: FilledImages) => Promise<void> | void;
}

export interface FilledImages {
  readonly placed: readonly PlannedImage<ZipEntry>[];
  /** Also those that are in their places anyway. */
  readonly broken: readonly (BrokenImage & { readonly planned: PlannedImage<ZipEntry>; readonly zipName: string })[];
}

/**
 * Puts the source zips (where the archive is to hold them) and every image into the archive, and the images in their
 * places under `results`, source after source as they are planned. Each is unpacked once, checked, hashed, and written to
 * both from the same memory.
 */
export async function organise(
  planning: Planning,
  sources: readonly Source[],
  options: OrganiseOptions,
): Promise<void> {
  const { archive, withSources, saver, threads, signal } = options;
  if (withSources) await fillArchive(archive, copies(sources), { threads, signal, room: saver?.room });
  if (!saver) return fill(planning.sources(), options);
  // With little disk, the next zip is asked for when the one before is gone.
  for await (const ready of planning.sources()) {
    await fill([ready], options);
    if (ready.source.isLastOfZip) await saver.drop((await ready.zip.whole()).path);
  }
}

async function* copies(sources: readonly Source[]): AsyncGenerator<FillJob> {
  for (const { downloaded, zipName } of sources.filter(({ isLastOfZip }) => isLastOfZip)) {
    const { path, sha256 } = await downloaded();
    yield { kind: 'file', path, name: `downloads/${zipName}`, sha256 };
  }
}

async function fill(
  sources: Iterable<ReadySource> | AsyncIterable<ReadySource>,
  {
    results,
    archive,
    archiveFolder,
    threads,
    gallery,
    saver,
    signal,
    brokenImages,
    looks,
    onPlanned,
    onFilled,
  }: OrganiseOptions,
): Promise<void> {
  /** Batches whose jobs are not done, in the order of the jobs. */
  const waiting: { readonly images: readonly PlannedImage<ZipEntry>[]; readonly zipName: string }[] = [];

  async function* jobs(): AsyncGenerator<EarlyJob> {
    for await (const ready of sources) {
      await onPlanned(ready);
      const { source, zip, planned } = ready;
      const { label, zipName } = source;
      // As they come: what the zip begins with can be worked on while the rest is on its way.
      const images = planned.images.toSorted((a, b) => a.image.headerOffset - b.image.headerOffset);
      const shown = gallery.choose(label, planned.images);
      if (results !== undefined) await makeFolders(images, results, label);
      for (const batch of batchesOf(images, ({ image }) => image.bytes)) {
        const packed = packImages(batch.map((one) => ({ ...one, wanted: shown.has(one) })));
        await zip.reach(batch.at(-1)?.image.limit ?? 0);
        const part = { path: zip.path(), name: zipName };
        waiting.push({ images: batch, zipName });
        yield {
          early: { kind: 'images', zip: part, label, images: packed, archiveFolder, results, brokenImages, looks },
          whole: zip.whole,
        };
      }
    }
  }

  function tell(filled: Filled): Promise<void> | void {
    const { images = [], zipName = '' } = waiting.shift() ?? {};
    const broken = filled.broken.flatMap((one) => {
      const planned = images[one.index];
      return planned ? [{ ...one, planned, zipName }] : [];
    });
    const isGone = new Set(brokenImages === 'leave-out' ? broken.map(({ planned }) => planned) : []);
    return onFilled(filled, { placed: images.filter((image) => !isGone.has(image)), broken });
  }

  await fillArchive(archive, jobs(), { threads, signal, room: saver?.room, onFilled: tell });
}

/** Of one label. */
async function makeFolders(images: readonly PlannedImage[], results: string, label: string): Promise<void> {
  for (const split of new Set(images.map((image) => image.split))) {
    const folder = join(results, split, label);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw diskFailure('write', folder, error);
    });
  }
}
