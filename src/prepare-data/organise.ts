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
  /** Told of the first failure of a thread at once. */
  readonly onFailure: (error: unknown) => void;
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
  const { results, archive, archivePath, withSources, gallery, saver, tally } = options;
  /** The images of the jobs that were given to the threads and have not come back, in order. */
  const underWay = new Map<FillJob, Batch | undefined>();

  async function* jobs(): AsyncGenerator<readonly [FillJob, Batch?]> {
    for (const { downloaded, zipName } of withSources ? sources : []) {
      yield [{ kind: 'file', path: (await downloaded()).path, name: `downloads/${zipName}` }];
    }
    for await (const ready of planning.sources()) {
      options.onPlanned(ready);
      const { source, zip, planned } = ready;
      if (results !== undefined) await makeFolders(planned.images, results);
      for (const batch of batches(ready)) {
        const images = batch.planned.map((one): FillImage => {
          const place = pathOf(one);
          return {
            entry: one.image,
            name: archivePath(place),
            target: results === undefined ? undefined : join(results, place),
            wanted: gallery.takes({ label: one.label, name: one.fileName, bytes: one.image.bytes }),
          };
        });
        yield [{ kind: 'images', zip: { path: zip.path, name: source.zipName }, images }, batch];
      }
    }
  }

  async function* noted(): AsyncGenerator<FillJob> {
    for await (const [job, batch] of jobs()) {
      underWay.set(job, batch);
      yield job;
    }
  }

  const filling = fillArchive(archive, noted(), {
    ...options,
    room: saver?.room,
    onDone: (job, filled) => {
      const batch = underWay.get(job);
      batch?.planned.forEach(({ image }, index) => {
        const content = batch.ready.contentOf(image);
        if (content !== undefined) planning.identities.learn(content, filled[index]?.sha256 ?? '');
      });
    },
  });
  for await (const filled of filling) {
    const [job, batch] = underWay.entries().next().value ?? [];
    if (job) underWay.delete(job);
    if (!batch) continue;
    const { ready, planned } = batch;
    for (const [index, one] of planned.entries()) {
      const found = filled[index];
      if (!found) throw new Error('A thread has left out an image');
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
        sourceZip: ready.source.zipName,
        sourcePath: image.path,
        group,
      });
    }
    if (saver && batch.isLast) await saver.drop(ready.zip.path);
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
  readonly ready: ReadySource;
  readonly planned: readonly PlannedImage<ZipEntry>[];
  /** Whether these are the last of their source. */
  readonly isLast: boolean;
}

/** The images of a source in order; a large one is alone. */
function* batches(ready: ReadySource): Generator<Batch> {
  const { images } = ready.planned;
  for (let next = 0; next < images.length; ) {
    const start = next;
    let bytes = 0;
    for (; next < images.length && next - start < JOB_IMAGES; next++) {
      const more = images[next]?.image.bytes ?? 0;
      if (next > start && bytes + more > JOB_BYTES) break;
      bytes += more;
    }
    yield { ready, planned: images.slice(start, next), isLast: next === images.length };
  }
}
