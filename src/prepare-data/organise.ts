import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import type { Gallery } from '../dataset/gallery.ts';
import type { DatasetImage } from '../dataset/manifest.ts';
import type { PlannedImage } from '../dataset/plan.ts';
import type { Tally } from '../dataset/tally.ts';
import { diskFailure } from '../disk-failure.ts';
import { fillArchive } from './fill-archive.ts';
import type { FillImage, FillJob } from './fill-thread.ts';
import type { FillThreads } from './fill-threads.ts';
import type { DiskSaver } from './low-disk.ts';
import type { Planning, ReadySource } from './plan-sources.ts';
import type { Source } from './sources.ts';

/** A picture for the report. */
export interface Picture {
  readonly label: string;
  readonly split: PlannedImage['split'];
  readonly fileName: string;
  readonly data: Uint8Array;
}

/** So many bytes of images, and so many images, are a thread's job: large enough to need few messages. */
const JOB_BYTES = 2 * 2 ** 20;
const JOB_IMAGES = 256;

export interface OrganiseOptions {
  /** Where the images go; `undefined` when they go to the archive only. */
  readonly results: string | undefined;
  readonly archive: ArchiveWriter;
  /** The path in the archive of a path below `results`. */
  readonly archivePath: (path: string) => string;
  /** Whether the archive gets the source zips too. */
  readonly withSources: boolean;
  readonly threads: FillThreads;
  readonly gallery: Gallery;
  /** Frees the disk meanwhile. */
  readonly saver: DiskSaver | undefined;
  readonly signal: AbortSignal;
  /** Told of the images of a source as soon as it is planned. */
  readonly onPlanned: (ready: ReadySource) => void;
  /** Told of each image that is in its place, in the order of the archive. */
  readonly onImage: (image: DatasetImage) => Promise<void> | void;
  readonly onPicture: (picture: Picture) => void;
  readonly tally: Tally;
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
  if (withSources) {
    for await (const _ of fillArchive(archive, copies(sources), { threads, signal, room: saver?.room }));
  }
  if (!saver) return fill(planning.sources(), options);
  // With little disk, the next zip is asked for when the one before is gone.
  for await (const ready of planning.sources()) {
    await fill([ready], options);
    await saver.drop(ready.zip.path);
  }
}

async function* copies(sources: readonly Source[]): AsyncGenerator<FillJob> {
  for (const { downloaded, zipName } of sources) {
    yield { kind: 'file', path: (await downloaded()).path, name: `downloads/${zipName}` };
  }
}

async function fill(
  sources: Iterable<ReadySource> | AsyncIterable<ReadySource>,
  options: OrganiseOptions,
): Promise<void> {
  const { results, archive, archivePath, threads, gallery, saver, signal, tally } = options;
  /** The images of the jobs that were given to the threads and have not come back, in order. */
  const underWay: Batch[] = [];

  async function* jobs(): AsyncGenerator<FillJob> {
    for await (const ready of sources) {
      options.onPlanned(ready);
      const { source, zip, planned } = ready;
      if (results !== undefined) await makeFolders(planned.images, results);
      for (const batch of batches(planned.images)) {
        const images = batch.map((one): FillImage => {
          const place = pathOf(one);
          return {
            entry: one.image,
            name: archivePath(place),
            target: results === undefined ? undefined : join(results, place),
            wanted: gallery.takes({ label: one.label, name: one.fileName, bytes: one.image.bytes }),
          };
        });
        underWay.push({ source, images: batch });
        yield { kind: 'images', zip: { path: zip.path, name: source.zipName }, images };
      }
    }
  }

  for await (const filled of fillArchive(archive, jobs(), { threads, signal, room: saver?.room })) {
    const batch = underWay.shift();
    for (const [index, one] of batch?.images.entries() ?? []) {
      const found = filled[index];
      if (!batch || !found) throw new Error('A thread has left out an image');
      const { label, split, fileName, image, group } = one;
      const { sha256, size, data } = found;
      tally.add(one);
      if (data && size) options.onPicture({ label, split, fileName, data });
      await options.onImage({
        path: pathOf(one),
        label,
        split,
        sha256,
        bytes: image.bytes,
        width: size?.width,
        height: size?.height,
        sourceZip: batch.source.zipName,
        sourcePath: image.path,
        group,
      });
    }
  }
}

/** Below `results`. */
function pathOf({ split, label, fileName }: PlannedImage): string {
  return `${split}/${label}/${fileName}`;
}

async function makeFolders(images: readonly PlannedImage[], results: string): Promise<void> {
  const folders = new Set(images.map(({ split, label }) => join(results, split, label)));
  for (const folder of folders) {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw diskFailure('write', folder, error);
    });
  }
}

/** Some images of a source. */
interface Batch {
  readonly source: Source;
  readonly images: readonly PlannedImage<ZipEntry>[];
}

/** The images of a source in order; a large one is alone. */
function* batches(images: readonly PlannedImage<ZipEntry>[]): Generator<readonly PlannedImage<ZipEntry>[]> {
  for (let next = 0; next < images.length; ) {
    const start = next;
    let bytes = 0;
    for (; next < images.length && next - start < JOB_IMAGES; next++) {
      const more = images[next]?.image.bytes ?? 0;
      if (next > start && bytes + more > JOB_BYTES) break;
      bytes += more;
    }
    yield images.slice(start, next);
  }
}
